/** What every kind promises the rooms that know no kind by name, shown on a sample of each. */
import { expect } from "expect";
import { createProgram } from "../../../pipeline/walk/interpreter.ts";
import { type AnyKind, type KindName, kinds } from "../../../pipeline/document/kinds.ts";
import { parsePipeline } from "../../../pipeline/document/parse.ts";
import type { ChildRequest, WaitOptions } from "../../../pipeline/kernel/context.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { RunResult } from "../../../pipeline/kernel/mod.ts";
import { common } from "../../../pipeline/nodes/mod.ts";
import type { Path } from "../../../json/mod.ts";
import { FakeContext, type RecordedStep } from "../_fake_context.ts";
import { deps } from "../walk/_define.ts";
import { INPUT, type Sample, SAMPLES } from "./_samples.ts";

/** Records waits and runs within the run as the kernel does. */
class Recording extends FakeContext {
  override async wait(key: string, options: WaitOptions) {
    return await this.#once(key, options.kind, () => super.wait(key, options));
  }

  override async child(key: string, request: ChildRequest): Promise<RunResult> {
    const { signal } = await this.#once(key, "pipeline", async () => {
      return { signal: { result: await super.child(key, request) } };
    });
    return signal.result;
  }

  async #once<T>(key: string, kind: string | undefined, begin: () => Promise<T>): Promise<T> {
    const known = this.steps.find((step) => step.key === key);
    if (known) return (known.outcome as { output: Json }).output as T;
    const output = await begin();
    this.steps.push({ key, options: { kind }, outcome: { output: output as Json } });
    return output;
  }
}

/** Runs a pipeline whose node `a` is the sample's, on what was recorded before. */
async function visit(
  { definition, deps: given, prepare }: Sample,
  node: Sample["node"],
  recorded: RecordedStep[] = [],
) {
  let calls = 0;
  const outside = <T>(result: T): T => (calls++, result);
  const ends = found(node, isEdge).map(({ value }) => [value, { transform: null }]);
  const document = {
    name: "sample",
    version: 1,
    start: "a",
    nodes: { a: node, ...Object.fromEntries(ends) },
    output: "${ nodes.a }",
  };
  const pipeline = await parsePipeline(JSON.stringify(document), "sample");
  const program = createProgram(
    { agents: {}, prompts: {}, ...await definition?.(), pipeline },
    given?.(outside) ?? deps(),
  );
  const ctx = new Recording(recorded);
  prepare?.(ctx);
  const output = await program(ctx, INPUT);
  return { ctx, output, calls, own: ctx.steps.filter(({ key }) => /^a(?!\w)/.test(key)) };
}

const isEdge = (text: string) => text.startsWith("to_");
const isTemplate = (text: string) => text.includes("${");

/** The texts in a value that are `wanted`, with where they are. */
function found(value: Json, wanted: (text: string) => boolean, path: Path = []) {
  const all: { path: Path; value: string }[] = [];
  if (typeof value === "string" && wanted(value)) all.push({ path, value });
  if (typeof value !== "object" || value === null) return all;
  const isList = Array.isArray(value);
  for (const [name, part] of Object.entries(value)) {
    all.push(...found(part as Json, wanted, [...path, isList ? Number(name) : name]));
  }
  return all;
}

const isWithin = (outer: Path, inner: Path) => outer.every((part, index) => inner[index] === part);

/** What is recorded under the node's own key. */
const recordOf = (steps: RecordedStep[], key = "a") => steps.find((step) => step.key === key);

/** What `recorded` says that a visit leaves is what it leaves. */
async function expectRecord({ kind, recorded }: AnyKind, sample: Sample): Promise<void> {
  const { ctx, output } = await visit(sample, sample.node);
  const record = recordOf(ctx.steps);
  if (recorded === "own") {
    expect(ctx.ran.filter((key) => /^a(?!\w)/.test(key))).not.toEqual([]);
    return;
  }
  expect(record).toMatchObject({ key: "a", options: { kind } });
  expect(ctx.ran.includes("a")).toBe(recorded === "step");
  const { output: left } = record!.outcome as { output: Json };
  const isRaw = typeof recorded === "object";
  expect(isRaw ? recorded.outputOf(left) : left).toEqual(output);
}

const LIMITS = { timeout_seconds: 7, retry: { errors: ["all"], max_attempts: 4 } };
const IN_MS = { timeout_ms: 7_000, retry: { errors: ["all"], max_attempts: 4 } };

for (const kind of kinds) {
  const { kind: name, schema, recorded } = kind;
  const sample = SAMPLES[name as KindName];
  const { node } = sample ?? {};

  Deno.test(`${name} has a sample with every field of its own, in tests/pipeline/nodes/_samples.ts`, () => {
    expect(sample).toBeDefined();
    const own = Object.keys(schema.shape).filter((field) => !(field in common));
    expect(Object.keys(node!).sort()).toEqual(own.sort());
  });

  Deno.test(`${name} takes its sample and refuses unknown fields`, () => {
    expect(schema.safeParse(node).error).toBeUndefined();
    expect(schema.safeParse({ ...node, unknown_field: 1 }).success).toBe(false);
    const value = node[name];
    const isOpen = typeof value !== "object" || Array.isArray(value) || name === "transform";
    if (isOpen) return;
    const more = { ...node, [name]: { ...value, unknown_field: 1 } };
    expect(schema.safeParse(more).success).toBe(false);
  });

  Deno.test(`${name} gives its output and leaves in the journal what it says`, async () => {
    expect((await visit(sample, node)).output).toEqual(sample.output);
    await expectRecord(kind, sample);
  });

  Deno.test(`${name} does nothing again on a replay, also when the process ended inside it`, async () => {
    const straight = await visit(sample, node);
    const { steps: all } = straight.ctx;
    const inside = recorded === "group" ? all.filter(({ key }) => key !== "a") : all;
    for (const steps of [all, inside]) {
      const { output, calls, ctx } = await visit(sample, node, steps);
      expect({ output, calls, ran: ctx.ran }).toEqual({
        output: straight.output,
        calls: 0,
        ran: [],
      });
    }
  });

  Deno.test(`${name} passes its limits on`, async () => {
    const { own } = await visit(sample, { ...node, ...LIMITS });
    const byWalk = recorded !== "step" && recorded !== "own";
    // The walk retries groups by itself.
    const wanted = byWalk ? { timeout_ms: IN_MS.timeout_ms } : IN_MS;
    expect(own.map(({ options }) => options)).toContainEqual(expect.objectContaining(wanted));
    if (recorded !== "own") expect(recordOf(own)!.options).toMatchObject({ kind: name, ...wanted });
  });

  Deno.test(`${name} names its edges and its templates`, () => {
    const graphs = kind.graphs?.(node) ?? [];
    const outside = ({ path }: { path: Path }) => !graphs.some((at) => isWithin(at.path, path));
    const edges = found(node, isEdge).filter(outside);
    const sorted = (list: { value: unknown }[]) => list.map((item) => JSON.stringify(item)).sort();
    expect(sorted(kind.targets(node))).toEqual(sorted(edges));
    const templates = kind.templates(node);
    const missing = found(node, isTemplate).filter(outside)
      .filter(({ path }) => !templates.some((template) => isWithin(template.path, path)));
    expect(missing).toEqual([]);
    for (const { path, value } of templates) {
      const held = path.reduce<unknown>((part, field) => (part as never)[field], node);
      expect(value).toEqual(held);
    }
  });
}
