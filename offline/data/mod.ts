/** The offline model's skills for work on data sets. @module */
export { criticize } from "./critic.ts";
export { explore } from "./eda.ts";
export { researchData } from "./research.ts";
export { train } from "./train.ts";
