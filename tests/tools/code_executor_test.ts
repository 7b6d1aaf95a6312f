import { expect } from "expect";
import type { Caller } from "../../guard/mod.ts";
import { OrchestratorError } from "../../errors.ts";
import { schemaIssues } from "../../json/mod.ts";
import { createCodeExecutor } from "../../tools/code_executor.ts";
import { createSandbox } from "../../tools/sandbox/mod.ts";
import type { NewArtifact, ToolScope } from "../../tools/tool.ts";
import { callerOf } from "../_caller.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** Two files of a tenant that have the same name. */
const FILES = new Map([["art_1", "a,b\n1,2\n"], ["art_2", "other"]]);
const files = {
  get: (_caller: Caller, id: string) =>
    Promise.resolve(FILES.has(id) ? { name: "data.csv" } : null),
  read({ tenant }: Caller, id: string) {
    const text = tenant === "t1" ? FILES.get(id) : undefined;
    if (text === undefined) throw new OrchestratorError("not_found", `Cannot read ${id}: gone.`);
    return Promise.resolve(encode(text));
  },
};

function scope(kept: NewArtifact[]): ToolScope {
  return {
    caller: callerOf("t1"),
    signal: new AbortController().signal,
    idempotency_key: "k",
    keep: (file) => {
      kept.push(file);
      const { name, type, bytes } = file;
      return Promise.resolve({ id: `art_${kept.length}`, name, type, size: bytes.length });
    },
  };
}

const tool = createCodeExecutor({ sandbox: createSandbox(), files });

Deno.test("code_executor runs code over input and files, and keeps what it writes", async () => {
  const kept: NewArtifact[] = [];
  const code = `writeFile("out.csv", "x"); writeFile("raw", "y"); console.log("hi");
    [input.n, readFile("data.csv"), readFile("art_2-data.csv")]`;
  const args = {
    language: "javascript",
    code,
    input: { n: 1 },
    files: ["art_1", "artifact://art_2"],
  };
  expect(schemaIssues(tool.input, args)).toEqual([]);
  const output = await tool.run(args, scope(kept));
  expect(schemaIssues(tool.output!, output)).toEqual([]);
  expect(output).toEqual({
    result: [1, "a,b\n1,2\n", "other"],
    stdout: "hi\n",
    stderr: "",
    files: [
      { id: "art_1", name: "out.csv", type: "text/csv", size: 1 },
      { id: "art_2", name: "raw", type: "application/octet-stream", size: 1 },
    ],
    duration_ms: expect.any(Number),
  });
  expect(kept.map(({ bytes }) => bytes)).toEqual([encode("x"), encode("y")]);
});

Deno.test("code_executor reads no file of another tenant", async () => {
  const args = { language: "javascript", code: "1", files: ["art_1"] };
  await expect(tool.run(args, { ...scope([]), caller: callerOf("t2") }))
    .rejects.toMatchObject({ code: "not_found" });
});

Deno.test("code_executor keeps no more files than it says", async () => {
  const kept: NewArtifact[] = [];
  const code = "for (let i = 0; i < 21; i++) writeFile('f' + i, '')";
  await expect(tool.run({ language: "javascript", code }, scope(kept)))
    .rejects.toMatchObject({ code: "code_output_too_large" });
  expect(kept).toEqual([]);
});

Deno.test("code_executor takes files only where there are any, and is then untrusted", () => {
  const args = { language: "javascript", code: "1", files: ["art_1"] };
  const without = createCodeExecutor({ sandbox: createSandbox() });
  expect(schemaIssues(without.input, args)).not.toEqual([]);
  expect(schemaIssues(tool.input, { ...args, files: ["../etc"] })).not.toEqual([]);
  expect(schemaIssues(tool.input, { language: "ruby", code: "1" })).not.toEqual([]);
  expect(tool).toMatchObject({
    capability: "compute",
    untrusted: false,
    untrusted_with: ["files"],
  });
});
