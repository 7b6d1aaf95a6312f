import { expect } from "expect";
import { resolve } from "node:path";
import { readSources } from "../../dev/layers.ts";
import { actingFor, type Caller, localCaller } from "../../guard/mod.ts";
import { callerOf } from "../_caller.ts";

Deno.test("an object of the same shape is no caller, and a caller cannot be copied for another tenant", () => {
  const { tenant, actor } = localCaller();
  const take = (caller: Caller) => caller.tenant;
  // @ts-expect-error a caller is made in guard/ only
  take({ tenant, actor, toRecord: () => ({}), may: () => true, mayActFor: () => true });
  // @ts-expect-error a copy has lost what makes it one
  take({ ...localCaller(), tenant: "other" });
  // @ts-expect-error a caller stays whose it is
  expect(() => localCaller().tenant = "other").toThrow();
});

/** The files outside of guard/ that may say for whom something happens, and why. */
const MAKERS: Record<string, string[]> = {
  localCaller: [
    "cli/run.ts", // whoever starts a command
    "pipeline/catalog/schedules.ts", // the operator's files
    "routes/identity.ts", // whoever reaches a service without authentication
    "wiring/definitions.ts", // the operator's files
  ],
  actingFor: [
    "pipeline/catalog/schedules.ts", // whoever stored a pipeline
    "pipeline/kernel/active_run.ts", // whoever started a run
  ],
};

Deno.test("callers are made where nobody can choose for whom, and nowhere else", () => {
  const sources = Object.entries(readSources(resolve(import.meta.dirname!, "../..")))
    .filter(([file]) => !/^(tests|bench|guard)\//.test(file));
  for (const [maker, files] of Object.entries(MAKERS)) {
    const callers = sources.filter(([, text]) => new RegExp(`\\b${maker}\\(`).test(text));
    expect([maker, ...callers.map(([file]) => file).sort()]).toEqual([maker, ...files]);
  }
  const cast = sources.filter(([, text]) => /\bas (?:unknown as )?Caller\b/.test(text));
  expect(cast.map(([file]) => file)).toEqual([]);
});

Deno.test("the local caller may do everything, others what they were granted", () => {
  expect(localCaller()).toMatchObject({ tenant: "default", actor: "local" });
  expect(localCaller("ann").may("users:*")).toBe(true);
  expect(callerOf("acme").may("users:*")).toBe(false);
  expect(callerOf("acme", "ann", "users:*").may("users:*")).toBe(true);
  expect(callerOf("acme", "ann", "users:*").may("tools:unasked")).toBe(false);
});

Deno.test("a caller acts for itself, and for others with the grant only", () => {
  const ann = callerOf("acme", "ann");
  expect([ann.mayActFor("ann"), ann.mayActFor("bob"), ann.mayActFor(undefined)])
    .toEqual([true, false, false]);
  expect(() => ann.mustActFor("bob")).toThrow('Cannot act for the user "bob"');
  expect(() => callerOf("acme", "ann", "users:*").mustActFor("bob")).not.toThrow();
});

Deno.test("actingFor() makes the caller again that a record was made for, with no more grants", () => {
  const ann = callerOf("acme", "ann", "tools:unasked");
  const again = actingFor(JSON.parse(JSON.stringify(ann.toRecord())));
  expect(again.toRecord()).toEqual({
    tenant: "acme",
    started_by: "ann",
    grants: ["tools:unasked"],
  });
  expect(again.may("users:*")).toBe(false);
});

Deno.test("a record from before there were grants acts as it did: with all of them", () => {
  expect(actingFor({ tenant: "default", started_by: "ann" }).may("users:*")).toBe(true);
});
