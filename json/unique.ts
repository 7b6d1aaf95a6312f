/**
 * `uniqueItems` in linear time; the validator compares every pair of items.
 *
 * A schema is prepared once: each of its `uniqueItems` becomes an `enum` of everything but arrays
 * with duplicates. Before a validation, one walk over the value marks those.
 *
 * @module
 */
import {
  ignoredKeyword,
  type Schema,
  schemaArrayKeyword,
  schemaMapKeyword,
} from "@cfworker/json-schema";

/**
 * An `enum` of everything but arrays with duplicates. The validator asks it by `some`, with a
 * function that compares the value at hand, and of an array it compares the length first.
 */
export class Distinct {
  #repetitive = false;

  /** The value, equal in all, with its arrays that have duplicates marked. */
  marked<T>(value: T): T {
    return new Marking((array) =>
      new Proxy(array, {
        get: (target, key) => {
          if (key === "length") this.#repetitive = true;
          return Reflect.get(target, key);
        },
      })
    ).of(value).value as T;
  }

  /** Whether the value at hand is allowed. */
  some(isEqual: (value: unknown) => boolean): boolean {
    this.#repetitive = false;
    isEqual([]);
    return !this.#repetitive;
  }
}

/** The schema with `distinct` instead of each `uniqueItems: true`; itself where no such keyword is. */
export function withDistinct<T>(schema: T, distinct: Distinct): T {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    copy[key] = withDistinctIn(key, value, distinct);
  }
  if (copy.uniqueItems === true) {
    delete copy.uniqueItems;
    copy.enum = Array.isArray(copy.enum) ? withoutDuplicates(copy.enum) : distinct;
  }
  const same = Object.entries(schema).every(([key, value]) => copy[key] === value);
  return same ? schema : copy as T;
}

function withDistinctIn(key: string, value: unknown, distinct: Distinct): unknown {
  if (ignoredKeyword[key] || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    if (!schemaArrayKeyword[key]) return value;
    const items = value.map((item) => withDistinct(item, distinct));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  if (!schemaMapKeyword[key]) return withDistinct(value as Schema, distinct);
  const entries = Object.entries(value).map(([name, schema]) =>
    [name, withDistinct(schema, distinct)] as const
  );
  const same = entries.every(([name, schema]) => schema === (value as Schema)[name]);
  return same ? value : Object.fromEntries(entries);
}

/** Those of the allowed values that `uniqueItems` allows too. */
function withoutDuplicates(values: unknown[]): unknown[] {
  return values.filter((value) => {
    let repetitive = false;
    new Marking((array) => {
      repetitive ||= array === value;
      return array;
    }).of(value);
    return !repetitive;
  });
}

/** One walk over a value that replaces arrays with duplicates. */
class Marking {
  /** A number for each value; equal values have the same, as JSON Schema defines equality. */
  readonly #numbers = new Map<string, number>();
  readonly #mark: (array: unknown[]) => unknown[];

  constructor(mark: (array: unknown[]) => unknown[]) {
    this.#mark = mark;
  }

  /** The value with its marks, copied only where there are any, and its number. */
  of(value: unknown): { value: unknown; number: number } {
    if (Array.isArray(value)) return this.#array(value);
    if (typeof value === "object" && value !== null) return this.#object(value);
    return { value, number: this.#number(JSON.stringify(value)) };
  }

  #array(array: unknown[]): { value: unknown; number: number } {
    const items = array.map((item) => this.of(item));
    const numbers = items.map(({ number }) => number);
    const same = items.every(({ value }, index) => value === array[index]);
    const copy = same ? array : items.map(({ value }) => value);
    const repetitive = new Set(numbers).size < numbers.length;
    return {
      value: repetitive ? this.#mark(copy) : copy,
      number: this.#number(`[${numbers}`),
    };
  }

  #object(object: object): { value: unknown; number: number } {
    const fields = Object.entries(object).map(([key, value]) => ({ key, ...this.of(value) }));
    const same = fields.every(({ key, value }) => value === object[key as never]);
    const texts = fields.map(({ key, number }) => `${JSON.stringify(key)}:${number}`).sort();
    return {
      value: same ? object : Object.fromEntries(fields.map(({ key, value }) => [key, value])),
      number: this.#number(`{${texts}`),
    };
  }

  #number(text: string): number {
    const number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }
}
