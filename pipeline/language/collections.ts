/**
 * Functions of JSONata that the library runs in quadratic time, with the same results in
 * `n log n` time or less.
 *
 * @module
 */
import { canonicalJson } from "../../json/mod.ts";
import { type Budget, LIMITS, type Value } from "./bounds.ts";

/** How many cheap operations run between two looks at the clock. */
const STRIDE = 1_000;

/** Whether the first value belongs after the second. */
type Swap = (left: Value, right: Value) => Promise<boolean>;

/** `$sort`, stable; a comparator sees the same pairs as in the library. */
export function sorter(budget: Budget) {
  return (items: Value, swap?: Swap): Value => {
    if (items === undefined || items.length <= 1) return items;
    return swap ? mergeSort(items, swap, budget) : naturalSort(items, budget);
  };
}

function naturalSort(items: Value[], budget: Budget): Value[] {
  const type = typeof items[0];
  if (type !== "string" && type !== "number" || items.some((item) => typeof item !== type)) {
    throw { code: "D3070", index: 1 };
  }
  let compared = 0;
  return [...items].sort((a, b) => {
    if (++compared % STRIDE === 0) budget.check();
    return a < b ? -1 : a > b ? 1 : 0;
  });
}

async function mergeSort(items: Value[], swap: Swap, budget: Budget): Promise<Value[]> {
  if (items.length <= 1) return items;
  const middle = Math.floor(items.length / 2);
  const left = await mergeSort(items.slice(0, middle), swap, budget);
  const right = await mergeSort(items.slice(middle), swap, budget);
  const merged: Value[] = [];
  let [l, r] = [0, 0];
  while (l < left.length && r < right.length) {
    budget.check();
    merged.push(await swap(left[l], right[r]) ? right[r++] : left[l++]);
  }
  while (l < left.length) merged.push(left[l++]);
  while (r < right.length) merged.push(right[r++]);
  return merged;
}

/** `$distinct`: the library compares every pair. */
export function distinct(this: Value, items: Value): Value {
  if (!Array.isArray(items) || items.length <= 1) return items;
  const unique = new Map<string, Value>();
  for (const item of items) {
    const key = canonicalJson(item) ?? "";
    if (!unique.has(key)) unique.set(key, item);
  }
  const result = (items as Value).sequence ? this.createSequence() : [];
  for (const item of unique.values()) result.push(item);
  return result;
}

/**
 * `$spread`: the library copies what it has so far for every item.
 *
 * @param one the library's own, for values that are no array
 */
export function spreader(one: (this: Value, value: Value) => Value) {
  return function spread(this: Value, value: Value): Value {
    if (!Array.isArray(value)) return one.call(this, value);
    const spreads = value.map((item) => spread.call(this, item)).filter((item) =>
      item !== undefined
    );
    if (spreads.length === 0) return this.createSequence();
    const result = spreads.flat();
    if (result.length > LIMITS.sequence) throw { code: "D2015", value: result.length };
    return result;
  };
}
