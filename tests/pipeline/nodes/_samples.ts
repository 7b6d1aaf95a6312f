/**
 * A node of each kind, with what it needs to run. A kind without a sample does not compile.
 *
 * A sample has every field of its own, edges that begin with `to_`, and expressions over
 * {@linkcode INPUT}. Whatever it does outside goes through the world's `outside`.
 */
import type { Definition } from "../../../pipeline/document/document.ts";
import type { KindName } from "../../../pipeline/document/kinds.ts";
import type { Json } from "../../../pipeline/kernel/events.ts";
import type { ProgramDeps } from "../../../pipeline/walk/interpreter.ts";
import { NO_USAGE } from "../../../telemetry/usage.ts";
import { parseProfile } from "../../../pipeline/agent/profile.ts";
import type { FakeContext } from "../_fake_context.ts";
import { FakeTools } from "../_fake_tools.ts";
import { act, planDefinition, planDeps, planOf } from "../plans/_plans.ts";
import { deps } from "../walk/_define.ts";

/** Counts what a node does outside; a replay may do nothing. */
export type Outside = <T>(result: T) => T;

/** A node, and how it is run. */
export interface Sample {
  node: { [field: string]: Json };
  /** What the node gives, with {@linkcode INPUT}. */
  output: unknown;
  deps?: (outside: Outside) => ProgramDeps;
  definition?: () => Partial<Definition> | Promise<Partial<Definition>>;
  prepare?: (ctx: FakeContext) => void;
}

/** The input of every sample's run. */
export const INPUT = { word: "tea", yes: true, list: ["a", "b"] };

const tools = (outside: Outside) => new FakeTools((args) => Promise.resolve(outside(args)));
const graph = (value: string) => ({ start: "x", nodes: { x: { transform: value } } });

/** The sample of each kind. */
export const SAMPLES: Record<KindName, Sample> = {
  agent: {
    node: { agent: "host", with: { ask: "${ input.word }" }, next: "to_end" },
    output: "hello",
    definition: () => ({ agents: { host: parseProfile("---\n---\nBe kind.\n", "host") } }),
    deps: (outside) =>
      deps({}, {
        models: {
          provider: "scripted",
          models: () => Promise.resolve([]),
          generate: () =>
            Promise.resolve(outside({
              text: "hello",
              tool_calls: [],
              finish_reason: "stop" as const,
              usage: NO_USAGE,
              model: "scripted",
            })),
        },
      }),
  },
  task: {
    node: { task: "echo", with: "${ input.word }", effect: "at_most_once", next: "to_end" },
    output: "tea",
    deps: (outside) => deps({ echo: { run: (input) => outside(input) } }),
  },
  tool: {
    node: {
      tool: "${ 'look' }",
      with: { q: "${ input.word }" },
      ask: "never",
      next: "to_end",
    },
    output: { q: "tea" },
    deps: (outside) => deps({}, { tools: tools(outside) }),
  },
  call: {
    node: {
      call: {
        service: "shop",
        method: "POST",
        path: "/${ input.word }",
        query: { n: "${ input.word }" },
        headers: { "x-word": "${ input.word }" },
        body: "${ input.list }",
      },
      effect: "none",
      next: "to_end",
    },
    output: { ok: true },
    deps: (outside) =>
      deps({}, {
        services: { shop: { url: "http://shop.test", timeout_ms: 1_000 } },
        fetch: () => Promise.resolve(outside(Response.json({ ok: true }))),
      }),
  },
  retrieve: {
    node: {
      retrieve: {
        query: "${ input.word }",
        collection: "${ input.word }",
        limit: "${ 3 }",
        filter: { word: "${ input.word }" },
      },
      next: "to_end",
    },
    output: { passages: [], mode: "bm25" },
    deps: (outside) =>
      deps({}, { search: () => Promise.resolve(outside({ results: [], mode: "bm25" as const })) }),
  },
  approval: {
    node: {
      approval: {
        title: "${ input.word }?",
        preview: "${ input.word }",
        payload: "${ input.list }",
        allowed: "${ input.list }",
        expires_seconds: 60,
      },
      on_reject: "to_reject",
      on_expiry: "to_expiry",
      next: "to_end",
    },
    output: { decision: "expired", payload: ["a", "b"], by: [] },
    prepare: (ctx) => void (ctx.onWait = () => ({ timed_out: true })),
  },
  transform: {
    node: { transform: { list: ["${ input.word }"] }, next: "to_end" },
    output: { list: ["tea"] },
  },
  choose: {
    node: {
      choose: [{ when: "${ input.no }", next: "to_no" }, {
        when: "${ input.yes }",
        next: "to_yes",
      }],
      default: "to_default",
    },
    output: { next: "to_yes" },
  },
  wait: {
    node: {
      wait: { signal: "${ input.word }", seconds: "${ 60 }" },
      on_timeout: "to_timeout",
      next: "to_end",
    },
    output: { paid: true },
    prepare: (ctx) => void (ctx.onWait = () => ({ signal: { paid: true } })),
  },
  parallel: {
    node: {
      parallel: { left: graph("${ input.word }"), right: graph("${ input.yes }") },
      tolerated_failures: 1,
      next: "to_end",
    },
    output: { left: "tea", right: true },
  },
  map: {
    node: {
      map: { items: "${ input.list }", as: "letter", concurrency: 2, body: graph("${ letter }") },
      next: "to_end",
    },
    output: ["a", "b"],
  },
  pipeline: {
    node: { pipeline: "${ 'other' }", with: "${ input.word }", next: "to_end" },
    output: "done",
    deps: (outside) => deps({}, { resolvePipeline: () => Promise.resolve(outside("sha256:1")) }),
    prepare: (ctx) =>
      void (ctx.onChild = () => ({ status: "completed", output: "done", usage: NO_USAGE })),
  },
  plan: {
    node: {
      plan: {
        goal: "${ input.word }",
        context: "${ input.list }",
        approve: "${ input.no }",
        max_replans: "${ 1 }",
      },
      next: "to_end",
    },
    output: {
      goal: "tea",
      output: { output: 7 },
      summary: "As planned.",
      rounds: 1,
      steps: { one: 7 },
    },
    definition: async () => ({ agents: (await planDefinition()).agents }),
    deps: (outside) => {
      const plan = { ...planOf(act("one", { give: 7 })), output: "${ steps.one }" };
      return planDeps([plan as unknown as Json], (args) => outside(args.give ?? null));
    },
  },
};
