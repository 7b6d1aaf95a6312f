/** What a run of the command line waits for: prompts for decisions, or says how to continue. @module */
import { toOrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { type Approval, isApprovalSignal } from "../pipeline/calls/approvals/mod.ts";
import type { RunRecord } from "../pipeline/kernel/mod.ts";
import { needsSomebody } from "../service/mod.ts";

/** The terminal, as asking needs it. */
export interface AskIo {
  /** Standard error. */
  write(text: string): void;
  /** One line from the terminal, `null` at its end; absent without a terminal. */
  readLine?: () => Promise<string | null>;
}

/**
 * Asks for the decisions that a run waits for.
 *
 * @returns what it still waits for and cannot be answered here; empty if it can continue
 */
export async function askPeople(
  { approvals, engine }: Pick<Orchestrator, "approvals" | "engine">,
  caller: Caller,
  { id }: RunRecord,
  io: AskIo,
): Promise<string[]> {
  const page = await approvals.list(caller, { run_id: id, status: "pending" });
  const left: string[] = [];
  for (const approval of page.approvals) {
    if (!await decide(approval)) left.push(`the approval ${approval.id}: ${approval.title}`);
  }
  return left.length > 0 || page.approvals.length > 0 ? left : await otherReasons();

  async function decide(approval: Approval): Promise<boolean> {
    const answer = await readAnswer(approval, io);
    if (!answer) return false;
    const { payload_hash } = approval;
    try {
      const request = { payload_hash, ...answer };
      return (await approvals.decide(caller, approval.id, request)).status !== "pending";
    } catch (thrown) {
      const error = toOrchestratorError(thrown);
      io.write(`${error.message}\n`);
      if (error.code === "conflict") return true;
      if (error.code === "forbidden") return false;
      throw error;
    }
  }

  /** Signals, the end of a pause, a time that is far away. */
  async function otherReasons(): Promise<string[]> {
    const run = await engine.get(caller, id);
    if (run?.status === "paused") return ["the end of its pause"];
    const now = new Date().toISOString();
    return (run?.status === "waiting" ? run.waiting_for ?? [] : [])
      .filter((one) => needsSomebody(one, now) && !isApprovalSignal(one.signal))
      .map(({ signal, until }) => signal === undefined ? until! : `the signal ${signal}`);
  }
}

interface Answer {
  decision: "approve" | "reject";
  comment?: string;
}

/** Nothing if there is no answer. */
async function readAnswer(approval: Approval, io: AskIo): Promise<Answer | undefined> {
  if (!io.readLine) return undefined;
  io.write(`\n${approval.title}\n\n${approval.preview.trimEnd()}\n\n`);
  for (;;) {
    io.write("Approve? y or n, and a comment if you like: ");
    const line = await io.readLine();
    if (line === null) return undefined;
    const match = /^\s*(y|yes|n|no)(?:[\s,:]+(.*))?$/i.exec(line.trimEnd());
    if (!match) {
      io.write("Please answer y or n.\n");
      continue;
    }
    const comment = match[2]?.trim().slice(0, 2_000);
    const decision = match[1]!.toLowerCase().startsWith("y") ? "approve" : "reject";
    return { decision, ...(comment ? { comment } : {}) };
  }
}
