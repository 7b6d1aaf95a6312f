import { expect } from "expect";
import { join } from "node:path";
import { compile } from "../../dev/compile.ts";

const skip = !Deno.env.get("DENORT_BIN");
const deno = Deno.env.get("DENO_COMPILE")?.split(" ");

const ENTRY = `
import { createHash } from "node:crypto";
import { root } from ${JSON.stringify(new URL("../../resources.ts", import.meta.url).href)};
import { shared } from "./shared.ts";
const lazy = await import("./lazy.ts");
const { deepest } = await lazy.deeper();
const refusal = (attempt) => {
  try {
    attempt();
    return "allowed";
  } catch (error) {
    return error.name;
  }
};
const text = JSON.stringify({
  ffi: refusal(() => Deno.dlopen("libc.so.6", {})),
  value: lazy.value,
  deepest,
  said: lazy.said,
  strict: lazy.strict,
  once: lazy.held === shared,
  named: /\\/(lazy|chunk)-\\w+\\.js:/.test(lazy.stack()),
  dashes: "a\u2013b\u2014c".split(/[\u2013—]/),
  agent: Deno.readTextFileSync(root + "/agents/a.md"),
  pipeline: Deno.readTextFileSync(root + "/pipeline/definitions/p.yaml"),
  kv: typeof Deno.openKv,
  hash: createHash("sha256").update("x").digest("hex").length,
});
Deno.stdout.writeSync(new TextEncoder().encode(text));
`;

const LAZY = `
import { basename } from "node:path";
import { shared } from "./shared.ts";
export const value: string = basename("/a/42");
export const held = shared;
export const said = "import.meta is text here";
export const strict = (function () { return this === undefined; })();
export const stack = () => new Error().stack;
export const deeper = () => import("./deeper.ts");
`;

async function sampleProject(): Promise<string> {
  const project = await Deno.makeTempDir();
  const files = {
    "deno.json": "{}",
    "main.ts": ENTRY,
    "shared.ts": "export const shared: object = {};",
    "lazy.ts": LAZY,
    "deeper.ts": 'import { held } from "./lazy.ts"; export const deepest = typeof held;',
    "agents/a.md": "an agent",
    "prompts/p.md": "a prompt",
    "pipeline/definitions/p.yaml": "a pipeline",
  };
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(join(project, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(project, path), text);
  }
  return project;
}

Deno.test({
  name: "compile() makes an executable with its data, lazy parts and few permissions",
  ignore: skip,
  async fn() {
    const project = await sampleProject();
    try {
      const path = await compile({ project, scripts: [], ...(deno && { deno }) });
      expect(path).toBe(join(project, "dist/orchestrator"));
      await Deno.remove(join(project, "agents"), { recursive: true });
      const { stdout } = await new Deno.Command(path, { cwd: "/" }).output();
      expect(JSON.parse(new TextDecoder().decode(stdout))).toEqual({
        ffi: "NotCapable",
        value: "42",
        deepest: "object",
        said: "import.meta is text here",
        strict: true,
        once: true,
        named: true,
        dashes: ["a", "b", "c"],
        agent: "an agent",
        pipeline: "a pipeline",
        kv: "function",
        hash: 64,
      });
    } finally {
      await Deno.remove(project, { recursive: true });
    }
  },
});

Deno.test("compile() fails with the reason when what it built does not start", async () => {
  const project = await sampleProject();
  try {
    // A deno that bundles as ever and compiles to a program that cannot start.
    const fake = join(project, "deno.sh");
    await Deno.writeTextFile(
      fake,
      `[ "$1" = compile ] || exec "${Deno.execPath()}" "$@"
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\necho "error: Could not find standalone binary section" >&2; exit 1' > "$2"
chmod +x "$2"
`,
    );
    const built = compile({ project, scripts: [], deno: ["sh", fake] });
    await expect(built).rejects.toThrow(
      /does not start: error: Could not find standalone binary section\. /,
    );
    await expect(Deno.stat(join(project, "dist/orchestrator"))).rejects.toThrow();
  } finally {
    await Deno.remove(project, { recursive: true });
  }
});

Deno.test("compile() says which command failed", async () => {
  const project = await sampleProject();
  try {
    await expect(compile({ project, deno: ["false"] })).rejects.toThrow(
      "`deno bundle` ended with 1",
    );
  } finally {
    await Deno.remove(project, { recursive: true });
  }
});
