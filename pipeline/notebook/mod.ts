/** The workflow of data science: its state, and the code its agents write. @module */
export { type AgentState, agentState, agentStateTask, type Fields, fields } from "./agent_state.ts";
export { type Environment, environmentsTask } from "./environment.ts";
export { giveUpTask } from "./give_up.ts";
export { createNotebook, NOTEBOOK_SERVICES } from "./notebook.ts";
