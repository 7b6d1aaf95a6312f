/** Tools that a test plays, and what stands beside them in a run. */
import type { Caller } from "../../guard/mod.ts";
import type { Json } from "../../json/value.ts";
import type { ApprovalDeps } from "../../pipeline/calls/approvals/mod.ts";
import type { ToolCallDeps, Tools } from "../../pipeline/calls/tool_call.ts";
import type { ToolInfo, ToolScope } from "../../tools/tool.ts";

/** A tool that takes `{q}`, for tests that do not care which. */
export function toolInfo(name: string, fields: Partial<ToolInfo> = {}): ToolInfo {
  return {
    name,
    description: `Tool ${name}`,
    input: { type: "object", properties: { q: { type: "string" } } },
    source: "built_in",
    capability: "read",
    effect: "none",
    timeout_ms: 1_000,
    untrusted: false,
    ...fields,
  };
}

/** Every name is a tool, but `gone`. */
export class FakeTools implements Tools {
  readonly calls: [name: string, args: Json, key: string][] = [];

  constructor(
    private readonly handle: (args: Json, scope: ToolScope, name: string) => Promise<Json>,
    private readonly info: (name: string) => Partial<ToolInfo> = () => ({}),
  ) {}

  describe(_caller: Caller, names: readonly string[]): Promise<ToolInfo[]> {
    const known = names.filter((name) => name !== "gone");
    return Promise.resolve(known.map((name) => toolInfo(name, this.info(name))));
  }

  call(name: string, args: Json, scope: ToolScope): Promise<Json> {
    this.calls.push([name, args, scope.idempotency_key]);
    return this.handle(args, scope, name);
  }
}

/** No tool, nobody to ask, no file to keep. */
export const NO_TOOLS: ToolCallDeps = {
  tools: {
    describe: () => Promise.resolve([]),
    call: () => Promise.reject(new Error("there is no tool here")),
  },
  approvals: nobody(),
  keep: () => Promise.reject(new Error("no file is kept here")),
};

function nobody(): ApprovalDeps {
  const store: ApprovalDeps["store"] = {
    get: () => Promise.resolve(null),
    tryGet: () => Promise.resolve(null),
    keys: async function* () {},
    commit: () => Promise.resolve("1"),
  };
  let ids = 0;
  return { store, now: () => 0, newId: () => `${++ids}` };
}
