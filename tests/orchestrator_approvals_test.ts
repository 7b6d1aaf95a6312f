/** The whole service in this process: the example of docs/approvals.md as it stands. */
import { expect } from "expect";
import { readConfig } from "../config.ts";
import { createOrchestrator } from "../orchestrator.ts";
import type { JournalEvent } from "../pipeline/kernel/events.ts";
import { createLogger } from "../telemetry/log.ts";
import { LOCAL } from "./_caller.ts";

Deno.test("the pipeline of docs/approvals.md asks again after a rejection, and needs two people", async () => {
  const page = await Deno.readTextFile(new URL("../docs/approvals.md", import.meta.url));
  const [, text = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const home = await Deno.makeTempDir();
  const config = readConfig({ HOME: home, ORCHESTRATOR_HOME: home });
  const log = createLogger({ level: "error", format: "json", write: () => {} });
  const service = await createOrchestrator({ config, log });
  const send = async (method: string, path: string, body?: unknown, headers = {}) => {
    const response = await service.app.request(`http://localhost${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect([path, response.ok]).toEqual([path, true]);
    return await response.json();
  };
  const decide = (id: string, by: string, body: object) =>
    send("POST", `/v1/approvals/${id}/decide`, body, { "x-user": by });
  /** Follows the run from `after` on until one of these happens. */
  const until = async (id: string, types: string[], after = 0) => {
    const seen = Promise.withResolvers<JournalEvent>();
    const watch = new AbortController();
    await service.engine.follow(LOCAL, id, { after, signal: watch.signal }, (event) => {
      if (!types.includes(event.type)) return;
      seen.resolve(event as JournalEvent);
      watch.abort();
    });
    return await seen.promise;
  };
  try {
    await send("PUT", "/v1/pipelines/publish", { text });
    const body = { input: { topic: "timber" } };
    const { id } = await send("POST", "/v1/pipelines/publish/runs", body);
    const asked = async (after?: number) => {
      const { seq } = await until(id, ["approval.requested"], after);
      return (await until(id, ["run.waiting"], seq)).seq;
    };
    const seq = await asked();
    const list = async () =>
      (await send("GET", `/v1/approvals?status=pending&run=${id}`)).approvals;
    const [first] = await list();
    expect(first.title).toBe("Publish the text about timber?");
    await decide(first.id, "ann", { decision: "reject", comment: "Say more about reuse." });
    await asked(seq);
    const [second] = await list();
    const { children } = await send("GET", `/v1/runs/${id}`);
    const again = await send("GET", `/v1/runs/${children.at(-1).id}`);
    expect(again.input.messages[0].content)
      .toBe("Write a short text about timber. Say more about reuse.");
    await decide(second.id, "ann", { decision: "approve" });
    await decide(second.id, "bob", { decision: "approve" });
    expect(await until(id, ["run.completed", "run.failed"]))
      .toMatchObject({ type: "run.completed", output: { text: second.payload.text } });
  } finally {
    await service.close();
    await Deno.remove(home, { recursive: true });
  }
});
