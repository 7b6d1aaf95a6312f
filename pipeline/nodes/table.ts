/**
 * The table of node kinds: a new kind is one file in this folder and its name here. `plan`, which is
 * built on them, joins in `pipeline/document/kinds.ts`.
 *
 * @module
 */
import { agent } from "./agent.ts";
import { approval } from "./approval.ts";
import { call } from "./call.ts";
import { choose } from "./choose.ts";
import { map } from "./map.ts";
import { parallel } from "./parallel.ts";
import { pipeline } from "./pipeline.ts";
import { retrieve } from "./retrieve.ts";
import { task } from "./task.ts";
import { tool } from "./tool.ts";
import { transform } from "./transform.ts";
import { wait } from "./wait.ts";

/** Every kind of this folder by name, in the order in which documents describe them. */
export const nodeKinds = {
  agent,
  task,
  tool,
  call,
  retrieve,
  approval,
  transform,
  choose,
  wait,
  parallel,
  map,
  pipeline,
} as const;
