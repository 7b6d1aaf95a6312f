/**
 * The operator's list of hosts that may be reached wherever they are: `host`, `host:port`,
 * `*.example.com`, `*.example.com:8443`.
 *
 * @module
 */

interface Rule {
  host: string;
  /** True for `*.host`: every name below it, not itself. */
  below: boolean;
  /** Absent: any. */
  port?: string;
}

/** Reads one entry of the list; nothing when it is malformed. */
export function parseRule(entry: string): Rule | undefined {
  const [, star, name = "", port] = /^(\*\.)?(\[[\da-f:.]+\]|[^:/?#@[\]\s]+)(?::(\d{1,5}))?$/i
    .exec(entry) ?? [];
  // Names and addresses in the form that a request's URL has them.
  if (!URL.canParse(`http://${name}/`)) return undefined;
  const { hostname } = new URL(`http://${name}/`);
  if (hostname.includes("*")) return undefined;
  return { host: bareHost(hostname), below: star !== undefined, ...(port && { port }) };
}

/** Tells whether a URL's host is on the list. Malformed entries name nothing. */
export function createRules(entries: readonly string[]): (url: URL) => boolean {
  const rules = entries.map(parseRule).filter((rule) => rule !== undefined);
  return (url) => {
    const host = bareHost(url.hostname);
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    return rules.some((rule) =>
      (rule.port === undefined || rule.port === port) &&
      (rule.below ? host.endsWith(`.${rule.host}`) : host === rule.host)
    );
  };
}

/** A URL's host without the brackets of IPv6 addresses and the dots after names. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.+$/, "");
}
