import { expect } from "expect";
import { startOpenai } from "../_mock/openai.ts";
import { agents, FINAL } from "./_agents.ts";
import { chat, post } from "./_api.ts";
import { runProgram, startServer, withHome, withServer } from "./_process.ts";

Deno.test("model calls go through the proxy that the environment names", async () => {
  const proxy = startOpenai(agents());
  const env = {
    HTTP_PROXY: new URL(proxy.url).origin,
    LLM_BASE_URL: "http://models.invalid/v1",
    LLM_DEFAULT_MODEL: "m",
  };
  try {
    await withServer({ env }, async ({ url }) => {
      const { message } = await chat(url, "Why does timber matter?");
      expect(message.content).toBe(FINAL);
      expect(proxy.calls.length).toBe(4);
    });
  } finally {
    await proxy.close();
  }
});

Deno.test({
  name: "SIGHUP makes the server read edited definitions again",
  ignore: Deno.build.os === "windows",
  async fn() {
    const pipeline = (answer: string) =>
      `name: hello\nversion: 1\nstart: say\nnodes:\n  say: { transform: "${answer}" }\n`;
    await withHome({ "pipelines/hello.yaml": pipeline("one") }, async (home) => {
      const server = await startServer({ home });
      try {
        const ask = async () => {
          const response = await post(`${server.url}/v1/runs`, { pipeline: "hello" }, {
            prefer: "wait=10",
          });
          return (await response.json()).output;
        };
        expect(await ask()).toBe("one");
        await Deno.writeTextFile(`${home}/pipelines/hello.yaml`, pipeline("two"));
        expect(await ask()).toBe("one");
        Deno.kill(server.pid, "SIGHUP");
        while (!server.logs().includes("definitions will be reloaded")) {
          await new Promise((r) => setTimeout(r, 5));
        }
        expect(await ask()).toBe("two");
      } finally {
        await server.stop("SIGKILL");
      }
    });
  },
});

Deno.test("what a newcomer gets wrong is answered in one sentence, without a stack", async () => {
  await withServer({}, async ({ url }) => {
    await withHome({ "file": "not a folder" }, async (home) => {
      const { port } = new URL(url);
      const said = async (args: string[], env: Record<string, string> = {}) => {
        const { code, stderr } = await runProgram(args, { home, env });
        expect(code).toBe(1);
        expect(stderr).not.toContain("    at ");
        return stderr;
      };
      expect(await said(["serve", "--port", port])).toContain(
        `Port ${port} on 127.0.0.1 is already in use.`,
      );
      expect(await said(["serv"])).toContain('unknown command "serv"; did you mean "serve"?');
      const unusable = { ORCHESTRATOR_HOME: `${home}/file` };
      expect(await said(["serve"], unusable)).toContain("Set ORCHESTRATOR_HOME");
      expect(await said(["new-agent", "poet"], unusable)).toContain("Set ORCHESTRATOR_HOME");
      expect(await said(["run", "compose"])).toContain("--input is missing");
      expect(await said(["run", "compose", "--input", "{"])).toContain("starts like a JSON object");
      expect(await said(["run", "compose", "--input", "x", "--document", "none.md"]))
        .toContain("none.md cannot be read");
      expect(await said(["run", "compos", "--input", "x"])).toContain('did you mean "compose"');
    });
  });
});
