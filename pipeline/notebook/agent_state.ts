/**
 * What the agents of the pipeline `data-science` share. The same function shapes it while the run is
 * in progress and as the run's output.
 *
 * @module
 */
import type { Json } from "../kernel/mod.ts";
import type { Task } from "../nodes/mod.ts";

/** One message of the conversation between the user, the agents and the services. */
export interface StateMessage {
  role: "user" | "assistant" | "tool";
  /** The node that speaks; absent: the one who started the run. */
  name?: string;
  content: string;
}

/** One remark: of a person who rejected, of code that failed, or of the critic. */
export interface Feedback {
  from: string;
  message: string;
  severity?: string;
  about?: string;
}

/** The state of a data-science workflow. */
export interface AgentState {
  messages: StateMessage[];
  user_goal: string;
  dataset_info: Json;
  research_plan: string[];
  code_context: { eda_code?: Json; eda_result?: Json; ml_code?: Json; ml_result?: Json };
  /** Comments of rejections, errors of code that failed, then what the critic says. */
  review_feedback: Feedback[];
  human_approval: "PENDING" | "APPROVED" | "REJECTED";
  /** The node that is at work or comes next; `end` after the last one. */
  next_step: string;
}

/** Any JSON object; fields that are something else than expected count as missing. */
export type Fields = Record<string, Json | undefined>;

/**
 * Shapes the state.
 *
 * @param input the run's input
 * @param nodes the latest output of each node that has run
 */
export function agentState(input: Fields, nodes: Fields, next_step: string): AgentState {
  const research = fields(nodes.research_agent);
  const engineering = fields(nodes.data_engineering_agent);
  const approval = fields(nodes.human_approval);
  return {
    messages: conversation(input, nodes),
    user_goal: text(input.user_goal),
    dataset_info: research.dataset_info ?? { file_path: input.dataset_url ?? null },
    research_plan: items(research.research_plan).filter((step) => typeof step === "string"),
    code_context: present({
      eda_code: decided(approval, next_step) === "APPROVED"
        ? fields(approval.payload).code
        : engineering.code,
      eda_result: nodes.browser_agent,
      ml_code: fields(nodes.ml_agent).code,
      ml_result: nodes.ml_worker,
    }),
    review_feedback: [
      ...items(nodes.feedback),
      ...[...items(nodes.eda_failures), ...items(nodes.ml_failures)]
        .map((failure) => ({ from: fields(failure).from, message: fields(failure).message })),
      ...items(fields(nodes.critic_agent).feedback)
        .map((remark) => ({ from: "critic_agent", ...fields(remark) })),
    ] as unknown as Feedback[],
    human_approval: decided(approval, next_step),
    next_step,
  };
}

/** The task `agent_state`: the state at the end of the run, from the node's default input. */
export const agentStateTask: Task = {
  effect: "none",
  run: (input) => agentState(fields(input), fields(input), "end") as unknown as Json,
};

/** What was decided last, unless it is asked again right now. */
function decided({ decision }: Fields, next_step: string): AgentState["human_approval"] {
  if (next_step === "human_approval") return "PENDING";
  return decision === "approved" ? "APPROVED" : decision === "rejected" ? "REJECTED" : "PENDING";
}

function conversation(input: Fields, nodes: Fields): StateMessage[] {
  const said = (role: StateMessage["role"], name: string, content: string) =>
    content === "" ? [] : [{ role, name, content }];
  const { summary, research_plan } = fields(nodes.research_agent);
  const plan = [text(summary), ...items(research_plan).map((step, i) => `${i + 1}. ${text(step)}`)];
  return [
    { role: "user", content: text(input.user_goal) },
    ...said("assistant", "research_agent", plan.filter(Boolean).join("\n")),
    ...items(nodes.feedback).flatMap((comment) =>
      said("user", "human_approval", text(fields(comment).message))
    ),
    ...said("assistant", "data_engineering_agent", explanation(nodes.data_engineering_agent)),
    ...said("tool", "browser_agent", result(nodes.browser_agent)),
    ...said("assistant", "ml_agent", explanation(nodes.ml_agent)),
    ...said("tool", "ml_worker", result(nodes.ml_worker)),
    ...said("assistant", "critic_agent", text(fields(nodes.critic_agent).summary)),
  ];
}

function explanation(output: Json | undefined): string {
  return text(fields(output).explanation);
}

function result(output: Json | undefined): string {
  if (output === undefined || output === null) return "";
  const { message } = fields(output);
  return text(message) || (typeof output === "string" ? output : JSON.stringify(output));
}

/** The value as an object; anything else is an empty one. */
export function fields(value: Json | undefined): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function items(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

function present<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined),
  ) as Partial<T>;
}
