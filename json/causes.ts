/** Why a value does not match a schema, out of everything that the validator reports. @module */
import type { OutputUnit } from "@cfworker/json-schema";

/** Keywords for the properties that no other keyword covers. */
const REST = /^(?:additional|unevaluated)Properties$/;
const NAMED = /^(?:properties|patternProperties)$/;

/** A property that a keyword failed on, as the reports from `at` up to `end` say. */
interface Failure {
  keyword: string;
  /** The schema that has the keyword. */
  schema: string;
  property: string;
  at: number;
  end: number;
}

/**
 * The innermost reports: those around them are left out, and so is the report that a property is
 * unexpected if it is a known property with a wrong value.
 */
export function causes(units: OutputUnit[]): OutputUnit[] {
  const left = withoutEchoes(units.map(placed));
  const around = new Set(left.flatMap(({ keyword, keywordLocation }) => {
    const above = prefixes(keywordLocation);
    return keyword === "false" ? above : above.slice(0, -1);
  }));
  return left.filter(({ keyword, keywordLocation }) =>
    // What `then` or `else` finds is reported beside `if`, not within it.
    keyword === "false" || keyword !== "if" && !around.has(keywordLocation)
  );
}

/** Corrects the location of a schema `false`: the validator gives the location of the value instead. */
function placed(unit: OutputUnit, at: number, units: OutputUnit[]): OutputUnit {
  const before = units[at - 1];
  if (unit.keyword !== "false" || !before) return unit;
  return { ...unit, keywordLocation: before.keywordLocation };
}

/** The validator counts a property as evaluated only if it is valid. */
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

/** A report about a property precedes those that say why, whose locations start with its own. */
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
