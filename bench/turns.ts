/** Streamed chat turns and what their stamps tell. @module */
import { percentile, type PoolResult, runPool } from "./driver.ts";
import type { Say } from "./service.ts";
import { createStampReader, now, readMessageMark } from "./stamp.ts";

/** A caller opens a new conversation after so many turns. */
const TURNS_PER_CONVERSATION = 10;

/** How turns went. */
export interface TurnsResult extends PoolResult {
  /** Time to the first streamed chunk. */
  ttft_p50_ms: number | null;
  ttft_p99_ms: number | null;
  /** From a chunk's leaving the mock to its arrival here. */
  lag_p50_ms: number | null;
  lag_p99_ms: number | null;
}

interface Conversation {
  say: Say;
  turn: number;
}

/** Lets `callers` callers make `count` turns in conversations of ten. */
export async function runTurns(
  count: number,
  callers: number,
  open: () => Say,
): Promise<TurnsResult> {
  const firsts: number[] = [];
  const lags: number[] = [];
  const conversations: Conversation[] = [];
  const pool = await runPool(count, callers, async (_, caller) => {
    let conversation = conversations[caller];
    if (!conversation || conversation.turn === TURNS_PER_CONVERSATION) {
      conversation = conversations[caller] = { say: open(), turn: 0 };
    }
    const { first_ms, lags_ms } = await takeTurn(conversation);
    firsts.push(first_ms);
    for (const lag of lags_ms) lags.push(lag);
  });
  return {
    ...pool,
    ttft_p50_ms: percentile(firsts, 0.5),
    ttft_p99_ms: percentile(firsts, 0.99),
    lag_p50_ms: percentile(lags, 0.5),
    lag_p99_ms: percentile(lags, 0.99),
  };
}

/** @throws Error when nothing was streamed, or the model was not given the conversation so far */
async function takeTurn(conversation: Conversation): Promise<{
  first_ms: number;
  lags_ms: number[];
}> {
  const { say, turn } = conversation;
  const began = now();
  const readStamps = createStampReader();
  const lags: number[] = [];
  let first: number | undefined;
  const answer = await say(`Turn ${turn}: hello.`, (piece) => {
    const arrived = now();
    const sent = readStamps(piece);
    if (sent.length > 0) first ??= arrived - began;
    for (const at of sent) lags.push(arrived - at);
  });
  conversation.turn++;
  if (first === undefined) throw new Error("nothing was streamed");
  const messages = readMessageMark(answer);
  // Each earlier turn left a question and an answer; a system message may come on top.
  if (messages < 2 * turn + 1) {
    throw new Error(`turn ${turn} reached the model with ${messages} messages`);
  }
  return { first_ms: first, lags_ms: lags };
}
