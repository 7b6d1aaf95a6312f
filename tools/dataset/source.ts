/** Where data sets come from: uploads, files of runs, addresses outside. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Caller, Egress } from "../../guard/mod.ts";
import { type DataFile, readTable } from "./read.ts";
import { type Table, unreadable } from "./table.ts";

/** What loading data sets needs. */
export interface DatasetDeps {
  egress: Pick<Egress, "request">;
  /** Files by id; see `store/artifacts.ts`. */
  artifacts: {
    get(caller: Caller, id: string): Promise<{ name: string; type: string } | null>;
    read(caller: Caller, id: string): Promise<Uint8Array>;
  };
  /** Of a file, also after decompression. */
  max_bytes: number;
}

const TIMEOUT_MS = 60_000;

/**
 * Loads a data set.
 *
 * @param source `art_…`, `artifact://art_…`, or an http(s) address
 * @throws `dataset_invalid`, `not_found`, and what the egress guard throws
 */
export async function loadTable(
  source: string,
  scope: { caller: Caller; signal: AbortSignal },
  deps: DatasetDeps,
): Promise<Table> {
  const id = /^(?:artifact:\/\/)?(art_[0-9a-z]+)$/.exec(source)?.[1];
  const file = id === undefined
    ? await download(source, scope.signal, deps)
    : await stored(id, scope.caller, deps);
  return await readTable(file, deps.max_bytes);
}

async function stored(id: string, caller: Caller, { artifacts }: DatasetDeps): Promise<DataFile> {
  const record = await artifacts.get(caller, id);
  const bytes = await artifacts.read(caller, id);
  return { name: record?.name ?? "", type: record?.type ?? "", bytes };
}

async function download(
  address: string,
  signal: AbortSignal,
  { egress, max_bytes }: DatasetDeps,
): Promise<DataFile> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw unreadable(
      `${JSON.stringify(address.slice(0, 200))} is neither artifact://art_… nor an http(s) address`,
    );
  }
  const answer = await egress.request(address, { signal, max_bytes, timeout_ms: TIMEOUT_MS });
  if (answer.status !== 200) throw refused(url.host, answer.status);
  return {
    name: new URL(answer.url).pathname,
    type: answer.headers.get("content-type") ?? "",
    bytes: answer.body,
  };
}

function refused(host: string, status: number): OrchestratorError {
  const kind = status >= 500 || status === 429 ? "retryable" : "terminal";
  return new OrchestratorError(
    "egress_failed",
    `Cannot load the data set: ${host} answered ${status}. Check the address, or upload the file with POST /v1/artifacts.`,
    { kind, details: { status } },
  );
}
