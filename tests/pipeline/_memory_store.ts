import { systemClock } from "../../pipeline/kernel/mod.ts";
import { openStore, type Store } from "../../store/mod.ts";

/** Runs `fn` with a fresh store in memory. */
export async function withStore(fn: (store: Store) => Promise<void>): Promise<void> {
  const { store, close } = await openStore(":memory:", {
    worker: "w1",
    now: () => Date.now(),
    sleep: () => Promise.resolve(),
    lease_ms: 15_000,
  });
  try {
    await fn(store);
  } finally {
    await close();
    await firstCommitsOver();
  }
}

/**
 * An engine on the real clock gives a run's first commit a millisecond, in a timer that a run which
 * ended sooner leaves behind. Timers end in order: when this one has, so have those of before.
 */
export function firstCommitsOver(): Promise<void> {
  return systemClock.sleep(2);
}
