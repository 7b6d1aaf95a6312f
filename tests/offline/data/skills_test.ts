import { expect } from "expect";
import fc from "fast-check";
import { criticize, explore, researchData, train } from "../../../offline/data/mod.ts";
import type { Material } from "../../../offline/material.ts";
import { ask, outputSchema } from "../_setup.ts";
import { compilesAsPython } from "./_python.ts";

const CHURN = {
  user_goal: "Build a customer churn prediction model",
  dataset_url: "https://example.com/churn.csv",
};
const GOALS = {
  classification: CHURN.user_goal,
  regression: "Predict house prices from size and city",
  forecast: "Forecast the sales of the next month",
  clustering: "Segment customers into similar groups",
};

function material(fields: Record<string, unknown>): Material {
  return { fields, ask: "", context: {}, documents: [], history: [] };
}

/** What three agents make of a goal, one after the other. */
function work(given: Record<string, unknown>) {
  const fields = { ...CHURN, ...given };
  const research = researchData(material(fields));
  const eda = explore(material({ ...fields, research }));
  const ml = train(material({ ...fields, research }));
  return {
    fields: { ...fields, research, eda_code: eda.code, ml_code: ml.code },
    research,
    eda,
    ml,
  };
}

Deno.test("research reads task, target and data set from the goal and plans five steps", () => {
  const { research } = work({});
  expect(research).toMatchObject({
    task_type: "classification",
    target: ["churn", "customer"],
    dataset_info: { file_path: "https://example.com/churn.csv", format: "csv" },
  });
  expect(research.research_plan).toHaveLength(5);
  expect(research.research_plan[0]).toContain("https://example.com/churn.csv");
  expect(research.research_plan[1]).toContain("churn");
});

Deno.test("research tells the four kinds of task apart and says when it only assumes one", () => {
  for (const [task, user_goal] of Object.entries(GOALS)) {
    const { research } = work({ user_goal });
    expect([user_goal, research.task_type]).toEqual([user_goal, task]);
  }
  const { research } = work({ user_goal: "Do something with this" });
  expect(research.dataset_info.notes[0]).toContain("is assumed");
  expect(research.target).toEqual(["something"]);
});

Deno.test("the code reads the data set in its format", () => {
  const read = (dataset_url: string) => /^frame = (.*)$/m.exec(work({ dataset_url }).eda.code)?.[1];
  expect(read("https://x/a.csv")).toBe("pd.read_csv(DATASET)");
  expect(read("https://x/a.tsv?v=1")).toBe('pd.read_csv(DATASET, sep="\\t")');
  expect(read("https://x/a.parquet")).toBe("pd.read_parquet(DATASET)");
  expect(read("https://x/a.jsonl")).toBe("pd.read_json(DATASET, lines=True)");
  expect(read("https://x/a.xlsx")).toBe("pd.read_excel(DATASET)");
});

Deno.test("exploration does what reviewers ask for and says what it does not understand", () => {
  const before = work({}).eda.code;
  const { eda } = work({
    feedback: [{ message: "Look at outliers" }, "and plots of the dates", "Make it purple"],
  });
  expect(before).not.toMatch(/interquartile|savefig|to_datetime/);
  expect(eda.code).toContain("interquartile");
  expect(eda.code).toContain("savefig");
  expect(eda.code).toContain("to_datetime");
  expect(eda.code).toContain("# 1. Look at outliers (see outliers)");
  expect(eda.code).toContain("# 3. Make it purple (not understood by the offline model");
  expect(eda.explanation).toContain("Answers 2 of 3 review comments.");
});

Deno.test("what users write cannot leave its string or comment", () => {
  const evil = 'x"\n\'\'\'\nimport os; os.system("rm")\r\u2028os.system("rm")\f';
  const { eda, ml } = work({ user_goal: evil, dataset_url: evil, feedback: [evil] });
  for (const { code } of [eda, ml]) {
    const loose = code.split(/[\n\r\f]/).filter((line) => /os\.system/.test(line))
      .filter((line) => !/^#|^DATASET = "/.test(line));
    expect(loose).toEqual([]);
  }
});

Deno.test("the generated code is valid Python for every kind of task and any goal", async () => {
  const all = Object.values(GOALS).flatMap((user_goal) =>
    [[], [
      "missing values, duplicates, class balance, outliers, correlation, dates, categories, plots",
    ]]
      .map((feedback) => work({ user_goal, feedback }))
  );
  const odd = fc.sample(
    fc.record({ user_goal: fc.string({ unit: "binary" }), dataset_url: fc.string() }),
    {
      numRuns: 20,
      seed: 1,
    },
  ).map((given) => work({ ...given, feedback: [given.user_goal] }));
  const sources = [...all, ...odd].flatMap(({ eda, ml }) => [eda.code, ml.code]);
  expect(await compilesAsPython(sources)).toEqual([]);
});

Deno.test("the critic finds its own colleagues' code fine, but says that it has not run", () => {
  const goals = Object.values(GOALS).flatMap((user_goal) =>
    [true, false].map((has_packages) => ({ user_goal, environment: { has_packages } }))
  );
  for (const goal of goals) {
    const { fields } = work(goal);
    const unrun = { embedded: true, executed: false, message: "set BROWSER_AGENT_URL" };
    const critique = criticize(material({ ...fields, eda_result: unrun, ml_result: unrun }));
    expect(critique.verdict).toBe("unverified");
    expect(critique.feedback.map(({ severity }) => severity)).toEqual(["info", "info"]);
    expect(critique.feedback[0]!.message).toBe(
      "The exploration was not run: set BROWSER_AGENT_URL",
    );
    const ran = criticize(
      material({ ...fields, eda_result: { ok: true }, ml_result: { ok: true } }),
    );
    expect(ran).toMatchObject({ verdict: "approved", feedback: [] });
  }
});

Deno.test("the critic finds what is wrong with training code", () => {
  const about = (ml_code: string, given: Record<string, unknown> = {}) => {
    const { fields } = work(given);
    const ran = { ok: true };
    const { verdict, feedback } = criticize(
      material({ ...fields, ml_code, eda_result: ran, ml_result: ran, ...given }),
    );
    return { verdict, text: feedback.map(({ severity, message }) => `${severity}: ${message}`) };
  };
  const load = 'pd.read_csv("https://example.com/churn.csv")  # churn baseline, random_state=1\n';
  expect(about("").text).toEqual(["major: There is no code."]);
  expect(about(load + "f1_score(y, p)").text[0]).toMatch(/^major: Nothing is held out/);
  const held = `${load}train_test_split(x, y)\n`;
  expect(about(held + "f1_score(y, p)")).toEqual({ verdict: "approved", text: [] });
  expect(about(held + "accuracy_score(y, p)")).toEqual({
    verdict: "approved",
    text: ["minor: Accuracy alone misleads when the classes are imbalanced: add ROC AUC or F1."],
  });
  expect(about(held).text).toEqual(["major: No metric fits a classification task."]);
  expect(about(`${load}scaler.fit_transform(x)\ntrain_test_split(x)\nf1_score(y, p)`).text[0])
    .toMatch(/^major: Something is fitted before the split/);
  expect(about("train_test_split(x, y)\nf1_score(y, p)").text).toEqual([
    "major: The code does not load https://example.com/churn.csv.",
    "minor: The code names no target: the goal speaks of churn, customer.",
    "minor: No seed is fixed: another run gives other figures.",
    "minor: There is no baseline to compare the figures with.",
  ]);
  const forecast = { user_goal: "Forecast churn" };
  expect(about(held + "mean_absolute_error(y, p)", forecast).text[0])
    .toMatch(/^major: The rows are split at random/);
});

Deno.test("the critic reads results: failures, leaks and figures below the baseline", () => {
  const about = (ml_result: unknown) =>
    criticize(material({ ...work({}).fields, eda_result: { ok: true }, ml_result })).feedback
      .map(({ severity, message }) => `${severity}: ${message}`);
  expect(about({ error: "KeyError: churn" })).toEqual([
    "major: The training failed: KeyError: churn",
  ]);
  expect(about({ exit_code: 1 })).toEqual(["major: The training failed: exit code 1"]);
  expect(about({ metrics: { roc_auc: 1 } })).toEqual([
    "major: roc_auc of 1 is too good: look for a column that leaks the target.",
  ]);
  expect(about({ stdout: 'x\n{"metrics":{"f1":0.4},"baseline":{"f1":0.5}}' })).toEqual([
    "major: f1 of 0.4 is no better than the baseline's 0.5.",
  ]);
  expect(about({ result: { metrics: { f1: 0.8 }, baseline: { f1: 0.5 } } })).toEqual([
    "info: f1 is 0.8; the baseline has 0.5.",
  ]);
  expect(about(null)).toEqual(["info: The training was not run."]);
});

Deno.test("the critic notices comments that the exploration does not follow", () => {
  const { fields } = work({});
  const ran = { ok: true };
  const heard = (feedback: string[], eda_code: string) =>
    criticize(material({ ...fields, eda_code, feedback, eda_result: ran, ml_result: ran }))
      .feedback;
  const comment = ["Look at outliers"];
  expect(heard(comment, fields.eda_code)[0]).toMatchObject({
    severity: "minor",
    about: "eda_code",
  });
  expect(heard(comment, work({ feedback: comment }).eda.code)).toEqual([]);
});

Deno.test("every skill's answer fits the output schema of its agent", async () => {
  const { fields, research, eda, ml } = work({});
  const answers: [capability: string, agent: string, made: unknown][] = [
    ["data_research", "data_researcher", research],
    ["data_engineering", "data_engineer", eda],
    ["machine_learning", "ml_engineer", ml],
    ["critique", "ml_critic", criticize(material(fields))],
  ];
  for (const [capability, agent, made] of answers) {
    const text = await ask(capability, fields, {
      output: { name: agent, schema: outputSchema(agent) },
    });
    expect(JSON.parse(text)).toEqual(made);
  }
});
