/**
 * What five steps cost without an engine: Hono, and one SQLite commit that reaches the disk for the
 * run and for each step, or nothing durable at all.
 *
 *     deno run -A bench/floor.ts PORT [DATABASE]
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { Hono } from "hono";

const STEPS = 5;
const PAD = "x".repeat(120);

/** Makes the output of one step durable before it returns. Step 0 is the run's acceptance. */
type Save = (run: string, step: number, output: unknown) => void;

function createSqliteSave(path: string): Save {
  const database = new DatabaseSync(path);
  database.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table step (run text, n integer, output text, primary key (run, n)) without rowid;
  `);
  const insert = database.prepare("insert into step values (?, ?, ?)");
  return (run, step, output) => void insert.run(run, step, JSON.stringify(output));
}

const [port, path] = Deno.args;
const save: Save = path ? createSqliteSave(path) : () => {};

function runSteps(run: string): unknown {
  let output: unknown = {};
  save(run, 0, output);
  for (let step = 1; step <= STEPS; step++) {
    output = { step, run, ok: true, kind: "noop", at: Date.now(), pad: PAD };
    save(run, step, output);
  }
  return output;
}

const app = new Hono()
  .get("/health", (c) => c.text("ok"))
  .post("/runs", async (c) => c.json(runSteps((await c.req.json()).run)));

Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, app.fetch);
