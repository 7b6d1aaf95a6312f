/** What a plan may use, as the planner sees it, and how a part of a goal becomes its input. @module */
import { record } from "../material.ts";
import type { Part } from "./parts.ts";

/** Something that can do a step. */
export interface Offer {
  kind: "agent" | "tool" | "pipeline";
  name: string;
  description: string;
  input: Record<string, unknown>;
  output: Record<string, unknown>;
  /** True for an agent that takes whatever it is given. */
  takesAll: boolean;
}

/** Reads the offers of a planner's input; those of `without` (`tool fetch_page`) are left out. */
export function readOffers(
  fields: Record<string, unknown>,
  without: ReadonlySet<string> = new Set(),
): Offer[] {
  const read = (list: unknown, kind: Offer["kind"]): Offer[] =>
    (Array.isArray(list) ? list : []).map(record).flatMap((offer) => {
      const { name, description } = offer;
      if (typeof name !== "string" || without.has(`${kind} ${name}`)) return [];
      return [{
        kind,
        name,
        description: typeof description === "string" ? description : "",
        input: record(offer.input),
        output: record(offer.output),
        takesAll: kind === "agent" && offer.input === undefined,
      }];
    });
  return [
    ...read(fields.agents, "agent"),
    ...read(fields.tools, "tool"),
    ...read(fields.pipelines, "pipeline"),
  ];
}

/** The names of an offer's inputs. */
export function inputsOf({ input }: Offer): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(record(input.properties)).map(([name, schema]) => [name, record(schema)]),
  );
}

/** What each name of an input is usually about. */
const MEANINGS: [RegExp, (part: Part) => unknown][] = [
  [/^(?:url|uri|address|link|source|dataset_url|dataset)$/, ({ urls }) => urls[0]],
  [/^(?:expression|formula|code|program|script)$/, ({ formula }) => formula],
  [
    /^(?:q|query|question|ask|prompt|request|goal|user_goal|task|topic|search|text|input)$/,
    ({ text }) => text,
  ],
  [/^messages$/, ({ text }) => [{ role: "user", content: text }]],
];

/** Input for an offer, as far as a part tells; nothing when something that it needs is not told. */
export function inputFrom(offer: Offer, part: Part): Record<string, unknown> | undefined {
  if (offer.takesAll) return { ask: part.text };
  const properties = inputsOf(offer);
  const required = Array.isArray(offer.input.required) ? offer.input.required.map(String) : [];
  const wanted = required.length > 0 ? required : Object.keys(properties).slice(0, 1);
  const input: Record<string, unknown> = {};
  for (const name of wanted) {
    const value = choice(properties[name], part) ??
      MEANINGS.find(([pattern]) => pattern.test(name))?.[1](part);
    if (value === undefined) return;
    input[name] = value;
  }
  return input;
}

/** Of several values the one that the part names, else the first. */
function choice(schema: Record<string, unknown> | undefined, { text }: Part): unknown {
  if (!Array.isArray(schema?.enum)) return;
  const named = schema.enum.find((value) =>
    typeof value === "string" && text.toLowerCase().includes(value.toLowerCase())
  );
  return named ?? schema.enum[0];
}
