import * as z from "zod";
import { OrchestratorError } from "../../errors.ts";
import type { JsonSchema } from "../../llm/mod.ts";
import {
  type ApprovalDeps,
  type ApprovalOutcome,
  type ApprovalRequest,
  requestApproval,
} from "../calls/approvals/mod.ts";
import { compileTemplate, type Evaluate, type Scope } from "../language/mod.ts";
import { schemaProblems } from "../../json/mod.ts";
import type { Json } from "../kernel/mod.ts";
import { common, next, type NodeKind, type Placed } from "./kind.ts";

interface ApprovalNode {
  approval: {
    title: string;
    preview?: string;
    payload?: unknown;
    schema?: JsonSchema;
    editable?: boolean;
    approvers?: number;
    allowed?: string | string[];
    self_approval?: boolean;
    expires_seconds?: number;
  };
  on_reject?: string;
  on_expiry?: string;
  next?: string;
}

/** What approval nodes need. */
export interface ApprovalEnv {
  /** Without it no approval can be asked for. */
  approvals?: ApprovalDeps;
}

const TEMPLATES = ["title", "preview", "payload", "allowed"] as const;

const schema = z.record(z.string(), z.unknown()).superRefine((given, check) => {
  for (const { path, message } of schemaProblems(given, [])) {
    check.addIssue({ code: "custom", path: [...path], message });
  }
});

/** What was decided once is not decided for another run. */
const { cache: _cache, ...policies } = common;

/** `approval:` asks people and goes where they say. */
export const approval: NodeKind<ApprovalNode, ApprovalEnv> = {
  kind: "approval",
  personal: true,
  recorded: { outputOf: (outcome) => outcome },
  loosens: false,
  schema: z.strictObject({
    approval: z.strictObject({
      title: z.string().min(1).describe("What is to be decided, in a few words."),
      preview: z.string().optional()
        .describe("The payload in readable form. Default: as JSON."),
      payload: z.unknown().optional().describe(
        "What is to be approved: any value with ${ expressions }. Default: null.",
      ),
      schema: schema.optional().describe("JSON Schema of an edited payload."),
      editable: z.boolean().optional()
        .describe("Whether an approver may change the payload. Default false."),
      approvers: z.int().min(1).max(20).optional()
        .describe("How many different people must approve; one rejection is enough. Default 1."),
      allowed: z.union([z.string().regex(/\$\{/), z.array(z.string()).min(1)]).optional()
        .describe("Who may decide. Default: anyone."),
      self_approval: z.boolean().optional()
        .describe("Whether the person who started the run may decide. Default true."),
      expires_seconds: z.number().positive().max(86_400 * 365).optional()
        .describe("How long the approval stays open. Default: no limit."),
    }),
    on_reject: z.string().optional()
      .describe("The next node after a rejection. Without it, the run fails."),
    on_expiry: z.string().optional()
      .describe("The next node after the approval has expired. Without it, the run fails."),
    ...policies,
    ...next,
  }),
  templates: ({ approval }) =>
    TEMPLATES.filter((name) => approval[name] !== undefined)
      .map((name) => ({ path: ["approval", name], value: approval[name] })),
  targets: (node) =>
    (["on_reject", "on_expiry", "next"] as const).flatMap((edge): Placed<string>[] => {
      const value = node[edge];
      return value === undefined ? [] : [{ path: [edge], value }];
    }),
  compile(node, { approvals }) {
    if (!approvals) {
      throw new OrchestratorError(
        "pipeline_invalid",
        "Cannot request approvals: no approval service is configured.",
      );
    }
    const prepare = compileRequest(node);
    const edges = { approved: node.next, rejected: node.on_reject, expired: node.on_expiry };
    return {
      async run(ctx, key, scope) {
        const outcome = await requestApproval(ctx, key, await prepare(key, scope), approvals);
        if (outcome.decision !== "approved" && edges[outcome.decision] === undefined) {
          throw refused(key, outcome);
        }
        return outcome;
      },
      next: (output) => edges[(output as ApprovalOutcome).decision],
    };
  },
};

function compileRequest({ approval }: ApprovalNode) {
  const { title: _title, preview: _preview, payload, allowed: _allowed, ...fixed } = approval;
  const compiled = Object.fromEntries(
    TEMPLATES.map((name) => [name, compileTemplate((approval[name] ?? null) as Json)]),
  ) as Record<typeof TEMPLATES[number], Evaluate>;
  return async (key: string, scope: Scope): Promise<ApprovalRequest> => ({
    ...fixed,
    title: text(await compiled.title(scope)),
    ...(approval.preview === undefined ? {} : { preview: text(await compiled.preview(scope)) }),
    payload: payload === undefined ? null : await compiled.payload(scope) ?? null,
    ...(approval.allowed === undefined
      ? {}
      : { allowed: people(key, await compiled.allowed(scope)) }),
  });
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

/** @throws `expression_failed`: an approval that no one may decide, or anyone by mistake */
function people(key: string, value: Json | undefined): string[] {
  const names = typeof value === "string" ? [value] : value;
  const given = Array.isArray(names) && names.length > 0 &&
    names.every((name) => typeof name === "string" && name !== "");
  if (given) return names as string[];
  throw new OrchestratorError(
    "expression_failed",
    `Cannot request approval at ${key}: \`allowed\` is ${
      JSON.stringify(value ?? null)
    } instead of names. Fix its expression.`,
  );
}

function refused(key: string, { decision, by, comment }: ApprovalOutcome): OrchestratorError {
  const details = { by, ...(comment ? { comment } : {}) };
  if (decision === "expired") {
    return new OrchestratorError(
      "approval_expired",
      `Cannot continue after ${key}: the approval expired. Add on_expiry, or allow more time.`,
    );
  }
  const why = comment ? `: ${comment}` : ".";
  return new OrchestratorError(
    "approval_rejected",
    `Cannot continue after ${key}: ${
      by.join(", ")
    } rejected it${why} Add on_reject to handle rejections.`,
    { details },
  );
}
