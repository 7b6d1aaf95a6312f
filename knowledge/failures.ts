/** What can go wrong with documents, in words. @module */
import { OrchestratorError, sentence } from "../errors.ts";

/** For an id that no document has. */
export function unknownDocument(id: string): OrchestratorError {
  return new OrchestratorError(
    "not_found",
    `No document has the ID ${id}. GET /v1/documents lists them.`,
  );
}

/** For a document over the limit. */
export function tooLarge(max_bytes: number): OrchestratorError {
  return new OrchestratorError(
    "payload_too_large",
    `Cannot add the document: it is larger than ${max_bytes} bytes. Split it, or raise ` +
      "MAX_DOCUMENT_BYTES.",
    { details: { max_bytes } },
  );
}

/** For a document without text. */
export function empty(): OrchestratorError {
  return new OrchestratorError(
    "document_unreadable",
    "Cannot add the document: it contains no text. Scanned pages need text recognition first.",
  );
}

/** For a page of a list that begins after a document that is gone. */
export function lostCursor(): OrchestratorError {
  return new OrchestratorError(
    "invalid_request",
    "Cannot read ?cursor: its document no longer exists. Restart the list.",
    { issues: [{ location: "?cursor", message: "names a document that no longer exists" }] },
  );
}

/** For a collection without documents; `names` are those that have some. */
export function unknownCollection(collection: string, names: string[]): OrchestratorError {
  const known = names.length > 0
    ? `existing collections: ${names.join(", ")}`
    : "there are no collections yet";
  return new OrchestratorError(
    "not_found",
    `Collection ${collection} does not exist; ${known}. Upload a document to it first.`,
  );
}

/** For vectors without a model. */
export function noModel(): OrchestratorError {
  return new OrchestratorError(
    "conflict",
    "Cannot create vectors: no embedding model is configured. Set EMBEDDING_MODEL.",
  );
}

/** For a document whose vectors could not be made. */
export function notEmbedded(
  id: string,
  { code, message }: { code: string; message: string },
): OrchestratorError {
  return new OrchestratorError(
    "model_unavailable",
    `Cannot embed document ${id}: ${sentence(message)}`,
    { kind: "retryable", details: { reason: code } },
  );
}
