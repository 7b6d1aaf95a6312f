/** Approvals: questions to people that runs wait for. @module */
export {
  type Approval,
  approvalsLeftBy,
  type ApprovalStatus,
  type ApprovalView,
  type Decision,
  isApprovalSignal,
  payloadHash,
  viewApproval,
} from "./record.ts";
export {
  type ApprovalDeps,
  type ApprovalOutcome,
  type ApprovalRequest,
  requestApproval,
} from "./request.ts";
export type { DecideRequest } from "./rules.ts";
export {
  type ApprovalPage,
  type ApprovalQuery,
  type Approvals,
  type ApprovalsDeps,
  createApprovals,
} from "./service.ts";
