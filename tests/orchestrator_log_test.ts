/** The whole service in this process: what of its runs is in the log. */
import { expect } from "expect";
import { join } from "node:path";
import { readConfig } from "../config.ts";
import { createOrchestrator, type Orchestrator } from "../orchestrator.ts";
import type { Json } from "../pipeline/kernel/mod.ts";
import { createLogger } from "../telemetry/log.ts";
import { LOCAL } from "./_caller.ts";

type Line = Record<string, Json>;

const HOME = {
  "good.yaml": "name: good\nversion: 1\nstart: a\nnodes:\n  a: { transform: 1 }\n",
  "bad.yaml": "name: bad\nversion: 1\nstart: a\nnodes:\n  a: { task: give_up }\n",
  "waits.yaml": "name: waits\nversion: 1\nstart: a\nnodes:\n  a: { wait: { signal: go } }\n",
};

/** Calls `use` with a service; what it logged of runs, without times and the like. */
async function logged(use: (service: Orchestrator) => Promise<void>): Promise<Line[]> {
  const home = await Deno.makeTempDir();
  const lines: Line[] = [];
  const write = (text: string) =>
    lines.push(...text.trimEnd().split("\n").map((line) => JSON.parse(line)));
  try {
    await Deno.mkdir(join(home, "pipelines"));
    for (const [name, text] of Object.entries(HOME)) {
      await Deno.writeTextFile(join(home, "pipelines", name), text);
    }
    const config = readConfig({ HOME: home, ORCHESTRATOR_HOME: home });
    const log = createLogger({ level: "info", format: "json", write });
    const service = await createOrchestrator({ config, log });
    try {
      await use(service);
    } finally {
      await service.close();
      log.flush();
    }
  } finally {
    await Deno.remove(home, { recursive: true });
  }
  return lines.filter(({ message }) => /^(run|workflow) /i.test(message as string));
}

/** Starts a run of a pipeline. */
async function start({ engine, catalog }: Orchestrator, pipeline: string, input: Json = {}) {
  const { version } = await catalog.resolve(LOCAL, pipeline);
  return await engine.start(LOCAL, { pipeline, version, input });
}

Deno.test("the start and the end of every run are in the log", async () => {
  const ids: string[] = [];
  const lines = await logged(async (service) => {
    for (const pipeline of ["good", "bad", "waits"]) {
      const { run, result } = await start(service, pipeline);
      ids.push(run.id);
      if (pipeline === "waits") await service.engine.cancel(LOCAL, run.id, "enough");
      await result;
    }
  });
  const [good, bad, waits] = ids as [string, string, string];
  expect(lines.map(({ level, message, run_id }) => [level, message, run_id])).toEqual([
    ["INFO", "run started", good],
    ["INFO", "run completed", good],
    ["INFO", "run started", bad],
    ["WARN", "run failed", bad],
    ["INFO", "run started", waits],
    ["INFO", "run cancelled", waits],
  ]);
  expect(lines[1]).toEqual({
    timestamp: expect.any(String),
    level: "INFO",
    logger: "orchestrator",
    message: "run completed",
    run_id: good,
    pipeline: "good",
    ms: expect.any(Number),
  });
});

Deno.test("a workflow is in the log with its id and its goal", async () => {
  let id = "";
  const user_goal = "Build churn model";
  const lines = await logged(async (service) => {
    const { run, result } = await start(service, "data-science", { user_goal });
    id = run.id.replace("run_", "wf-");
    expect((await result).status).toBe("failed"); // its input is incomplete
  });
  expect(lines).toEqual([
    {
      timestamp: expect.any(String),
      level: "INFO",
      logger: "orchestrator",
      message: "Workflow started successfully",
      workflow_id: id,
      user_goal,
    },
    expect.objectContaining({ message: "run failed", level: "WARN" }),
    {
      timestamp: expect.any(String),
      level: "WARN",
      logger: "orchestrator",
      message: "Workflow failed",
      workflow_id: id,
      ms: expect.any(Number),
    },
  ]);
});
