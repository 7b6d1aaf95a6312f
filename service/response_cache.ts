/** Chat turns that are answered without a run. @module */
import { questionText } from "../pipeline/recall/mod.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { NO_USAGE } from "../telemetry/mod.ts";
import type { Prepared, ServiceDeps } from "./ports.ts";
import type { Caller } from "../guard/mod.ts";
import type { ChatResponse } from "./response.ts";
import type { ChatRequest } from "./requests.ts";
import { askedTurn, type Turn } from "./turn.ts";

/** What a look-up comes to. */
export interface LookUp {
  /** How the pipeline is started, which was found out on the way. */
  prepared: Prepared;
  /** The answer, when there is one. */
  response?: ChatResponse;
  /** Keeps the answer to come, when it may be kept. */
  keep?(turn: Turn, response: ChatResponse): Promise<void>;
}

/** Looks for the response of a request. @throws as the pipeline's preparation */
export async function lookUp(
  { catalog, responses, newId }: ServiceDeps,
  caller: Caller,
  request: ChatRequest,
): Promise<LookUp> {
  const { pipeline, input } = askedTurn(request);
  const prepared = await catalog.prepare(caller, pipeline, input);
  const { version, cache_seconds } = prepared;
  const ttl = responses.ttl(cache_seconds);
  if (ttl <= 0) return { prepared };
  const { conversation_id, user_id } = request;
  const question = { pipeline, version, input, conversation_id, user_id };
  const hash = await responses.hash(caller, question);
  const found = await responses.get(caller, hash) as ChatResponse | undefined;
  if (!found) {
    return {
      prepared,
      async keep({ run }, response) {
        await responses.keep(caller, run.id, hash, response as unknown as Json, ttl);
      },
    };
  }
  const conversation = conversation_id ?? `conv_${newId()}`;
  await responses.remember(caller, {
    conversation_id: conversation,
    user_id,
    user: questionText(input),
    assistant: found.message?.content ?? "",
    answered_by: found.run_id,
  });
  const metadata = { ...found.metadata, cache: "hit" };
  return {
    prepared,
    response: { ...found, conversation_id: conversation, usage: NO_USAGE, metadata },
  };
}
