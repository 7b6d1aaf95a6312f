/**
 * The key map: every key of the store is made here and nowhere else. What belongs to a tenant has
 * the tenant as its second part.
 *
 * | key | value |
 * |---|---|
 * | `meta, schema` | version of this map |
 * | `meta, time` | the latest time that the store had seen when its last worker left |
 * | `lease, worker` | who works: the fence of every commit (`committer.ts`) |
 * | `live, tenant, run` | header of a run that has not ended, and which worker advances it |
 * | `run, tenant, run` | header of a run that has ended |
 * | `journal, tenant, run, seq` | events committed together, the first one's sequence number in the key |
 * | `waiting, tenant, run` | header of a run that waits or is paused: no worker advances it |
 * | `timer, at, tenant, run` | when a waiting run resumes by itself, in milliseconds since the epoch |
 * | `inbox, tenant, run, message` | what others want of a run: cancel, pause, signals |
 * | `slot, tenant, key, n` | which run holds a slot of this concurrency key |
 * | `turn, tenant, key, run` | a run that waits for such a slot |
 * | `approval, tenant, approval` | an approval, pending or decided |
 * | `approval_pending, tenant, approval` | index of those that are pending |
 * | `approval_of, tenant, run, approval` | index by the run that asks and the runs around it |
 * | `cache, tenant, hash` | a node's cached output |
 * | `ended, tenant, status, run` | index of the runs that failed or were cancelled |
 * | `idempotency, tenant, key` | which run a request made |
 * | `definition, version` | what a run executes, by content hash |
 * | `conversation, tenant, conversation, run` | one exchange |
 * | `conversation_at, tenant, run, conversation` | index by the latest turn; an older one is void |
 * | `summary, tenant, conversation` | what is remembered of the exchanges before the window |
 * | `memory, tenant, user, fact` | something known of a user |
 * | `memory_of, tenant, fact` | of which user it is |
 * | `pipeline, tenant, name` | the current version of a pipeline put over the API |
 * | `pipeline_version, tenant, name, number` | each of its versions |
 * | `pipeline_change, tenant` | written with each change of one, so that others notice |
 * | `schedule, tenant, name, index` | the last tick of a schedule that was handled |
 * | `tool, tenant, name` | a tool that was registered, disabled or failed |
 * | `artifact, tenant, artifact` | what is known of a file |
 * | `artifact_of, tenant, run, artifact` | index by the run that made it |
 * | `artifact_upload, tenant, artifact` | index of those that were uploaded |
 * | `artifact_bytes, tenant, artifact` | the bytes of a file |
 * | `mcp_pin, server, tool` | what an MCP server said about a tool when it was first seen, as a hash |
 * | `mcp_accepted, tenant, server, tool` | what a tenant accepted instead of that |
 * | `removing, tenant, run` | a run that was removed and has not been cleared away completely |
 * | `document, tenant, collection, document` | what is known of a document; it exists exactly while this does |
 * | `document_of, tenant, document` | in which collection it is |
 * | `document_key, tenant, collection, kind, value` | index by the hash of its bytes and by its address |
 * | `passage, tenant, collection, document, n` | its passages |
 * | `vector, tenant, collection, document, n` | their vectors, 32-bit floats |
 * | `collection, tenant, collection` | how many documents and passages it has; written with each change |
 * | `unfinished, tenant, document` | a document that is being written or removed, and by whom |
 * | `blob, scope, blob, n` | pieces of a large value; `scope` is the second part of its key |
 * | `blob_of, scope, blob` | whose value a blob is, and who writes it (`blobs.ts`) |
 *
 * @module
 */
import type { Key } from "./kv.ts";

/** Version of the key map and of the values' shapes. A newer one is refused. */
export const SCHEMA_VERSION = 2;

/** Makes every key. */
export const keys = {
  schema: (): Key => ["meta", "schema"],
  time: (): Key => ["meta", "time"],
  lease: (worker: string): Key => ["lease", worker],
  leases: (): Key => ["lease"],
  run: (tenant: string, id: string): Key => ["run", tenant, id],
  runs: (tenant: string): Key => ["run", tenant],
  allRuns: (): Key => ["run"],
  journal: (tenant: string, id: string): Key => ["journal", tenant, id],
  events: (tenant: string, id: string, seq: number): Key => ["journal", tenant, id, seq],
  live: (tenant: string, id: string): Key => ["live", tenant, id],
  lives: (): Key => ["live"],
  livesOf: (tenant: string): Key => ["live", tenant],
  waiting: (tenant: string, id: string): Key => ["waiting", tenant, id],
  waitings: (): Key => ["waiting"],
  waitingOf: (tenant: string): Key => ["waiting", tenant],
  timer: (at: number, tenant: string, id: string): Key => ["timer", at, tenant, id],
  timers: (): Key => ["timer"],
  slot: (tenant: string, key: string, n: number): Key => ["slot", tenant, key, n],
  slots: (): Key => ["slot"],
  slotsOf: (tenant: string, key: string): Key => ["slot", tenant, key],
  turn: (tenant: string, key: string, id: string): Key => ["turn", tenant, key, id],
  turnsOf: (tenant: string, key: string): Key => ["turn", tenant, key],
  approval: (tenant: string, id: string): Key => ["approval", tenant, id],
  approvals: (tenant: string): Key => ["approval", tenant],
  pendingApproval: (tenant: string, id: string): Key => ["approval_pending", tenant, id],
  pendingApprovals: (tenant: string): Key => ["approval_pending", tenant],
  approvalOf: (tenant: string, run: string, id: string): Key => ["approval_of", tenant, run, id],
  approvalsOf: (tenant: string, run: string): Key => ["approval_of", tenant, run],
  cache: (tenant: string, hash: string): Key => ["cache", tenant, hash],
  caches: (): Key => ["cache"],
  cachesOf: (tenant: string): Key => ["cache", tenant],
  inbox: (tenant: string, id: string): Key => ["inbox", tenant, id],
  inboxes: (): Key => ["inbox"],
  message: (tenant: string, id: string, message: string): Key => ["inbox", tenant, id, message],
  ended: (tenant: string, status: string, id: string): Key => ["ended", tenant, status, id],
  endedWith: (tenant: string, status: string): Key => ["ended", tenant, status],
  idempotency: (tenant: string, key: string): Key => ["idempotency", tenant, key],
  idempotencies: (): Key => ["idempotency"],
  conversation: (tenant: string, id: string): Key => ["conversation", tenant, id],
  exchange: (tenant: string, id: string, run: string): Key => ["conversation", tenant, id, run],
  conversations: (tenant: string): Key => ["conversation", tenant],
  conversationAt: (tenant: string, run: string, id: string): Key => [
    "conversation_at",
    tenant,
    run,
    id,
  ],
  conversationsAt: (tenant: string): Key => ["conversation_at", tenant],
  summary: (tenant: string, id: string): Key => ["summary", tenant, id],
  summaries: (tenant: string): Key => ["summary", tenant],
  memory: (tenant: string, user: string, id: string): Key => ["memory", tenant, user, id],
  memoriesOf: (tenant: string, user: string): Key => ["memory", tenant, user],
  memories: (tenant: string): Key => ["memory", tenant],
  memoryOf: (tenant: string, id: string): Key => ["memory_of", tenant, id],
  memoryOwners: (tenant: string): Key => ["memory_of", tenant],
  definition: (version: string): Key => ["definition", version],
  pipeline: (tenant: string, name: string): Key => ["pipeline", tenant, name],
  pipelines: (tenant: string): Key => ["pipeline", tenant],
  pipelineChange: (tenant: string): Key => ["pipeline_change", tenant],
  pipelineChanges: (): Key => ["pipeline_change"],
  pipelineVersion: (tenant: string, name: string, number: number): Key => [
    "pipeline_version",
    tenant,
    name,
    number,
  ],
  pipelineVersions: (tenant: string, name: string): Key => ["pipeline_version", tenant, name],
  schedule: (tenant: string, name: string, index: number): Key => ["schedule", tenant, name, index],
  schedules: (tenant: string): Key => ["schedule", tenant],
  tool: (tenant: string, name: string): Key => ["tool", tenant, name],
  tools: (tenant: string): Key => ["tool", tenant],
  artifact: (tenant: string, id: string): Key => ["artifact", tenant, id],
  artifactOf: (tenant: string, run: string, id: string): Key => ["artifact_of", tenant, run, id],
  artifactsOf: (tenant: string, run: string): Key => ["artifact_of", tenant, run],
  upload: (tenant: string, id: string): Key => ["artifact_upload", tenant, id],
  uploads: (): Key => ["artifact_upload"],
  artifactBytes: (tenant: string, id: string): Key => ["artifact_bytes", tenant, id],
  mcpPin: (server: string, tool: string): Key => ["mcp_pin", server, tool],
  mcpPins: (server: string): Key => ["mcp_pin", server],
  mcpAccepted: (tenant: string, server: string, tool: string): Key => [
    "mcp_accepted",
    tenant,
    server,
    tool,
  ],
  mcpAcceptedOf: (tenant: string, server: string): Key => ["mcp_accepted", tenant, server],
  removing: (tenant: string, id: string): Key => ["removing", tenant, id],
  removings: (): Key => ["removing"],
  document: (tenant: string, collection: string, id: string): Key => [
    "document",
    tenant,
    collection,
    id,
  ],
  documents: (tenant: string): Key => ["document", tenant],
  documentsIn: (tenant: string, collection: string): Key => ["document", tenant, collection],
  documentOf: (tenant: string, id: string): Key => ["document_of", tenant, id],
  documentKey: (tenant: string, collection: string, kind: "hash" | "url", value: string): Key => [
    "document_key",
    tenant,
    collection,
    kind,
    value,
  ],
  documentKeysIn: (tenant: string, collection: string): Key => ["document_key", tenant, collection],
  passage: (tenant: string, collection: string, id: string, n: number): Key => [
    "passage",
    tenant,
    collection,
    id,
    n,
  ],
  passagesIn: (tenant: string, collection: string): Key => ["passage", tenant, collection],
  passagesOf: (tenant: string, collection: string, id: string): Key => [
    "passage",
    tenant,
    collection,
    id,
  ],
  vector: (tenant: string, collection: string, id: string, n: number): Key => [
    "vector",
    tenant,
    collection,
    id,
    n,
  ],
  vectorsOf: (tenant: string, collection: string, id: string): Key => [
    "vector",
    tenant,
    collection,
    id,
  ],
  collection: (tenant: string, name: string): Key => ["collection", tenant, name],
  collections: (tenant: string): Key => ["collection", tenant],
  unfinished: (tenant: string, id: string): Key => ["unfinished", tenant, id],
  unfinisheds: (): Key => ["unfinished"],
  blob: (scope: string, blob: string, n: number): Key => ["blob", scope, blob, n],
  blobs: (scope: string, blob: string): Key => ["blob", scope, blob],
  blobOf: (scope: string, blob: string): Key => ["blob_of", scope, blob],
  blobOwners: (): Key => ["blob_of"],
} as const;
