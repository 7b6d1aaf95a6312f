/** Plans over HTTP, in a real server with the offline model. */
import { expect } from "expect";
import { type Body, post, untilEvent } from "./_api.ts";
import { type ServerProcess, startServer, withHome, withServer } from "./_process.ts";

const DOCUMENTS = [{
  id: "wood",
  text:
    "Timber stores carbon for as long as a building stands. Timber buildings reach 25 storeys. " +
    "Reused beams cost half of new ones. Reused bricks last another hundred years.",
}];
const GOAL = "Research timber. Research reuse. Then write a short post about both and review it.";
const request = (more: Record<string, unknown> = {}) => ({
  goal: GOAL,
  context: { documents: DOCUMENTS },
  ...more,
});

async function get(server: ServerProcess, path: string, status = 200): Promise<Body> {
  const response = await fetch(server.url + path);
  expect([path, response.status]).toEqual([path, status]);
  return await response.json();
}

async function send(
  server: ServerProcess,
  path: string,
  body: unknown,
  status: number,
  headers: Record<string, string> = {},
): Promise<Body> {
  const response = await post(server.url + path, body, headers);
  const answer = await response.json();
  expect([path, response.status, status === response.status ? "" : answer])
    .toEqual([path, status, ""]);
  return answer;
}

/** Follows the plan's events until one of this type comes, and leaves. */
function until({ url }: ServerProcess, id: string, type: string, after = 0): Promise<number> {
  return untilEvent(`${url}/v1/plans/${id}/events`, type, { after });
}

const statuses = ({ steps }: Body) =>
  Object.fromEntries(steps.map(({ id, status }: Body) => [id, status]));

Deno.test("a goal becomes a plan that agents carry out", () =>
  withServer({}, async (server) => {
    const key = { "idempotency-key": "once" };
    const plan = await send(server, "/v1/plans", request(), 200, { ...key, prefer: "wait=20" });
    expect(plan).toMatchObject({
      id: expect.stringMatching(/^run_/),
      goal: GOAL,
      status: "completed",
      phase: "ended",
      round: 1,
      output: { content: expect.stringContaining("[wood]"), review: { score: expect.any(Number) } },
      links: { self: `/v1/plans/${plan.id}`, run: `/v1/runs/${plan.id}` },
    });
    expect(plan.steps.map(({ id, name, status, depends_on }: Body) => ({
      id,
      name,
      status,
      depends_on,
    }))).toEqual([
      { id: "research", name: "researcher", status: "completed", depends_on: [] },
      { id: "research_2", name: "researcher", status: "completed", depends_on: [] },
      {
        id: "outline",
        name: "planner",
        status: "completed",
        depends_on: ["research", "research_2"],
      },
      {
        id: "draft",
        name: "builder",
        status: "completed",
        depends_on: ["research", "research_2", "outline"],
      },
      {
        id: "review",
        name: "reviewer",
        status: "completed",
        depends_on: ["research", "research_2", "outline", "draft"],
      },
    ]);
    const again = await post(`${server.url}/v1/plans`, request(), key);
    expect([again.headers.get("idempotency-replayed"), (await again.json()).id])
      .toEqual(["true", plan.id]);
    await send(server, "/v1/plans", request({ approve: true }), 422, key);
    const { plans } = await get(server, "/v1/plans?status=completed");
    expect(plans).toMatchObject([{ id: plan.id, goal: GOAL, status: "completed" }]);
    expect((await get(server, `/v1/plans/${plan.id}/steps`)).steps).toEqual(plan.steps);
    await until(server, plan.id, "run.completed");
    expect((await get(server, "/v1/plans/run_none", 404)).code).toBe("not_found");
    expect((await send(server, "/v1/plans", { goal: " " }, 422)).errors)
      .toMatchObject([{ location: "/goal" }]);
    expect((await send(server, `/v1/plans/${plan.id}/approve`, {}, 409)).code).toBe("conflict");
  }));

Deno.test("a plan that waits for a person survives a kill and runs as it was edited", () =>
  withHome({}, async (home) => {
    let server = await startServer({ home });
    try {
      const { id } = await send(server, "/v1/plans", request({ approve: true }), 202);
      await until(server, id, "run.waiting");
      await server.stop("SIGKILL");
      server = await startServer({ home });
      const plan = await get(server, `/v1/plans/${id}`);
      expect(plan).toMatchObject({ status: "awaiting_approval", phase: "planning" });
      expect(new Set(Object.values(statuses(plan)))).toEqual(new Set(["pending"]));
      const { payload } = await get(server, plan.approval.links.self);
      const [research] = payload.steps;
      const wrong = { ...payload, steps: [{ ...research, name: "resercher" }] };
      const refused = await send(server, `/v1/plans/${id}/approve`, { plan: wrong }, 422);
      expect(refused.errors).toContainEqual({
        location: "/plan/steps/0/name",
        message: 'unknown agent "resercher"; did you mean "researcher"?',
      });
      const edited = { summary: "Only research.", steps: [research] };
      await send(server, `/v1/plans/${id}/approve`, { plan: edited, comment: "Enough." }, 202);
      await until(server, id, "run.completed");
      expect(await get(server, `/v1/plans/${id}`)).toMatchObject({
        status: "completed",
        summary: "Only research.",
        steps: [{ id: "research", status: "completed" }],
        output: { findings: expect.any(Array) },
      });
    } finally {
      await server.stop("SIGKILL");
    }
  }));

Deno.test("an approval that was edited past the check is asked about again", () =>
  withServer({}, async (server) => {
    const { id } = await send(server, "/v1/plans", request({ approve: true }), 202);
    const seq = await until(server, id, "run.waiting");
    const { approval } = await get(server, `/v1/plans/${id}`);
    const { payload } = await get(server, approval.links.self);
    const [first] = payload.steps;
    const circle = { summary: "Round.", steps: [{ ...first, depends_on: [first.id] }] };
    const decide = approval.links.decide;
    await send(server, decide, { decision: "approve", payload: circle }, 200);
    await until(server, id, "run.waiting", seq);
    const next = await get(server, `/v1/plans/${id}`);
    expect(next.approval.id).not.toBe(approval.id);
    expect((await get(server, next.approval.links.self)).preview)
      .toContain("the steps depend on each other: research → research");
    await send(server, `/v1/plans/${id}/cancel`, { reason: "enough" }, 202);
    await until(server, id, "run.cancelled");
    expect(await get(server, `/v1/plans/${id}`)).toMatchObject({ status: "cancelled" });
  }));

Deno.test("a rejected plan is made anew with the comment; without one the plan ends", () =>
  withServer({}, async (server) => {
    const { id } = await send(server, "/v1/plans", request({ approve: true }), 202);
    const seq = await until(server, id, "run.waiting");
    await send(server, `/v1/plans/${id}/reject`, { comment: "Skip the review." }, 202);
    await until(server, id, "run.waiting", seq);
    const plan = await get(server, `/v1/plans/${id}`);
    expect(plan).toMatchObject({ status: "awaiting_approval", round: 2 });
    expect(Object.keys(statuses(plan))).toEqual(["research", "research_2", "outline", "draft"]);
    await send(server, `/v1/plans/${id}/reject`, {}, 202);
    await until(server, id, "run.failed");
    const ended = await get(server, `/v1/plans/${id}`);
    expect(ended).toMatchObject({ status: "failed", error: { code: "approval_rejected" } });
    expect(new Set(Object.values(statuses(ended)))).toEqual(new Set(["skipped"]));
  }));

/** A pipeline that always fails. */
const BROKEN = `name: always_broken
description: Breaks.
version: 1
start: a
nodes:
  a: { transform: "\${ $error('it is broken') }" }
`;

Deno.test("what fails is planned around, or ends among the dead letters with all its state", () =>
  withHome({ "pipelines/always_broken.yaml": BROKEN }, async (home) => {
    const server = await startServer({ home });
    try {
      const goal = "Run always_broken. Research timber.";
      const ask = request({ goal });
      const plan = await send(server, "/v1/plans", ask, 200, { prefer: "wait=20" });
      expect(plan).toMatchObject({
        status: "completed",
        round: 3,
        summary: expect.stringContaining("without pipeline always_broken, which failed"),
        steps: [{ id: "research", status: "completed", round: 1 }],
        earlier_plans: [
          { round: 1, failed: [{ id: "always_broken", error: { code: "child_failed" } }] },
          { round: 2, failed: [{ id: "always_broken" }] },
        ],
      });
      const failed = await send(server, "/v1/plans", { ...ask, max_replans: 0 }, 200, {
        prefer: "wait=20",
      });
      expect(failed).toMatchObject({
        status: "failed",
        error: { code: "plan_failed", details: { finished: ["research"] } },
        steps: [
          { id: "always_broken", status: "failed", run_id: expect.stringContaining(failed.id) },
          { id: "research", status: "completed", output: { findings: expect.any(Array) } },
        ],
      });
      const letters = await get(server, "/v1/dead-letters");
      expect(JSON.stringify(letters)).toContain(failed.id);
      // Redriving repeats what failed, not what is finished.
      const { last_seq } = await get(server, `/v1/runs/${failed.id}`);
      await send(server, `/v1/runs/${failed.id}/redrive`, {}, 202);
      await until(server, failed.id, "run.failed", last_seq);
      const journal = await get(server, `/v1/runs/${failed.id}/journal`);
      const started = (key: string) =>
        journal.filter((event: Body) => event.type === "step.started" && event.step === key).length;
      expect([
        started("plan/steps/always_broken"),
        started("plan/steps/research/agent/llm#1"),
      ]).toEqual([2, 1]);
    } finally {
      await server.stop("SIGKILL");
    }
  }));

Deno.test("tools do what is theirs: a data set, a calculation, at the same time", () =>
  withServer({}, async (server) => {
    const headers = { "content-type": "text/csv" };
    const body = "city,people\nGraz,303000\nLinz,213000\n";
    const uploaded = await fetch(`${server.url}/v1/artifacts?name=cities.csv`, {
      method: "POST",
      headers,
      body,
    });
    const { uri } = await uploaded.json();
    const goal = `Profile ${uri}. Calculate 12 * (3 + 4).`;
    const plan = await send(server, "/v1/plans", { goal }, 200, { prefer: "wait=30" });
    expect(plan).toMatchObject({
      status: "completed",
      steps: [
        { id: "data", kind: "tool", name: "dataset", status: "completed", depends_on: [] },
        { id: "calculation", kind: "tool", status: "completed", output: { result: 84 } },
      ],
    });
    expect(JSON.stringify(plan.output.data)).toContain("people");
    const [data, calculation] = plan.steps;
    expect(data.started_at < calculation.ended_at && calculation.started_at < data.ended_at)
      .toBe(true);
  }));
