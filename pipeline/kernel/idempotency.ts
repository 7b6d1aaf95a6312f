/** Requests that are sent again: one key makes one run. @module */
import { OrchestratorError } from "../../errors.ts";
import { type Commit, keys, setJson, type Store, type Versioned } from "../../store/mod.ts";
import { isChildSignal } from "./child.ts";
import type { Reader } from "./reader.ts";
import type { RunRecord, StartedRun, StartRequest } from "./runs.ts";

/** From the `Idempotency-Key` header. */
export type IdempotencyKey = NonNullable<StartRequest["idempotency"]>;

/** Which run a request made. */
export interface IdempotencyRecord {
  fingerprint: string;
  run: string;
  expires_at: number;
}

/** The record of a key, read before a run is made. */
export interface Claim {
  tenant: string;
  asked: IdempotencyKey;
  /** An expired record, to be replaced. */
  known: Versioned<IdempotencyRecord> | null;
}

/** What looking up a key needs. */
export interface IdempotencyDeps {
  store: Store;
  reader: Reader;
  now: () => number;
}

/**
 * Looks up a key.
 *
 * @returns the run that an earlier request made, or what the commit of a new one has to claim
 * @throws `idempotency_mismatch`, `idempotency_in_flight`
 */
export async function lookUp(
  deps: IdempotencyDeps,
  tenant: string,
  asked: IdempotencyKey,
): Promise<StartedRun | Claim> {
  const known = await deps.store.get<IdempotencyRecord>(keys.idempotency(tenant, asked.key));
  if (!known || known.value.expires_at <= deps.now()) return { tenant, asked, known };
  return await replay(deps.reader, tenant, asked, known.value);
}

/** Joins a claim to the commit that makes a run. Refused when another request was faster. */
export function claim({ tenant, asked, known }: Claim, run: string, expires_at: number): Commit {
  const key = keys.idempotency(tenant, asked.key);
  const record: IdempotencyRecord = { fingerprint: asked.fingerprint, run, expires_at };
  return {
    checks: [{ key, versionstamp: known?.versionstamp ?? null }],
    mutations: [setJson(key, record)],
  };
}

async function replay(
  reader: Reader,
  tenant: string,
  asked: IdempotencyKey,
  known: IdempotencyRecord,
): Promise<StartedRun> {
  if (known.fingerprint !== asked.fingerprint) {
    throw new OrchestratorError(
      "idempotency_mismatch",
      "This Idempotency-Key was already used for a different request. Use a new key for a new request.",
    );
  }
  const run = await reader.mustRun(tenant, known.run);
  const result = await reader.result(tenant, known.run);
  if (result) return { run, replayed: true, result: Promise.resolve(result) };
  throw new OrchestratorError(
    "idempotency_in_flight",
    `The first request with this Idempotency-Key is still in progress as run ${run.id}. Ask again later.`,
    { kind: "retryable", retry_after_ms: patience(run), details: { run_id: run.id } },
  );
}

/** When to ask again, in milliseconds: a run that waits for a person or a service takes its time. */
function patience({ status, waiting_for = [] }: RunRecord): number {
  const asks = waiting_for.some(({ signal }) => signal !== undefined && !isChildSignal(signal));
  return status === "paused" || asks ? 30_000 : 1_000;
}
