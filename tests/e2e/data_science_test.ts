/** From a goal and a real data set to a trained model, over HTTP, without a key or any service. */
import { expect } from "expect";
import type { AgentState } from "../../pipeline/notebook/agent_state.ts";
import { type Body, untilEvent } from "./_api.ts";
import { PROJECT, withServer } from "./_process.ts";

const CSV = await Deno.readTextFile(`${PROJECT}/tests/data/penguins.csv`);
const [HEADER, ...ROWS] = CSV.trim().split("\n").map((line) => line.split(","));
const GOAL = "Predict the body mass of penguins from their measurements";

/** A column's numbers by row; nothing where one is missing. */
function column(name: string): (number | undefined)[] {
  const at = HEADER!.indexOf(name);
  return ROWS.map((row) => row[at] === "" ? undefined : Number(row[at]));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Pearson's correlation of the rows where both are known. */
function correlation(a: string, b: string): number {
  const pairs = column(a).map((x, at) => [x, column(b)[at]] as const)
    .filter((pair): pair is readonly [number, number] => !pair.includes(undefined));
  const [mx, my] = [mean(pairs.map(([x]) => x)), mean(pairs.map(([, y]) => y))];
  const sum = (f: (x: number, y: number) => number) =>
    pairs.reduce((total, [x, y]) => total + f(x - mx, y - my), 0);
  return sum((x, y) => x * y) / Math.sqrt(sum((x) => x * x) * sum((_, y) => y * y));
}

/** Requests to one server. */
function client(url: string) {
  const json = async (path: string, init?: RequestInit): Promise<Body> =>
    await (await fetch(url + path, init)).json();
  const post = (path: string, body?: unknown) =>
    json(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { url, json, post, upload: () => upload(url) };
}

type Client = ReturnType<typeof client>;

async function upload(url: string): Promise<Body> {
  const answer = await fetch(`${url}/v1/artifacts?name=penguins.csv`, {
    method: "POST",
    headers: { "content-type": "text/csv" },
    body: CSV,
  });
  expect(answer.status).toBe(201);
  return await answer.json();
}

/** A workflow that waits. */
interface Begun {
  id: string;
  run: string;
  /** The number of the event that says so. */
  seq: number;
}

/** Starts a workflow and follows it to its first approval. */
async function begin({ post, url, upload }: Client): Promise<Begun> {
  const { uri } = await upload();
  const { workflow_id: id } = await post("/workflow/start", { user_goal: GOAL, dataset_url: uri });
  const run = id.replace("wf-", "run_");
  return { id, run, seq: await until(url, run, "run.waiting") };
}

/** Follows a run until an event of this type comes. @returns its number */
function until(url: string, run: string, type: string, after = 0): Promise<number> {
  return untilEvent(`${url}/v1/runs/${run}/events`, type, { after, timeout_ms: 180_000 });
}

Deno.test("a goal and an uploaded file become figures, plots and a model", () =>
  withServer({}, async ({ url }) => {
    const api = client(url);
    const { id, run } = await begin(api);
    const waiting = await api.json(`/workflow/${id}/status`);
    expect(waiting.status).toBe("awaiting_approval");
    expect(waiting.pending_approval.preview).toContain("import charts");

    await api.post(`/workflow/${id}/approve`);
    await until(url, run, "run.completed");
    const state: AgentState = await api.json(`/workflow/${id}/state`);
    const { eda_result, ml_result } = state.code_context as Record<string, Body>;
    const known = column("Body Mass (g)").filter((value) => value !== undefined);
    expect(eda_result).toMatchObject({
      executed: true,
      exit_code: 0,
      result: {
        rows: ROWS.length,
        columns: 7,
        target: "Body Mass (g)",
        missing: { "Body Mass (g)": 2, "Sex": ROWS.filter((row) => row[6] === "").length },
      },
    });
    expect(eda_result!.result.target_mean).toBeCloseTo(mean(known), 5);
    for (const name of ["Flipper Length (mm)", "Beak Length (mm)", "Beak Depth (mm)"]) {
      const found = eda_result!.result.correlation[name];
      expect([name, found]).toEqual([name, expect.closeTo(correlation(name, "Body Mass (g)"), 3)]);
    }

    expect(ml_result).toMatchObject({ executed: true, exit_code: 0 });
    const { metrics, baseline, rows, test_rows } = ml_result!.result;
    expect({ rows, test_rows }).toEqual({ rows: known.length, test_rows: 68 });
    expect(metrics.rmse).toBeLessThan(baseline.rmse / 2);
    expect(metrics.r2).toBeGreaterThan(0.75);
    expect(state.review_feedback.map(({ message }) => message)).toContain(
      `rmse is ${metrics.rmse}; the baseline has ${baseline.rmse}.`,
    );
    await checkPlots(api, run, [...eda_result!.artifacts, ...ml_result!.artifacts]);
  }));

/** Every plot that the results name is a file of the run and can be downloaded as SVG. */
async function checkPlots({ url, json }: Client, run: string, named: Body[]): Promise<void> {
  const { artifacts } = await json(`/v1/runs/${run}/artifacts`);
  expect(artifacts.map(({ id }: Body) => id).sort()).toEqual(named.map(({ id }) => id).sort());
  expect(named.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["correlation.svg", "target.svg", "predictions.svg", "importance.svg"]),
  );
  for (const plot of named) {
    const answer = await fetch(url + plot.url);
    expect(answer.headers.get("content-type")).toBe("image/svg+xml");
    expect(answer.headers.get("content-disposition")).toMatch(/^attachment/);
    const svg = await answer.text();
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(svg).not.toContain("NaN");
  }
}

Deno.test("code that fails comes back mended, for a new approval", () =>
  withServer({}, async ({ url }) => {
    const api = client(url);
    const { id, run, seq } = await begin(api);
    const { pending_approval: asked } = await api.json(`/workflow/${id}/status`);
    const code =
      "print('looking')\nprint(open('/data/dataset.csv').read(7))\nraise KeyError('mass')";
    await api.post(asked.links.decide, { decision: "approve", payload: { code } });
    await until(url, run, "run.waiting", seq);
    const status = await api.json(`/workflow/${id}/status`);
    expect(status).toMatchObject({ status: "awaiting_approval", feedback_count: 1 });
    expect(status.pending_approval.id).not.toBe(asked.id);
    const state: AgentState = await api.json(`/workflow/${id}/state`);
    expect(state.review_feedback).toEqual([
      { from: "browser_agent", message: expect.stringContaining("KeyError: 'mass'") },
    ]);
    expect((state.code_context.eda_result as Body).stdout).toBe("looking\nSpecies\n");
    expect((await api.json(`/v1/runs/${run}/artifacts`)).artifacts).toEqual([]);
  }));
