/**
 * The bodies that clients may send. All objects are strict: an unknown field is an error, so that a
 * misspelt one is noticed and none can set what is not the client's to set.
 *
 * @module
 */
import { z } from "zod";

/** Names of conversations and runs: they become parts of keys, headers and URLs. */
export const ID = /^[A-Za-z0-9_.:-]{1,128}$/;

const id = z.string().regex(ID, "must be 1 to 128 of A–Z a–z 0–9 _ . : -");
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

/** `POST /v1/chat`, and one chat message of the WebSocket. */
export const chatRequest = z.strictObject({
  conversation_id: id.optional(),
  messages: z.array(chatMessage).min(1, "must hold at least one message").optional(),
  prompt: z.string().min(1, "must not be empty").optional(),
  context: object.optional(),
  documents: z.array(chatDocument).optional(),
  pipeline: name.optional(),
  user_id: name.optional(),
  metadata: object.optional(),
  stream: z.boolean().optional(),
}).superRefine((request, check) => {
  const { messages, prompt } = request;
  if ((messages === undefined) === (prompt === undefined)) {
    const message = messages ? "send either messages or prompt, not both" : "missing, as is prompt";
    check.addIssue({ code: "custom", path: ["messages"], message });
  }
  if (messages && messages.length > 0 && messages.at(-1)!.role !== "user") {
    const path = ["messages", messages.length - 1, "role"];
    check.addIssue({ code: "custom", path, message: "the last message must be the user's" });
  }
});

/** A checked chat request. */
export type ChatRequest = z.infer<typeof chatRequest>;

/** `POST /v1/runs`. */
export const runRequest = z.strictObject({
  pipeline: name,
  input: z.unknown().optional(),
  conversation_id: id.optional(),
});

/** `POST /v1/runs/{id}/cancel`. */
export const cancelRequest = z.strictObject({ reason: z.string().max(1000).optional() });

/** The WebSocket's messages that are not a chat request. */
export const controlMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("resume"), run_id: id, after: z.int().min(0).default(0) }),
  z.strictObject({
    type: z.literal("cancel"),
    run_id: id,
    reason: z.string().max(1000).optional(),
  }),
  z.strictObject({ type: z.literal("ping") }),
]);

/** A checked control message. */
export type ControlMessage = z.infer<typeof controlMessage>;
