/** What the store keeps of tools: those that tenants register, disable and saw fail. @module */
import { OrchestratorError, toErrorJson } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Json } from "../json/mod.ts";
import { keys, type Mutation, setJson, type Store } from "../store/mod.ts";

/** What records need. */
export interface ToolRecordsDeps {
  store: Pick<Store, "get" | "list" | "commit">;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
}

/** A call that failed. */
export interface ToolFailure {
  code: string;
  message: string;
  /** RFC 3339 UTC. */
  at: string;
}

/** What is kept of a tool for a tenant. */
export interface ToolRecord {
  /** What was registered; absent for a tool of a set. */
  definition?: Json;
  disabled?: true;
  last_error?: ToolFailure;
}

/** Tools that a tenant may register: looking for one reads the definitions of all. */
export const MAX_REGISTERED = 200;

/** The records of all tenants. */
export class ToolRecords {
  /** The registration before: they are counted one after the other. */
  private before: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: ToolRecordsDeps) {}

  async get({ tenant }: Caller, name: string): Promise<ToolRecord | undefined> {
    return (await this.deps.store.get<ToolRecord>(keys.tool(tenant, name)))?.value;
  }

  /** Those of a tenant, by the tool's name. */
  async all({ tenant }: Caller): Promise<Map<string, ToolRecord>> {
    const records = new Map<string, ToolRecord>();
    const entries = this.deps.store.list<ToolRecord>({ prefix: keys.tools(tenant) });
    for await (const { key, value } of entries) records.set(key.at(-1) as string, value);
    return records;
  }

  /** Keeps a registered tool. @throws `tool_limit` */
  register(caller: Caller, name: string, record: ToolRecord): Promise<void> {
    const done = this.before.then(async () => {
      await this.mustHaveRoom(caller, name);
      await this.put(caller, name, record);
    });
    this.before = done.catch(() => {});
    return done;
  }

  /** Keeps what is known of a tool; without a record there is nothing to know. */
  async put({ tenant }: Caller, name: string, record?: ToolRecord): Promise<void> {
    const key = keys.tool(tenant, name);
    const mutations: Mutation[] = [record ? setJson(key, record) : { key, delete: true }];
    const stamp = await this.deps.store.commit({ checks: [], mutations });
    if (stamp === null) throw new Error(`tool ${name} of ${tenant} was not written`);
  }

  /** Keeps why a call failed. A store that cannot be written must not hide the failure itself. */
  async note({ tenant }: Caller, name: string, error: OrchestratorError): Promise<void> {
    const { code, message } = toErrorJson(error);
    const last_error = { code, message, at: new Date(this.deps.now()).toISOString() };
    const key = keys.tool(tenant, name);
    try {
      const before = await this.deps.store.get<ToolRecord>(key);
      const record: ToolRecord = { ...before?.value, last_error };
      const checks = [{ key, versionstamp: before?.versionstamp ?? null }];
      await this.deps.store.commit({ checks, mutations: [setJson(key, record)] });
    } catch (cause) {
      this.deps.log.warn("a tool's failure could not be kept", { tool: name, error: cause });
    }
  }

  /** @throws `tool_limit` */
  private async mustHaveRoom(caller: Caller, name: string): Promise<void> {
    const records = await this.all(caller);
    if (records.get(name)?.definition !== undefined) return;
    const count = [...records.values()].filter(({ definition }) => definition !== undefined).length;
    if (count < MAX_REGISTERED) return;
    throw new OrchestratorError(
      "tool_limit",
      `Cannot register ${name}: ${count} tools are registered already, which is the limit. ` +
        "Remove one with DELETE /v1/tools/{name}, or define tools in a file.",
    );
  }
}
