/** The shapes that documents and searches have when they come from outside. @module */
import * as z from "zod";
import { MAX_RESULTS } from "./document.ts";

const MAX_FIELDS = 50;

/** Names of collections: they become parts of keys and addresses. */
export const collectionName = z.string().regex(
  /^[A-Za-z0-9_.-]{1,64}$/,
  "must be 1 to 64 characters of A–Z a–z 0–9 _ . -",
);

const fieldName = z.string().min(1).max(100);
const text = z.string().max(1_000);
const scalar = z.union([text, z.number(), z.boolean()], {
  error: "must be a string, a number, or true or false",
});

/** What documents may say of themselves. */
export const metadata = z.record(
  fieldName,
  z.union([scalar, z.array(text).max(100)], {
    error: "must be a string, a number, true or false, or an array of strings",
  }),
).refine((fields) => Object.keys(fields).length <= MAX_FIELDS, {
  error: `must have at most ${MAX_FIELDS} fields`,
});

const range = z.strictObject({
  gte: z.union([text, z.number()]).optional(),
  lte: z.union([text, z.number()]).optional(),
  in: z.array(scalar).max(1_000).optional(),
}).refine((range) => Object.keys(range).length > 0, { error: "must have gte, lte or in" });

/** Conditions on metadata. */
export const filter = z.record(
  fieldName,
  z.union([scalar, z.array(text).max(100), range], {
    error: "must be a value, an array of strings, or { gte, lte, in }",
  }),
).refine((fields) => Object.keys(fields).length <= MAX_FIELDS, {
  error: `must have at most ${MAX_FIELDS} fields`,
});

/** What may be searched for. */
export const searchRequest = z.strictObject({
  query: z.string().trim().min(1, "must not be empty").max(10_000),
  collection: collectionName.optional(),
  limit: z.int().min(1).max(MAX_RESULTS).optional(),
  filter: filter.optional(),
});
