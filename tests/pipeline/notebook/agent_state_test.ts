import { expect } from "expect";
import { agentState } from "../../../pipeline/notebook/agent_state.ts";

const INPUT = { user_goal: "Find out", dataset_url: "https://x/y.csv" };

Deno.test("agentState() begins with the goal and nothing else", () => {
  expect(agentState(INPUT, {}, "research_agent")).toEqual({
    messages: [{ role: "user", content: "Find out" }],
    user_goal: "Find out",
    dataset_info: { file_path: "https://x/y.csv" },
    research_plan: [],
    code_context: {},
    review_feedback: [],
    human_approval: "PENDING",
    next_step: "research_agent",
  });
});

Deno.test("agentState() shows the approved code, and before that the proposed one", () => {
  const nodes = {
    data_engineering_agent: { code: "proposed" },
    human_approval: { decision: "approved", payload: { code: "edited" } },
  };
  const about = (next_step: string, given: object = nodes) => {
    const { human_approval, code_context } = agentState(INPUT, { ...given }, next_step);
    return [human_approval, code_context.eda_code];
  };
  expect(about("browser_agent")).toEqual(["APPROVED", "edited"]);
  expect(about("human_approval")).toEqual(["PENDING", "proposed"]);
  const rejected = { ...nodes, human_approval: { decision: "rejected", payload: { code: "old" } } };
  expect(about("data_engineering_agent", rejected)).toEqual(["REJECTED", "proposed"]);
});

Deno.test("agentState() bears outputs of any shape", () => {
  const nodes = {
    research_agent: "text",
    feedback: [1, null],
    human_approval: [],
    browser_agent: "printed",
    ml_worker: { rows: 3 },
    critic_agent: { feedback: ["bad"] },
  };
  const state = agentState({}, nodes, "end");
  expect(state.user_goal).toBe("");
  expect(state.messages.map(({ content }) => content)).toEqual(["", "printed", '{"rows":3}']);
});
