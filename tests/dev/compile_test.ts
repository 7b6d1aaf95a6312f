import { expect } from "expect";
import { join } from "node:path";
import { compile } from "../../dev/compile.ts";

const skip = !Deno.env.get("DENORT_BIN");
const deno = Deno.env.get("DENO_COMPILE")?.split(" ");

const ENTRY = `
import { createHash } from "node:crypto";
import { root } from ${JSON.stringify(new URL("../../resources.ts", import.meta.url).href)};
const { value } = await import("./lazy.ts");
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
  value,
  agent: Deno.readTextFileSync(root + "/agents/a.md"),
  pipeline: Deno.readTextFileSync(root + "/pipeline/definitions/p.yaml"),
  kv: typeof Deno.openKv,
  hash: createHash("sha256").update("x").digest("hex").length,
});
Deno.stdout.writeSync(new TextEncoder().encode(text));
`;

async function sampleProject(): Promise<string> {
  const project = await Deno.makeTempDir();
  const files = {
    "deno.json": "{}",
    "main.ts": ENTRY,
    "lazy.ts": "export const value: number = 42;",
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
        value: 42,
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
