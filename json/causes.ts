/** Why a value does not fit a schema, out of everything that a validator reports. @module */
import type { OutputUnit } from "@cfworker/json-schema";

/** What applies to properties that nothing else is said about. */
const REST = /^(?:additional|unevaluated)Properties$/;
const NAMED = /^(?:properties|patternProperties)$/;

/** A property that a keyword failed on: the reports `at` up to `end` say so. */
interface Failure {
  keyword: string;
  /** The schema that has the keyword. */
  schema: string;
  property: string;
  at: number;
  end: number;
}

/**
 * The reports that say what is wrong. Left out are those around them, and the complaint about a
 * property that is known and wrong that it is one too many.
 */
export function causes(units: OutputUnit[]): OutputUnit[] {
  const left = withoutEchoes(units.map(placed));
  const around = new Set(left.flatMap(({ keyword, keywordLocation }) => {
    const above = prefixes(keywordLocation);
    return keyword === "false" ? above : above.slice(0, -1);
  }));
  return left.filter(({ keyword, keywordLocation }) =>
    keyword === "false" || !around.has(keywordLocation)
  );
}

/** Where the schema `false` is that was met: the validator gives the place in the value instead. */
function placed(unit: OutputUnit, at: number, units: OutputUnit[]): OutputUnit {
  const before = units[at - 1];
  if (unit.keyword !== "false" || !before) return unit;
  return { ...unit, keywordLocation: before.keywordLocation };
}

/** The validator takes a property as seen only where it is right. */
function withoutEchoes(units: OutputUnit[]): OutputUnit[] {
  const failures = units.flatMap((unit, at) => failureOf(unit, at, units) ?? []);
  const named = failures.filter(({ keyword }) => NAMED.test(keyword));
  const here = new Set(named.map(({ schema, property }) => `${schema} ${property}`));
  const within = new Set(
    named.flatMap(({ schema, property }) => prefixes(schema).map((part) => `${part} ${property}`)),
  );
  const echoes = failures.filter(({ keyword, schema, property }) =>
    REST.test(keyword) &&
    (keyword === "additionalProperties" ? here : within).has(`${schema} ${property}`)
  );
  const dropped = new Set<OutputUnit>();
  for (const { at, end } of echoes) {
    for (const unit of units.slice(at, end)) dropped.add(unit);
  }
  return units.filter((unit) => !dropped.has(unit));
}

/** A report about a property stands before those that say why: they begin with its place. */
function failureOf(unit: OutputUnit, at: number, units: OutputUnit[]): Failure | undefined {
  const { keyword, keywordLocation, instanceLocation } = unit;
  if (!NAMED.test(keyword) && !REST.test(keyword)) return undefined;
  const below = units[at + 1]?.instanceLocation.slice(instanceLocation.length + 1);
  if (!below) return undefined;
  const property = `${instanceLocation}/${below.split("/", 1)[0]}`;
  let end = at + 1;
  while (units[end] && isWithin(units[end]!.instanceLocation, property)) end++;
  const schema = keywordLocation.slice(0, -keyword.length - 1);
  return { keyword, schema, property, at, end };
}

function isWithin(location: string, property: string): boolean {
  return location === property || location.startsWith(`${property}/`);
}

/** `#/a/b` is within `#`, `#/a` and itself. */
function prefixes(pointer: string): string[] {
  const parts = pointer.split("/");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
