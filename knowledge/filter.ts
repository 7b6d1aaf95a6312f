/** Conditions on documents' metadata: data to look at, never code. @module */
import type { Filter, FilterRange, Metadata, MetadataValue } from "./document.ts";

/** True when a document's metadata fulfils every condition. A field that is not there fulfils none. */
export function matches(metadata: Metadata, filter: Filter): boolean {
  return Object.entries(filter).every(([field, wanted]) =>
    Object.hasOwn(metadata, field) && fulfils(metadata[field]!, wanted)
  );
}

/** A list fulfils what one of its members fulfils; a wanted list wants all of its members. */
function fulfils(value: MetadataValue, wanted: Filter[string]): boolean {
  if (Array.isArray(wanted)) return wanted.every((one) => fulfils(value, one));
  const values = Array.isArray(value) ? value : [value];
  if (typeof wanted !== "object") return values.some((one) => one === wanted);
  return values.some((one) => within(one, wanted));
}

function within(value: string | number | boolean, { gte, lte, in: choice }: FilterRange): boolean {
  return (gte === undefined || (typeof value === typeof gte && value >= gte)) &&
    (lte === undefined || (typeof value === typeof lte && value <= lte)) &&
    (choice === undefined || choice.includes(value));
}
