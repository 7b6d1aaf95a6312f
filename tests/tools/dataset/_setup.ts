import type { DatasetDeps } from "../../../tools/dataset/mod.ts";
import { type DataFile, readTable } from "../../../tools/dataset/read.ts";
import type { ToolScope } from "../../../tools/tool.ts";
import { callerOf } from "../../_caller.ts";

/** A table of a text. */
export function tableOf(text: string, name = "data.csv") {
  return readTable(fileOf(text, name), 1_000_000);
}

/** A file of a text. */
export function fileOf(text: string, name = "data.csv", type = ""): DataFile {
  return { name, type, bytes: new TextEncoder().encode(text) };
}

/** Files by `tenant/id`, and what addresses answer. */
export function depsOf(
  files: Record<string, DataFile>,
  answers: Record<string, { status: number; text: string; type?: string }> = {},
): DatasetDeps {
  return {
    max_bytes: 1_000_000,
    artifacts: {
      get: ({ tenant }, id) => Promise.resolve(files[`${tenant}/${id}`] ?? null),
      read: ({ tenant }, id) =>
        files[`${tenant}/${id}`]
          ? Promise.resolve(files[`${tenant}/${id}`]!.bytes)
          : Promise.reject(new Error(`no ${id} of ${tenant}`)),
    },
    egress: {
      request(url) {
        const { status, text, type } = answers[url]!;
        const headers = new Headers({ "content-type": type ?? "text/csv" });
        return Promise.resolve({ url, status, headers, body: new TextEncoder().encode(text) });
      },
    },
  };
}

/** The scope of a call. */
export function scope(tenant = "acme"): ToolScope {
  return {
    caller: callerOf(tenant),
    signal: new AbortController().signal,
    idempotency_key: "k",
    keep: () => Promise.reject(new Error("keeps nothing")),
  };
}

/** Three rows, compressed with Snappy, in Base64. */
const PARQUET =
  "UEFSMRUGFSQVJFwVBhUCFQYVABUEFQAAAAMDEAAABQEk8D8AAAAAAAAAQBUGFSIVJlwVBhUAFQYVABUEFQAAAAMHDz" +
  "gBAAAAYQEAAABiAQAAAGMVBhU0FSxcFQYVABUGFQAVBBUAAAADBxgEAQAJAQACCQcgAAMAAAAAAAAAFQYVJBUoXBUG" +
  "FQIVBhUAFQQVAAAAAwMQPAAEAXybAQAAAGAngZsBAAAVBBlcSARyb290FQgAFQolAhgBbgAVDCUCGAFzJQAAFQQlAh" +
  "gDYmlnABUEJQIYA2RheSUSABYGGRwZTCYIHBUKGRUAGRgBbhUCFgYWThZOJgg8NgIoCAAAAAAAAABAGAgAAAAAAADw" +
  "PzYAABkcFQYVABUCAAAAJlYcFQwZFQAZGAFzFQIWBhZMFlAmVjw2ACgBYxgBYQAZHBUGFQAVAgAAACamARwVBBkVAB" +
  "kYA2JpZxUCFgYWXhZWJqYBPDYAKAgDAAAAAAAAABgIAQAAAAAAAAAAGRwVBhUAFQIAAAAm/AEcFQQZFQAZGANkYXkV" +
  "AhYGFk4WUib8ATw2AigIAGAngZsBAAAYCAAEAXybAQAAABkcFQYVABUCAAAAFsYCFgY2xgIAKAloeXBhcnF1ZXQZTB" +
  "wAABwAABwAABwAAAA+AQAAUEFSMQ==";

/** A file in Parquet with the columns `n`, `s`, `big` and `day`. */
export function parquet(change: (letters: string) => string = (letters) => letters): DataFile {
  const bytes = Uint8Array.from(change(atob(PARQUET)), (letter) => letter.charCodeAt(0));
  return { name: "x", type: "", bytes };
}

/**
 * The same with pages that cannot be read, and a last column that its schema does not have or that
 * is there twice: a reader that begins with the pages leaves a rejection behind.
 */
export function damagedParquet(last: "missing" | "twice"): DataFile {
  return parquet((letters) => {
    const ofNoKnownType = letters.replaceAll("\x15\x06\x15$\x15", "\x15\x02\x15$\x15");
    return last === "missing"
      ? ofNoKnownType.replace("\x19\x18\x03day", "\x19\x18\x03dax")
      : ofNoKnownType.replace("\x19\x18\x03big", "\x19\x18\x03day");
  });
}
