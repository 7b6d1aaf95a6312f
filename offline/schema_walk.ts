/**
 * What the parts of the schema filler share.
 *
 * @module
 */
import type { JsonSchema } from "../llm/mod.ts";

/** What values are taken from. */
export interface Evidence {
  ask: string;
  title: string;
  /** The most telling sentences, best first. */
  sentences: string[];
  /** All of it, bounded. */
  text: string;
}

/** The walk through a schema. */
export interface Walk {
  root: JsonSchema;
  evidence: Evidence;
  /** Name of the property being filled; empty at the root. */
  name: string;
  depth: number;
  /** Values that may still be made: schemas that refer to themselves have no end. */
  budget: { left: number };
}
