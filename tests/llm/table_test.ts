import { expect } from "expect";
import { VARIABLE_NAMES } from "../../config/variables.ts";
import { ROWS } from "../../llm/mod.ts";
import { priceOf } from "../../llm/prices.ts";
import { test } from "./_setup.ts";

for (const [name, row] of ROWS) {
  const { keys, base_url, address, default_model, projects = {} } = row;

  test(`the row of ${name} names variables of its own that the configuration knows`, () => {
    const own = [...keys, ...(base_url ? [base_url] : []), ...Object.values(projects)];
    expect(VARIABLE_NAMES).toEqual(expect.arrayContaining(own));
    const others = ROWS.filter(([other]) => other !== name)
      .flatMap(([, other]) => [...other.keys, other.base_url]);
    expect(own.filter((variable) => others.includes(variable))).toEqual([]);
  });

  test(`the row of ${name} has a name and an address that can be used`, () => {
    expect(name).toMatch(/^[a-z-]+$/);
    if (address === null) return;
    expect(new URL(address).protocol).toBe("https:");
    expect(address).not.toMatch(/\/$/);
  });

  test(`the row of ${name} has a price for its default model`, () => {
    if (default_model === null || row.projects) return;
    expect(priceOf(`${name}/${default_model}`)).toBeDefined();
  });
}
