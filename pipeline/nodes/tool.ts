import * as z from "zod";
import { OrchestratorError } from "../../errors.ts";
import type { Json } from "../../json/mod.ts";
import { compileTemplate, isTemplate } from "../language/mod.ts";
import { type AskPolicy, callTool, describeTool, type ToolCallDeps } from "../calls/mod.ts";
import {
  common,
  compileInput,
  inputTemplate,
  type Limits,
  next,
  nextTarget,
  type NodeKind,
  stepLimits,
  withInput,
} from "./kind.ts";

interface ToolNode extends Limits {
  tool: string;
  with?: unknown;
  ask?: AskPolicy;
  next?: string;
}

/** What tool nodes need. */
export type ToolEnv = ToolCallDeps;

/** `tool: name` calls a tool with the node's input as its arguments. */
export const tool: NodeKind<ToolNode, ToolEnv> = {
  kind: "tool",
  // A tool learns who asks.
  personal: true,
  recorded: "own",
  loosens: ({ ask }) => ask === "never" ? ["ask"] : [],
  schema: z.strictObject({
    tool: z.string().regex(
      /^(?:[a-z][a-z0-9_]{0,63}|[\s\S]*\$\{[\s\S]*)$/,
      "a tool's name consists of a–z, 0–9 and _",
    ).describe(
      "Name of a tool, see GET /v1/tools/list, or an ${ expression } that returns it when the node runs.",
    ),
    ...common,
    ...withInput,
    ask: z.enum(["tainted", "always", "never"]).optional().describe(
      "Whether the call requires approval. tainted (default): if it sends or changes something and the run has read untrusted text.",
    ),
    ...next,
  }),
  templates: (node) => [{ path: ["tool"], value: node.tool }, ...inputTemplate(node)],
  targets: nextTarget,
  references: ({ tool: value }) => isTemplate(value) ? [] : [{ to: "tool", path: ["tool"], value }],
  compile(node, env) {
    const nameOf = compileTemplate(node.tool);
    const evaluate = compileInput(node);
    const options = stepLimits(node);
    return {
      async run(ctx, key, scope) {
        const name = checkName(await nameOf(scope));
        const args = argumentsOf(name, await evaluate(scope) ?? null);
        const tool = await describeTool(ctx, `${key}/tools`, name, env.tools);
        const { ask } = node;
        const request = { tool, args, by: key, options, ...(ask ? { ask } : {}) };
        return await callTool(ctx, key, request, env);
      },
      next: () => node.next,
    };
  },
};

/** What an expression gives may be anything, a pattern of names for instance. */
function checkName(name: Json | undefined): string {
  if (typeof name === "string" && /^[a-z][a-z0-9_]{0,63}$/.test(name)) return name;
  const given = JSON.stringify(name ?? null).slice(0, 100);
  throw new OrchestratorError(
    "tool_unknown",
    `Cannot call a tool: ${given} is not a tool's name. See GET /v1/tools/list.`,
  );
}

function argumentsOf(name: string, value: Json): Record<string, Json> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, Json>;
  }
  throw new OrchestratorError(
    "tool_bad_arguments",
    `Cannot call ${name}: its arguments must be an object. Fix the node's \`with\`.`,
  );
}
