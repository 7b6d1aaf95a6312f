/**
 * The bodies that clients may send. All objects are strict: an unknown field is an error, so that a
 * misspelt one is noticed and none can set what is not the client's to set.
 *
 * @module
 */
import * as z from "zod";

/** Names of conversations and runs: they become parts of keys, headers and URLs. */
export const ID = /^[A-Za-z0-9_.:-]{1,128}$/;

/** Such a name. */
export const id = z.string().regex(ID, "must be 1 to 128 characters of A–Z a–z 0–9 _ . : -");
const name = z.string().min(1).max(128);
const object = z.record(z.string(), z.unknown());

const chatMessage = z.strictObject({
  role: z.enum(["user", "assistant", "system"]),
  content: z.string().min(1, "must not be empty"),
});

const chatDocument = z.strictObject({
  id: id.optional(),
  title: z.string().max(1000).optional(),
  url: z.url({ protocol: /^https?$/, error: "must be an http or https URL" }).optional(),
  text: z.string().min(1, "must not be empty"),
});

/** How a run is to be treated; see `StartRequest`. */
const control = {
  priority: z.int().min(-100).max(100).optional(),
  budget: z.strictObject({
    tokens: z.int().min(1).optional(),
    cost_usd: z.number().positive().optional(),
    steps: z.int().min(1).optional(),
    seconds: z.number().positive().optional(),
    on_exceeded: z.enum(["fail", "approval"]).optional(),
  }).optional(),
  on_busy: z.enum(["enqueue", "reject", "interrupt"]).optional(),
};

/** Without a conversation there is nothing to be busy with. */
function busyNeedsConversation(
  { on_busy, conversation_id }: { on_busy?: string; conversation_id?: string },
  check: z.RefinementCtx,
): void {
  if (on_busy === undefined || conversation_id !== undefined) return;
  const message = "requires a conversation_id";
  check.addIssue({ code: "custom", path: ["on_busy"], message });
}

/** `POST /v1/chat`, and one chat message of the WebSocket. */
export const chatRequest = z.strictObject({
  conversation_id: id.optional(),
  messages: z.array(chatMessage).min(1, "must have at least one message").optional(),
  prompt: z.string().min(1, "must not be empty").optional(),
  context: object.optional(),
  documents: z.array(chatDocument).optional(),
  pipeline: name.optional(),
  user_id: name.optional(),
  metadata: object.optional(),
  stream: z.boolean().optional(),
  ...control,
}).superRefine((request, check) => {
  busyNeedsConversation(request, check);
  const { messages, prompt } = request;
  if ((messages === undefined) === (prompt === undefined)) {
    const message = messages
      ? "send either messages or prompt, not both"
      : "is required: send messages or prompt";
    check.addIssue({ code: "custom", path: ["messages"], message });
  }
  if (messages && messages.length > 0 && messages.at(-1)!.role !== "user") {
    const path = ["messages", messages.length - 1, "role"];
    check.addIssue({ code: "custom", path, message: "the last message must be the user's" });
  }
});

/** A checked chat request. */
export type ChatRequest = z.infer<typeof chatRequest>;

const run = { input: z.unknown().optional(), conversation_id: id.optional(), ...control };

/** `POST /v1/runs`. */
export const runRequest = z.strictObject({ pipeline: name, ...run })
  .superRefine(busyNeedsConversation);

/** A checked request for a run. */
export type RunRequest = z.infer<typeof runRequest>;

/** `POST /v1/pipelines/{name}/runs`. */
export const pipelineRunRequest = z.strictObject(run).superRefine(busyNeedsConversation);

/** Why a run is stopped. */
export const reason = z.string().max(1000).optional();

/** `POST /v1/runs/{id}/cancel` and `/pause`. */
export const reasonRequest = z.strictObject({ reason });

/** Signals of these names are the server's own: only it knows when they are due. */
const RESERVED = /^(approval|child|budget)\//;

/** `POST /v1/runs/{id}/signal`. */
export const signalRequest = z.strictObject({
  name: name.refine((name) => !RESERVED.test(name), {
    error: "is reserved: names that start with approval/, child/ or budget/ belong to the server",
  }),
  payload: z.unknown().optional(),
});

/** `POST /v1/runs/{id}/restart`. */
export const restartRequest = z.strictObject({
  from: z.string().min(1).max(500),
  input: z.unknown().optional(),
  with: z.unknown().optional(),
});

/** Whatever is decided: about what that was. */
const decision = {
  comment: z.string().max(2000).optional(),
  payload_hash: z.string().regex(
    /^sha256:[0-9a-f]{64}$/,
    "must be sha256: followed by 64 hex digits",
  )
    .optional(),
};

/** `POST /v1/approvals/{id}/decide`. */
export const decideRequest = z.strictObject({
  ...decision,
  decision: z.enum(["approve", "reject"]),
  payload: z.unknown().optional(),
});

/** `POST /workflow/start`. */
export const workflowRequest = z.strictObject({
  user_goal: z.string().trim().min(1, "must not be empty").max(10_000),
  dataset_url: z.string().max(2_000).regex(/^[a-z][a-z0-9+.-]*:\/\/\S+$/, {
    error: "must be an http(s) URL, or artifact://art_… of an uploaded file",
  }),
});

/** `POST /workflow/{id}/approve` and `/reject`. */
export const workflowDecision = z.strictObject({ comment: z.string().max(2_000).optional() });

/** `POST /v1/plans`. */
export const planRequest = z.strictObject({
  goal: z.string().trim().min(1, "must not be empty").max(10_000),
  context: object.optional(),
  approve: z.boolean().optional(),
  max_replans: z.int().min(0).max(10).optional(),
  priority: control.priority,
  budget: control.budget,
});

/** `POST /v1/plans/{id}/approve`. */
export const planApproval = z.strictObject({ ...decision, plan: z.unknown().optional() });

/** `POST /v1/plans/{id}/reject`. */
export const planRejection = z.strictObject(decision);

/** `POST /v1/dead-letters/redrive`. */
export const redriveRequest = z.strictObject({ ids: z.array(id).min(1).max(100) });

/** `POST /v1/tools/{name}/execute`. */
export const toolCallRequest = z.strictObject({ arguments: object.optional() });
