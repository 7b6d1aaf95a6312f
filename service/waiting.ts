/** When a run cannot continue before a person acts. @module */
import type {} from "../pipeline/calls/mod.ts"; // its events
import { isChildSignal, type RunEvent, type WaitingFor } from "../pipeline/kernel/mod.ts";

/** Timers that are over sooner, in milliseconds, are waited for. */
const PATIENCE_MS = 60_000;

/**
 * Looks at a run's events and calls `onWaiting` whenever the run comes to wait for an approval, a
 * signal, the end of a pause or a time that is more than a minute away. Runs within it and pauses
 * between attempts do not count: they end by themselves.
 */
export function watchWaiting(onWaiting: () => void): (event: RunEvent) => void {
  const asked = new Set<string>();
  let waits = false;
  return (event) => {
    switch (event.type) {
      case "approval.requested":
        asked.add(event.approval);
        if (waits) onWaiting();
        return;
      case "approval.decided":
        return void asked.delete(event.approval);
      case "run.resumed":
        return void (waits = false);
      case "run.waiting":
        waits = true;
        if (asked.size > 0 || event.for.some((one) => needsSomebody(one, event.at))) onWaiting();
        return;
      case "run.paused":
        return onWaiting();
    }
  };
}

/** True unless it ends by itself soon after `at`, RFC 3339. */
export function needsSomebody({ signal, until }: WaitingFor, at: string): boolean {
  if (signal !== undefined) return !isChildSignal(signal);
  return until !== undefined && Date.parse(until) - Date.parse(at) > PATIENCE_MS;
}
