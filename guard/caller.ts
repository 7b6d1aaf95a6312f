/**
 * Who acts, and in whose name.
 *
 * A {@linkcode Caller} is the first argument of everything that acts for someone. It is made here and
 * nowhere else: outside this folder only its type is known, and its private field keeps an object of
 * the same shape from passing for one. So a call for another tenant cannot happen by a default or a
 * forgotten argument.
 *
 * @module
 */
import { OrchestratorError } from "../errors.ts";

/**
 * What a caller may do besides what everyone in its tenant may.
 *
 * - `*`: everything, grants of later versions included
 * - `users:*`: act for any user of the tenant: name another `user_id`, read and delete the
 *   conversations and memory of others
 * - `tools:unasked`: store pipelines that call tools without asking a person
 */
export type Grant = "*" | "users:*" | "tools:unasked";

/** What a record keeps of its caller, so that whatever follows from it acts as the same one. */
export interface CallerRecord {
  tenant: string;
  /** The actor. */
  started_by?: string;
  /** Absent in records from before there were grants: everyone had all of them. */
  grants?: readonly Grant[];
}

/** On whose behalf something happens. */
export class Caller {
  readonly #grants: readonly Grant[];

  /**
   * @param tenant whose data it is about; nothing of another tenant is ever found
   * @param actor who it is within the tenant; also the user whose memory and conversations are its own
   */
  constructor(readonly tenant: string, readonly actor: string, grants: readonly Grant[]) {
    this.#grants = grants;
    Object.freeze(this);
  }

  /** For {@linkcode actingFor}. */
  toRecord(): Required<CallerRecord> {
    return { tenant: this.tenant, started_by: this.actor, grants: this.#grants };
  }

  /** True when it was granted `grant`. */
  may(grant: Grant): boolean {
    return this.#grants.includes("*") || this.#grants.includes(grant);
  }

  /** True for its own user, and for every one when it was granted `users:*`. */
  mayActFor(user: string | undefined): boolean {
    return user === this.actor || this.may("users:*");
  }

  /** @throws `forbidden` unless {@linkcode mayActFor} */
  mustActFor(user: string): void {
    if (this.mayActFor(user)) return;
    throw new OrchestratorError(
      "forbidden",
      `Cannot act for the user ${JSON.stringify(user)}: you are ${JSON.stringify(this.actor)} ` +
        "and may not act for other users. Name your own user, or ask for the grant users:*.",
    );
  }
}

const LOCAL_TENANT = "default";
const LOCAL_ACTOR = "local";
const ALL: readonly Grant[] = ["*"];

/**
 * Whoever can reach this service or start its commands: until there is authentication, all of them
 * are one caller that may do everything.
 *
 * @param actor a claim of the client, for the record
 */
export function localCaller(actor: string = LOCAL_ACTOR): Caller {
  return new Caller(LOCAL_TENANT, actor, ALL);
}

/** The caller that a record was made for: it may do what that one might, and no more. */
export function actingFor({ tenant, started_by, grants }: CallerRecord): Caller {
  return new Caller(tenant, started_by ?? LOCAL_ACTOR, grants ?? ALL);
}
