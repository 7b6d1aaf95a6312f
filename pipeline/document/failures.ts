/** What a zod schema has against a value, with messages for people who write documents. @module */
import * as z from "zod";
import { type Path, unknownName } from "../../json/mod.ts";

/** One thing that is wrong, and where in the document. */
export interface Problem {
  path: Path;
  /** What is wrong and how to mend it. */
  message: string;
}

/** What is wrong with `value`, which stands at `path`; empty when it fits. */
export function schemaFailures(schema: z.ZodType, value: unknown, path: Path): Problem[] {
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).flatMap((issue) => failures(schema, value, path, issue));
}

function failures(
  schema: z.ZodType,
  value: unknown,
  path: Path,
  issue: z.core.$ZodIssue,
): Problem[] {
  const at = issue.path.map((part) => typeof part === "symbol" ? String(part) : part);
  const here = [...path, ...at];
  if (issue.code === "unrecognized_keys") {
    const fields = fieldsAt(schema, at);
    return issue.keys.map((key) => ({
      path: [...here, key],
      message: unknownName("field", key, fields),
    }));
  }
  if (valueAt(value, at) === undefined) {
    return [{ path: here.slice(0, -1), message: `the field "${at.at(-1)}" is missing: add it` }];
  }
  if (issue.code === "invalid_union") {
    const meant = issue.errors.find((option) => !option.some(isOtherType));
    const inner = meant?.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
    if (inner) return inner.flatMap((one) => failures(schema, value, path, one));
  }
  const { message } = issue.code === "invalid_key" ? issue.issues[0] ?? issue : issue;
  return [{ path: here, message }];
}

/** An option of a union that wants another type altogether is not the one that was meant. */
function isOtherType({ path, code }: z.core.$ZodIssue): boolean {
  return path.length === 0 && code !== "unrecognized_keys";
}

/** The fields that an object may have at a place of a schema. */
function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let here = inner(schema, path[0]);
  path.forEach((part, index) => {
    here = inner(childOf(here, part), path[index + 1]);
  });
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function childOf(schema: z.ZodType | undefined, part: string | number): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[part];
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
}

/** What is inside an optional, and the option of a union that has a child `part`. */
function inner(schema: z.ZodType | undefined, part: string | number | undefined) {
  let here = schema;
  while (here instanceof z.ZodOptional || here instanceof z.ZodUnion) {
    if (here instanceof z.ZodOptional) here = here.unwrap() as z.ZodType;
    else {
      const wanted = typeof part === "number" ? z.ZodArray : z.ZodObject;
      here = (here.options as z.ZodType[]).find((option) => option instanceof wanted);
    }
  }
  return here;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (here, part) => (here as Record<string | number, unknown> | undefined)?.[part],
    value,
  );
}
