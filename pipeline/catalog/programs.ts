/** The definitions that runs were started with, and their programs, by version. @module */
import { OrchestratorError } from "../../errors.ts";
import type { Definition } from "../document/mod.ts";
import type { RunFunction } from "../kernel/mod.ts";

/** Programs that are kept. */
const MAX_PROGRAMS = 100;

/** Where definitions are kept for the runs that were started with them. */
export interface DefinitionStore {
  get(version: string): Promise<string | null>;
  put(version: string, json: string): Promise<void>;
}

/** What programs need. */
export interface ProgramsOptions {
  definitions: DefinitionStore;
  /** Makes a run function, as `createProgram` does. */
  compile(definition: Definition): RunFunction;
}

/** Compiles definitions, and keeps the programs that were used last. */
export class Programs {
  private readonly kept = new Map<string, RunFunction>();

  constructor(private readonly options: ProgramsOptions) {}

  /** The run function of a version; at once when it was used lately. @throws as `load` */
  get(version: string): RunFunction | Promise<RunFunction> {
    const known = this.kept.get(version);
    if (known) return this.keep(version, known);
    return this.load(version).then((definition) =>
      this.keep(version, this.options.compile(definition))
    );
  }

  /** What a run was started with. @throws `not_found` */
  async load(version: string): Promise<Definition> {
    const json = await this.options.definitions.get(version);
    if (json !== null) return JSON.parse(json);
    throw new OrchestratorError(
      "not_found",
      `Cannot load definition ${version}: it is not in the store. Restore a backup of the store.`,
    );
  }

  private keep(version: string, program: RunFunction): RunFunction {
    const { kept } = this;
    kept.delete(version);
    kept.set(version, program);
    if (kept.size > MAX_PROGRAMS) kept.delete(kept.keys().next().value!);
    return program;
  }
}
