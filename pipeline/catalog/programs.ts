/** The definitions that runs were started with, and the code of runs, by version. @module */
import { OrchestratorError } from "../../errors.ts";
import { keys, setText, type Store } from "../../store/mod.ts";
import type { Definition } from "../document/mod.ts";
import type { RunFunction, RunRecord } from "../kernel/mod.ts";

/** Programs of definitions that are kept. */
const MAX_PROGRAMS = 100;

/** Where definitions are kept for the runs that were started with them. */
export interface DefinitionStore {
  get(version: string): Promise<string | null>;
  put(version: string, json: string): Promise<void>;
}

/** Keeps definitions for as long as the store exists: a run may be started again at any time. */
export function createDefinitionStore(store: Store): DefinitionStore {
  return {
    get: async (version) => (await store.get<string>(keys.definition(version)))?.value ?? null,
    async put(version, json) {
      const mutations = [setText(keys.definition(version), JSON.stringify(json))];
      await store.commit({ checks: [], mutations });
    },
  };
}

/** What a run was started with. @throws `not_found` */
export async function loadDefinition(
  definitions: DefinitionStore,
  version: string,
): Promise<Definition> {
  const json = await definitions.get(version);
  if (json !== null) return JSON.parse(json);
  throw new OrchestratorError(
    "not_found",
    `Cannot load definition ${version}: it is not in the store. Restore a backup of the store.`,
  );
}

/** What programs need. */
export interface ProgramsOptions {
  definitions: DefinitionStore;
  /** Makes a run function, as `createProgram` does. */
  compile(definition: Definition): RunFunction;
  /** Code that no definition describes. */
  builtIn?: readonly { version: string; run: RunFunction }[];
}

/** The code of a run, at once when it was used lately. @throws as {@linkcode loadDefinition} */
export type ProgramOf = (
  run: Pick<RunRecord, "version">,
) => RunFunction | Promise<RunFunction>;

/** Compiles definitions, and keeps the programs that were used last. */
export function createPrograms({ definitions, compile, builtIn = [] }: ProgramsOptions): ProgramOf {
  const fixed = new Map(builtIn.map(({ version, run }) => [version, run]));
  const kept = new Map<string, RunFunction>();
  const keep = (version: string, program: RunFunction): RunFunction => {
    kept.delete(version);
    kept.set(version, program);
    if (kept.size > MAX_PROGRAMS) kept.delete(kept.keys().next().value!);
    return program;
  };
  return ({ version }) => {
    const known = kept.get(version);
    if (known) return keep(version, known);
    return fixed.get(version) ??
      loadDefinition(definitions, version).then((found) => keep(version, compile(found)));
  };
}
