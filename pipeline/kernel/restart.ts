/** What a run that repeats another one from a step on keeps of it. @module */
import { OrchestratorError } from "../../errors.ts";
import type { EventBody, JournalEvent } from "./events.ts";
import { identity, isBinding } from "./history.ts";
import type { RestartRequest } from "./runs.ts";

/**
 * Says which of the events that a run's function emitted are kept.
 *
 * @param has whether an event of this type and step was before the step of the restart
 */
export type KeepsEvent = (
  event: EventBody,
  has: (type: EventBody["type"], step: string) => boolean,
) => boolean;

/**
 * The results that were recorded before step `from` began.
 *
 * An answer is for what was shown: a restart that changes the input may not keep one.
 *
 * @throws `validation_failed` when the run has no such step, or when an answer would be kept
 */
export function keptEvents(
  run: string,
  events: JournalEvent[],
  { from, input, with: given }: RestartRequest,
  keeps: KeepsEvent,
): EventBody[] {
  const at = events.findIndex((event) => "step" in event && isWithin(event.step, from));
  if (at < 0) throw unknownStep(run, from, events);
  const before = events.slice(0, at);
  const identities = new Set(before.map(identity));
  const has = (type: EventBody["type"], step: string) => identities.has(`${type} ${step}`);
  const kept = before.filter((event) => {
    switch (event.type) {
      case "step.started":
      case "step.completed":
      case "step.failed":
        return has("step.completed", event.step);
      case "run.tainted":
        return true;
      default:
        return keeps(event, has);
    }
  });
  if (input !== undefined || given !== undefined) refuseAnswers(run, kept);
  return kept.map(toBody);
}

/** Without the envelope, and without the signal that a wait took: it is not in the new journal. */
function toBody({ run_id: _run, seq: _seq, at: _at, ...body }: JournalEvent): EventBody {
  if (body.type !== "step.completed") return body;
  const { signal: _signal, ...rest } = body;
  return rest;
}

function isWithin(step: string, node: string): boolean {
  return step === node || step.startsWith(`${node}/`);
}

function refuseAnswers(run: string, kept: JournalEvent[]): void {
  const answer = kept.find(isBinding);
  if (answer?.type !== "step.completed") return;
  const { step } = answer;
  throw new OrchestratorError(
    "validation_failed",
    `Cannot restart run ${run} with another input: ${step} was approved for the old one. Restart from ${step} or before.`,
    { issues: [{ location: "/from", message: `must be ${step} or a step before it` }] },
  );
}

function unknownStep(run: string, from: string, events: JournalEvent[]): OrchestratorError {
  const steps = [
    ...new Set(events.flatMap((event) => "step" in event ? [event.step.split("/")[0]!] : [])),
  ];
  return new OrchestratorError(
    "validation_failed",
    `Cannot restart run ${run} from ${from}: it has no such step. Its steps are ${
      steps.slice(0, 20).join(", ")
    }.`,
    { issues: [{ location: "/from", message: "must be a step of the run" }] },
  );
}
