/** Pipelines that are put over the API, in a real server. */
import { expect } from "expect";
import { post } from "./_api.ts";
import { startServer, withHome } from "./_process.ts";

const document = (answer: string, more = "") =>
  `name: hello\nversion: 1\nstart: say\nnodes:\n  say: { transform: "${answer}" }\n${more}`;

Deno.test("a pipeline that was put runs, survives a kill and gives way to the file again", async () => {
  await withHome({ "pipelines/hello.yaml": document("file") }, async (home) => {
    let server = await startServer({ home });
    const run = async () => {
      const url = `${server.url}/v1/pipelines/hello/runs`;
      return (await (await post(url, {}, { prefer: "wait=10" })).json()).output;
    };
    const put = async (text: string) => {
      const headers = { "content-type": "application/yaml" };
      const url = `${server.url}/v1/pipelines/hello`;
      const response = await fetch(url, { method: "PUT", headers, body: text });
      const { number } = await response.json();
      return [response.status, number];
    };
    try {
      expect(await run()).toBe("file");
      expect(await put(document("one"))).toEqual([201, 1]);
      expect(await run()).toBe("one");
      expect(await put(document("two", "schedule: [{ cron: '@yearly' }]\n"))).toEqual([200, 2]);
      expect(await run()).toBe("two");
      await server.stop("SIGKILL");
      server = await startServer({ home });
      expect(await run()).toBe("two");
      const { schedules } = await (await fetch(`${server.url}/v1/schedules`)).json();
      expect(schedules).toMatchObject([{ pipeline: "hello", cron: "@yearly", timezone: "UTC" }]);
      const gone = await fetch(`${server.url}/v1/pipelines/hello`, { method: "DELETE" });
      expect(gone.status).toBe(204);
      expect(await run()).toBe("file");
    } finally {
      await server.stop("SIGKILL");
    }
  });
});
