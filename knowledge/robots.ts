import robotsParserModule from "robots-parser";
import type { Egress, EgressResponse } from "../guard/mod.ts";

/** The name that sites know this program by. */
export const USER_AGENT = "orchestrator-crawler";
/** The longest pause that a site gets between two pages, in milliseconds. */
const MAX_DELAY_MS = 10_000;
const MAX_BYTES = 512 * 1024;
const KEPT_MS = 10 * 60_000;
const MAX_KEPT = 100;

/** As far as it is used; its types describe it as a module of another form. */
const robotsParser = robotsParserModule as unknown as (url: string, text: string) => {
  isAllowed(url: string, agent: string): boolean | undefined;
  getCrawlDelay(agent: string): number | undefined;
};

/** What a site lets a crawler do. */
export interface Rules {
  allows(url: string): boolean;
  /** Pause between two pages. */
  delay_ms: number;
}

/** Reads `robots.txt` (RFC 9309) of sites; what was read is kept for ten minutes. */
export function createRobots(
  egress: Pick<Egress, "request">,
  now: () => number,
): (url: string, signal: AbortSignal) => Promise<Rules> {
  const kept = new Map<string, { at: number; rules: Rules }>();
  return async (url, signal) => {
    const { origin } = new URL(url);
    const known = kept.get(origin);
    if (known && now() - known.at < KEPT_MS) return known.rules;
    const address = `${origin}/robots.txt`;
    const headers = { "user-agent": USER_AGENT };
    const answer = await egress.request(address, { signal, max_bytes: MAX_BYTES, headers });
    const rules = toRules(address, answer);
    kept.delete(origin);
    kept.set(origin, { at: now(), rules });
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!);
    return rules;
  };
}

/** A site without rules allows everything, one whose rules cannot be had allows nothing. */
function toRules(address: string, { status, body }: EgressResponse): Rules {
  if (status >= 500 || status === 429) return { allows: () => false, delay_ms: 0 };
  if (status !== 200) return { allows: () => true, delay_ms: 0 };
  const robots = robotsParser(address, new TextDecoder().decode(body));
  const seconds = robots.getCrawlDelay(USER_AGENT) ?? 0;
  return {
    allows: (url) => robots.isAllowed(url, USER_AGENT) ?? true,
    delay_ms: Math.min(seconds * 1_000, MAX_DELAY_MS),
  };
}
