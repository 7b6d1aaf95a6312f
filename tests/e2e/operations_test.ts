import { expect } from "expect";
import { startOpenai } from "../_mock/mod.ts";
import { agents, FINAL } from "./_agents.ts";
import { chat, post } from "./_api.ts";
import { startServer, withHome, withServer } from "./_process.ts";

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
        while (!server.logs().includes("read again")) await new Promise((r) => setTimeout(r, 5));
        expect(await ask()).toBe("two");
      } finally {
        await server.stop("SIGKILL");
      }
    });
  },
});
