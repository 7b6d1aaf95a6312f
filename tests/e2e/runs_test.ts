/** What can be asked of runs, on the real server. */
import { expect } from "expect";
import { type Body, follow, post } from "./_api.ts";
import { startServer, withHome } from "./_process.ts";
import { readTrace, SLEEPER, SLEEPS_HOME, startSleeps } from "./_sleeps.ts";

const FILES = {
  ...SLEEPS_HOME,
  "pipelines/fails.yaml": `name: fails
version: 1
start: check
nodes:
  check: { pipeline: breaks }
`,
  "pipelines/breaks.yaml": `name: breaks
version: 1
start: text
nodes:
  text: { transform: "\${ $error('broken on purpose') }" }
`,
};

/** Calls `use` with a server that has the pipelines `sleeps` and `fails`. */
function withSleeps(use: (url: string, home: string) => Promise<void>): Promise<void> {
  return withHome(FILES, async (home) => {
    const server = await startServer({ home, command: SLEEPER });
    try {
      await use(server.url, home);
    } finally {
      await server.stop("SIGKILL");
    }
  });
}

async function get(url: string): Promise<Body> {
  return await (await fetch(url)).json();
}

/** Starts `sleeps` in the conversation `c`. */
async function inTurn(url: string, run: string, ms: number, on_busy?: string) {
  const body = { pipeline: "sleeps", input: { run, ms }, conversation_id: "c", on_busy };
  const response = await post(`${url}/v1/runs`, body);
  return { status: response.status, body: await response.json() as Body, response };
}

Deno.test("runs of one conversation take turns, are refused or replace each other, as they ask", () =>
  withSleeps(async (url) => {
    const first = await inTurn(url, "first", 150);
    const second = await inTurn(url, "second", 1);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect((await get(`${url}/v1/runs/${second.body.id}`)).status).toBe("queued");
    const third = await inTurn(url, "third", 1, "reject");
    expect([third.status, third.body.code]).toEqual([409, "busy"]);
    expect(third.response.headers.get("retry-after")).toBe("1");
    const ends = await Promise.all([first, second].map(({ body }) => follow(url, body.id)));
    expect(ends.map((events) => events.at(-1)?.type)).toEqual(["run.completed", "run.completed"]);
    const [end, begin] = [ends[0]!.at(-1)!, ends[1]!.find(({ type }) => type === "step.started")!];
    expect(Date.parse(begin.at)).toBeGreaterThanOrEqual(Date.parse(end.at));

    const long = await inTurn(url, "long", 60_000);
    const queued = await inTurn(url, "queued", 60_000);
    const urgent = await inTurn(url, "urgent", 1, "interrupt");
    expect((await follow(url, urgent.body.id)).at(-1)?.type).toBe("run.completed");
    for (const { body } of [long, queued]) {
      expect((await follow(url, body.id)).at(-1)).toMatchObject({
        type: "run.cancelled",
        reason: "interrupted by a newer run",
      });
    }
  }));

Deno.test("a run is restarted from a step once for each Idempotency-Key", () =>
  withSleeps(async (url, home) => {
    const { id } = await (await startSleeps(url, { run: "r", ms: 1 })).json();
    await follow(url, id);
    const key = { "idempotency-key": "again" };
    const restart = (body: Body, headers = {}) =>
      post(`${url}/v1/runs/${id}/restart`, body, headers);
    const made = await restart({ from: "s3" }, key);
    const run = await made.json();
    expect([made.status, made.headers.get("location")]).toEqual([202, `/v1/runs/${run.id}`]);
    expect(run).toMatchObject({ restart: { run: id, from: "s3" } });
    expect((await follow(url, run.id)).at(-1)?.type).toBe("run.completed");
    const again = await restart({ from: "s3" }, key);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([202, "true"]);
    expect((await again.json()).id).toBe(run.id);
    const other = await restart({ from: "s4" }, key);
    expect([other.status, (await other.json()).code]).toEqual([422, "idempotency_mismatch"]);
    const begun = (await readTrace(home)).flatMap(({ what, step }) =>
      what === "start" ? [step] : []
    );
    expect(begun).toEqual(["s1", "s2", "s3", "s4", "s5", "s3", "s4", "s5"]);
    const free = await (await restart({ from: "s3" })).json();
    expect(free.id).not.toBe(run.id);
    await follow(url, free.id);
    expect((await get(`${url}/v1/runs`)).runs).toHaveLength(3);
    const unknown = await restart({ from: "s9" });
    expect([unknown.status, (await unknown.json()).code]).toEqual([422, "validation_failed"]);
  }));

Deno.test("a dead letter names the run that failed within it and counts how often it was tried", () =>
  withSleeps(async (url) => {
    const { id } = await (await post(`${url}/v1/runs`, { pipeline: "fails" })).json();
    const { seq } = (await follow(url, id)).at(-1)!;
    const letter = async () => {
      const { dead_letters } = await get(`${url}/v1/dead-letters`);
      return dead_letters.find((one: Body) => one.id === id);
    };
    const { error, attempts } = await letter();
    expect([error.code, attempts]).toEqual(["child_failed", 1]);
    const [child] = (await get(`${url}/v1/runs/${id}`)).children;
    expect(error.details.run_id).toBe(child.id);
    expect((await get(`${url}/v1/runs/${child.id}`)).status).toBe("failed");

    const redriven = await post(`${url}/v1/dead-letters/${id}/redrive`, {});
    expect(redriven.status).toBe(202);
    await redriven.body?.cancel();
    await follow(url, id, seq);
    expect((await letter()).attempts).toBe(2);
  }));

Deno.test("a hundred requests at once with one Idempotency-Key make one run", () =>
  withSleeps(async (url) => {
    const headers = { "idempotency-key": "one" };
    const start = async () => {
      const response = await startSleeps(url, { run: "r", ms: 20 }, headers);
      const body = await response.json();
      return `${response.status} ${body.id ?? body.code}`;
    };
    const answers = await Promise.all(Array.from({ length: 100 }, start));
    const made = answers.filter((answer) => answer.startsWith("202 "));
    expect(answers.filter((answer) => answer === "409 idempotency_in_flight"))
      .toHaveLength(100 - made.length);
    const { runs } = await get(`${url}/v1/runs`);
    expect(runs).toHaveLength(1);
    expect(new Set(made)).toEqual(new Set([`202 ${runs[0].id}`]));
    await follow(url, runs[0].id);
    expect(await start()).toBe(`202 ${runs[0].id}`);
    const other = await startSleeps(url, { run: "other", ms: 20 }, headers);
    expect([other.status, (await other.json()).code]).toEqual([422, "idempotency_mismatch"]);
    expect((await get(`${url}/v1/runs`)).runs).toHaveLength(1);
  }));
