/** The tool `code_executor`: runs code in the sandbox. @module */
import { OrchestratorError } from "../errors.ts";
import type { Caller } from "../guard/mod.ts";
import type { Json, JsonSchema } from "../json/mod.ts";
import type { CodeRequest, CodeResult, Sandbox } from "./sandbox/mod.ts";
import type { Artifact, Tool, ToolScope } from "./tool.ts";

/** What the tool needs. */
export interface CodeExecutorDeps {
  sandbox: Pick<Sandbox, "run">;
  /** Files by id, see `store/artifacts.ts`; without it there is no argument `files`. */
  files?: {
    get(caller: Caller, id: string): Promise<{ name: string } | null>;
    /** @throws `not_found` */
    read(caller: Caller, id: string): Promise<Uint8Array>;
  };
}

/** Files that code may write; more are a mistake of its loop. */
const MAX_FILES = 20;
/** Above what the sandbox itself allows Python. */
const TIMEOUT_MS = 90_000;

const FILES: JsonSchema = {
  type: "array",
  maxItems: 20,
  items: { type: "string", pattern: "^(artifact://)?art_[0-9a-z]+$" },
  description:
    "IDs of files to pass (art_…). JavaScript reads them with readFile(name), Python from /data/.",
};

const OUTPUT: JsonSchema = {
  type: "object",
  required: ["result", "stdout", "stderr", "files", "duration_ms"],
  properties: {
    result: {},
    stdout: { type: "string" },
    stderr: { type: "string" },
    files: { type: "array", items: { type: "object" } },
    duration_ms: { type: "number" },
  },
};

const DESCRIPTION =
  "Runs JavaScript or Python (standard library only) without network and gives back its result: the variable `result`, else the value of the last expression, as JSON. The code finds `input`. It keeps files with writeFile(name, text) in JavaScript, in Python by writing them into the working folder.";

/** Makes the tool. What code writes is kept with the run. */
export function createCodeExecutor(deps: CodeExecutorDeps): Tool {
  return {
    name: "code_executor",
    description: DESCRIPTION,
    input: {
      type: "object",
      additionalProperties: false,
      required: ["language", "code"],
      properties: {
        language: { enum: ["javascript", "python"] },
        code: { type: "string", minLength: 1, maxLength: 200_000 },
        input: { description: "JSON that is available to the code as `input`." },
        ...(deps.files ? { files: FILES } : {}),
      },
    },
    output: OUTPUT,
    source: "built_in",
    capability: "compute",
    effect: "none",
    timeout_ms: TIMEOUT_MS,
    untrusted: false,
    untrusted_with: ["files"],
    async run(args, scope) {
      const { language, code, input = null, files: ids = [] } = args as unknown as Arguments;
      const files = await loadFiles(ids, scope, deps);
      const { signal } = scope;
      const ran = await deps.sandbox.run({ language, code, input, files, signal });
      return { ...ran, files: await keepFiles(ran.files, scope) } as unknown as Json;
    },
  };
}

type Arguments = Pick<CodeRequest, "language" | "code" | "input"> & { files?: string[] };

/** Files under their names; two files of the same name are distinguished by their ids. */
async function loadFiles(
  ids: string[],
  { caller }: ToolScope,
  { files }: CodeExecutorDeps,
): Promise<Record<string, Uint8Array>> {
  const loaded: Record<string, Uint8Array> = {};
  for (const given of ids) {
    const id = given.replace("artifact://", "");
    const bytes = await files!.read(caller, id);
    const name = (await files!.get(caller, id))?.name ?? id;
    loaded[Object.hasOwn(loaded, name) ? `${id}-${name}` : name] = bytes;
  }
  return loaded;
}

async function keepFiles(files: CodeResult["files"], scope: ToolScope): Promise<Artifact[]> {
  const written = Object.entries(files);
  if (written.length > MAX_FILES) {
    throw new OrchestratorError(
      "code_output_too_large",
      `Cannot store the code's files: there are ${written.length}, and the limit is ${MAX_FILES}. ` +
        "Write fewer.",
    );
  }
  const kept: Artifact[] = [];
  for (const [name, bytes] of written) {
    const { id, type, size, ...rest } = await scope.keep({ name, type: typeOf(name), bytes });
    kept.push({ id, name: rest.name, type, size });
  }
  return kept;
}

const TYPES: Record<string, string> = {
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  md: "text/markdown",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
};

/** A media type for a file's name. */
function typeOf(name: string): string {
  const ending = /\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "";
  return TYPES[ending] ?? "application/octet-stream";
}
