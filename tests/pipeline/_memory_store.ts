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
  }
}
