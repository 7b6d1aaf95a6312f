/**
 * The tools of one MCP server.
 *
 * 1. Asking for the tools never waits for a server, but for the first connection, and then two
 *    seconds at most: the last known list counts.
 * 2. A tool whose description is neither the pinned one nor one that the tenant accepted cannot be
 *    called by it.
 * 3. While the breaker of a tenant is open, the server is left alone as far as that tenant goes.
 *
 * @module
 */
import type { McpServer } from "../../config/external.ts";
import { OrchestratorError, toOrchestratorError } from "../../errors.ts";
import type { Caller } from "../../guard/mod.ts";
import type { Json } from "../../json/mod.ts";
import { type Breaker, type Breakers, createBreakers, type ServiceHealth } from "../breaker.ts";
import type { Tool, ToolScope } from "../tool.ts";
import { Connection } from "./connection.ts";
import type { Hashes, Pins } from "./pins.ts";
import { readTools, type RemoteTool } from "./remote_tool.ts";
import { readResult } from "./result.ts";
import type { TransportDeps } from "./transport.ts";

/** How long the first list is waited for, in milliseconds. */
const FIRST_LIST_MS = 2000;
/** How old a list may be while there is a connection, in milliseconds. */
const LIST_AGE_MS = 60_000;
/** Between two attempts to connect. */
const ATTEMPT_GAP_MS = 5000;
const FAILURES = 3;

/** What the tools of a server need. */
export interface McpDeps extends TransportDeps {
  pins: Pins;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Shorter values are settings, and may stand anywhere. */
const MIN_SECRET = 8;

/** The tools of one server, and how it is doing. */
export class McpToolSet {
  readonly name: string;
  private readonly connection: Connection;
  private readonly breakers: Breakers;
  private known: RemoteTool[] = [];
  private skipped: string[] = [];
  private pinned: Hashes = new Map();
  /** What tenants accepted, as far as it was asked for since the last list. */
  private readonly accepted = new Map<string, Promise<Hashes>>();
  private failure?: string;
  private listing?: Promise<void>;
  private first?: Promise<void>;
  private isStale = true;
  private listed_at = -Infinity;

  constructor(private readonly server: McpServer, private readonly deps: McpDeps) {
    this.name = `mcp:${server.name}`;
    this.breakers = createBreakers({ name: this.name, failures: FAILURES });
    this.connection = new Connection({
      ...deps,
      server,
      onToolsChanged: () => {
        this.isStale = true;
        this.refresh();
      },
    });
  }

  /** Those that are known; looks for newer ones in the background. */
  async tools(caller: Caller): Promise<Tool[]> {
    const breaker = this.breakers.of(caller);
    if (this.isListDue(breaker)) this.refresh(breaker);
    this.first ??= atMost(FIRST_LIST_MS, this.listing);
    await this.first;
    const accepted = await this.acceptedBy(caller);
    return this.known.map((tool) => this.toolOf(tool, accepted));
  }

  /** Why the server cannot be reached, which of its tools are left out or held back. */
  async problem(caller: Caller): Promise<string | undefined> {
    const accepted = await this.acceptedBy(caller);
    const held = this.known.flatMap((tool) => {
      const why = this.heldBecause(tool, accepted);
      return why === undefined ? [] : [why];
    });
    const problems = [...(this.failure ? [this.failure] : []), ...this.skipped, ...held];
    return problems.length > 0 ? problems.join("; ") : undefined;
  }

  /** Agrees to what the server says about a tool now, for the caller's tenant. */
  async accept(caller: Caller, name: string): Promise<void> {
    const tool = this.known.find(({ info }) => info.name === name);
    if (!tool) return;
    await this.deps.pins.accept(caller, this.server.name, tool.remote, tool.hash);
    this.accepted.delete(caller.tenant);
  }

  health(caller: Caller): ServiceHealth[] {
    return [this.breakers.of(caller).health()];
  }

  async close(): Promise<void> {
    await this.connection.close();
    await this.listing;
  }

  private acceptedBy(caller: Caller): Promise<Hashes> {
    const { tenant } = caller;
    let accepted = this.accepted.get(tenant);
    if (!accepted) {
      accepted = this.deps.pins.acceptedBy(caller, this.server.name);
      accepted.catch(() => this.accepted.delete(tenant));
      this.accepted.set(tenant, accepted);
    }
    return accepted;
  }

  private isListDue(breaker: Breaker): boolean {
    if (breaker.isOpen) return false;
    const age = this.deps.now() - this.listed_at;
    if (!this.connection.isConnected) return age >= ATTEMPT_GAP_MS;
    return this.isStale || age >= LIST_AGE_MS;
  }

  /**
   * One at a time; what becomes stale during one is listed again after it.
   *
   * @param breaker of the tenant that asks; none: the server itself said that there is something new
   */
  private refresh(breaker?: Breaker): void {
    if (this.listing) return;
    this.isStale = false;
    this.listed_at = this.deps.now();
    this.listing = this.list(breaker).catch((error: Error) => {
      // What a breaker says is about the calls of one tenant.
      if (toOrchestratorError(error).code !== "circuit_open") this.failure = error.message;
      this.deps.log.warn("the tools of an MCP server cannot be listed", {
        server: this.server.name,
        error,
      });
    }).finally(() => {
      this.listing = undefined;
      if (this.isStale && this.connection.isConnected) this.refresh();
    });
  }

  private async list(breaker?: Breaker): Promise<void> {
    const ask = () => this.connection.tools();
    const listed = await (breaker ? breaker.run(ask) : ask());
    const { tools, problems } = await readTools(this.server, listed);
    const pinned = await this.deps.pins.of(this.server.name);
    for (const { remote, hash } of tools) {
      if (pinned.has(remote)) continue;
      await this.deps.pins.put(this.server.name, remote, hash);
      pinned.set(remote, hash);
    }
    this.pinned = pinned;
    this.accepted.clear();
    this.known = tools;
    this.skipped = problems;
    this.failure = undefined;
  }

  private heldBecause({ remote, info, hash }: RemoteTool, accepted: Hashes): string | undefined {
    if (this.pinned.get(remote) === hash || accepted.get(remote) === hash) return undefined;
    return `${info.name} is held back: the server has changed its description or schemas`;
  }

  private toolOf(tool: RemoteTool, accepted: Hashes): Tool {
    const held = this.heldBecause(tool, accepted);
    return {
      ...tool.info,
      ...(held === undefined ? {} : { held }),
      run: (args, scope) => this.call(tool, args, scope),
      secrets: () => secretsOf(this.server),
    };
  }

  private async call(
    tool: RemoteTool,
    args: Record<string, Json>,
    { caller, signal, keep }: ToolScope,
  ): Promise<Json> {
    // Who has held on to a tool calls what the server describes now.
    const current = this.known.find(({ remote }) => remote === tool.remote) ?? tool;
    const held = this.heldBecause(current, await this.acceptedBy(caller));
    if (held !== undefined) {
      throw new OrchestratorError(
        "tool_disabled",
        `Cannot call ${tool.info.name}: ${held}. Review it, then POST /v1/tools/${tool.info.name}/enable.`,
      );
    }
    const breaker = this.breakers.of(caller);
    const result = await breaker.run(() => this.connection.call(tool.remote, args, signal));
    return await readResult(tool.info, result, keep);
  }
}

async function atMost(ms: number, work?: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** What a server is sent in secret; of `Bearer …` also what comes behind. */
function secretsOf({ headers, env }: McpServer): string[] {
  const values = [...Object.values(headers), ...Object.values(env)].map((value) => value.reveal());
  return values.flatMap((value) => [value, ...value.split(" ").slice(1)])
    .filter((value) => value.length >= MIN_SECRET);
}
