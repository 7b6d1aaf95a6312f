/** How a server handles the signals of the operating system. @module */

/** The signals that a server listens to; Windows has no SIGHUP. */
export const SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGTERM", "SIGINT"]
  : ["SIGTERM", "SIGINT", "SIGHUP"];

/** Milliseconds in which a signal is the one before: a launcher passes on what the terminal sent. */
const ECHO_MS = 500;

/** What a server does about signals. */
export interface SignalActions {
  /** Lets running work reach a safe point, then ends. */
  stop(): void;
  /** Ends without that. */
  stopNow(): void;
  /** Reads the definitions again. */
  reload(): void;
  /** Whether the standard input is a terminal now. */
  isTerminal(): boolean;
  /** A clock, in milliseconds. */
  now(): number;
}

/**
 * Says what each signal does: SIGTERM and SIGINT stop, the second of them at once; SIGHUP reloads, or
 * stops where it means that the terminal was closed.
 */
export function createSignals(actions: SignalActions): (signal: Deno.Signal) => void {
  const terminal = actions.isTerminal();
  let stopped_at: number | undefined;
  const stop = () => {
    stopped_at = actions.now();
    actions.stop();
  };
  return (signal) => {
    if (signal === "SIGHUP") {
      if (stopped_at !== undefined) return;
      return terminal && !actions.isTerminal() ? stop() : actions.reload();
    }
    if (stopped_at === undefined) return stop();
    if (actions.now() - stopped_at >= ECHO_MS) actions.stopNow();
  };
}
