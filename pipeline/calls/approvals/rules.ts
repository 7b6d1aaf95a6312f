/** Who may decide what: from an approval and a decision to the approval after it. @module */
import { type Issue, OrchestratorError, sentence } from "../../../errors.ts";
import { schemaIssues } from "../../../json/mod.ts";
import type { Json } from "../../kernel/mod.ts";
import { type Approval, MAX_PAYLOAD_BYTES, payloadHash, viewApproval } from "./record.ts";

/** A decision, as it is requested. */
export interface DecideRequest {
  decision: "approve" | "reject";
  /** At most 2,000 characters. */
  comment?: string;
  /** Replaces the payload, if the approval is editable. */
  payload?: Json;
  /** Of the payload that was looked at: a decision about another one is refused. */
  payload_hash?: string;
}

/** A decision with who made it. */
type Decided = DecideRequest & { by: string };

/**
 * The approval after a decision.
 *
 * @param now milliseconds since the epoch
 * @throws `forbidden`; `conflict` (decided, expired, decided by the same person before, another
 *   payload); `validation_failed` and `payload_too_large` (the edited payload)
 */
export function decided(approval: Approval, request: Decided, now: number): Approval {
  mustBeAllowed(approval, request.by);
  mustBeOpen(approval, request, now);
  const edited = editedPayload(approval, request);
  const { by, decision, comment } = request;
  const at = new Date(now).toISOString();
  const next: Approval = {
    ...approval,
    ...(edited === undefined ? {} : edit(edited, by)),
    decisions: [...approval.decisions, {
      by,
      decision,
      ...(comment ? { comment } : {}),
      at,
      ...(edited === undefined ? {} : { payload: edited }),
    }],
  };
  if (decision === "approve" && next.decisions.length < approval.approvers) return next;
  return { ...next, status: decision === "approve" ? "approved" : "rejected", decided_at: at };
}

/** The preview of a payload that has no better one. */
export function previewOf(payload: Json): string {
  return typeof payload === "string" ? payload : JSON.stringify(payload, null, 2);
}

/** @throws `payload_too_large` */
export function mustFit(payload: Json): void {
  const bytes = new TextEncoder().encode(JSON.stringify(payload)).length;
  if (bytes <= MAX_PAYLOAD_BYTES) return;
  throw new OrchestratorError(
    "payload_too_large",
    `Cannot request approval for a payload of ${bytes} bytes: the limit is ${MAX_PAYLOAD_BYTES}. ` +
      "Pass only the part that the decision is about.",
    { details: { max_bytes: MAX_PAYLOAD_BYTES } },
  );
}

/** The 409 that holds the approval as it is. */
export function conflict(approval: Approval, why: string): OrchestratorError {
  return new OrchestratorError("conflict", `Cannot decide approval ${approval.id}: ${why}`, {
    details: { approval: viewApproval(approval) },
  });
}

function mustBeAllowed({ id, allowed, self_approval, requested_by }: Approval, by: string): void {
  if (allowed && !allowed.includes(by)) {
    throw forbidden(id, `${by} is not an allowed approver. Ask one of ${allowed.join(", ")}.`);
  }
  if (!self_approval && by === requested_by) {
    throw forbidden(id, `${by} started the run and may not approve it. Ask another person.`);
  }
}

function forbidden(id: string, why: string): OrchestratorError {
  return new OrchestratorError("forbidden", `Cannot decide approval ${id}: ${why}`);
}

function mustBeOpen(approval: Approval, request: Decided, now: number): void {
  const { status, expires_at, decisions, payload_hash } = approval;
  if (status !== "pending") {
    throw conflict(approval, `it is already ${status}. See \`details\` for the decisions.`);
  }
  if (expires_at !== undefined && Date.parse(expires_at) <= now) {
    throw conflict(approval, `it expired at ${expires_at}.`);
  }
  if (decisions.some(({ by }) => by === request.by)) {
    throw conflict(approval, `${request.by} has already decided. Another person must decide, too.`);
  }
  if (request.payload_hash !== undefined && request.payload_hash !== payload_hash) {
    throw conflict(
      approval,
      "its payload has changed since you viewed it. Review it again before deciding.",
    );
  }
}

/** The replacement of the payload; nothing if it stays unchanged. */
function editedPayload(approval: Approval, request: DecideRequest): Json | undefined {
  const { payload } = request;
  if (payload === undefined || payloadHash(payload) === approval.payload_hash) return undefined;
  if (request.decision === "reject") throw notEditable("a rejection does not accept a payload");
  if (!approval.editable) {
    throw notEditable("this approval is not editable");
  }
  if (approval.decisions.length > 0) {
    throw conflict(
      approval,
      "another approver has already approved its payload, so it can no longer be edited.",
    );
  }
  mustFit(payload);
  const issues = approval.schema ? schemaIssues(approval.schema, payload) : [];
  if (issues.length > 0) throw invalid(issues.map(below));
  return payload;
}

function below({ location, message }: Issue): Issue {
  return { location: location === "/" ? "/payload" : `/payload${location}`, message };
}

function notEditable(message: string): OrchestratorError {
  return invalid([{ location: "/payload", message }]);
}

function invalid(issues: Issue[]): OrchestratorError {
  const [{ location, message }] = issues as [Issue];
  return new OrchestratorError(
    "validation_failed",
    `Cannot accept the decision: ${location}: ${sentence(message)} ` +
      "Fix the problems listed in `errors` and decide again.",
    { issues },
  );
}

function edit(payload: Json, by: string): Partial<Approval> {
  const preview = `Edited by ${by}:\n${previewOf(payload)}`;
  return { payload, payload_hash: payloadHash(payload), preview };
}
