/** The messages that clients may send on the chat WebSocket. @module */
import * as z from "zod";
import { id, reason } from "../service/mod.ts";

/** What all messages of the WebSocket have: the client's name for it, and what it is. */
export const envelope = z.looseObject({
  id: id.optional(),
  type: z.enum(["chat", "resume", "cancel", "ping"], {
    error: "must be chat, resume, cancel or ping",
  }).default("chat"),
});

/** The WebSocket's messages that are not a chat request. */
export const controlMessage = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("resume"), run_id: id, after: z.int().min(0).default(0) }),
  z.strictObject({
    type: z.literal("cancel"),
    run_id: id,
    reason,
  }),
  z.strictObject({ type: z.literal("ping") }),
]);

/** A checked control message. */
export type ControlMessage = z.infer<typeof controlMessage>;
