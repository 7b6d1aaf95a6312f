import { expect } from "expect";
import { VARIABLE_NAMES } from "../../config/variables.ts";
import {
  createOpenaiModel,
  keyVariables,
  type Provider,
  ROWS,
  type Vendor,
} from "../../llm/mod.ts";
import { priceOf } from "../../llm/usage.ts";
import { KEY, MOCKS, test } from "./_setup.ts";

const README = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

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

  test(`the row of ${name} has an adapter that speaks in its name and has a mock`, () => {
    const access = { provider: name, apiKey: KEY, baseUrl: address ?? "http://here.test" };
    const client = row.create({ ...access, projects: {}, fetch: globalThis.fetch });
    expect(client.provider).toBe(name);
    expect(MOCKS.has(row.create)).toBe(true);
  });

  test(`the row of ${name} is in README.md, if it has a key`, () => {
    if (address === null) return;
    expect(README).toContain(row.title);
    expect(README).toContain(keys[0]);
  });

  test(`the row of ${name} has a price for its default model`, () => {
    if (default_model === null || row.projects) return;
    expect(priceOf(`${name}/${default_model}`)).toBeDefined();
  });
}

test("every adapter belongs to a row", () => {
  const used = ROWS.map(([, { create }]) => create);
  for (const adapter of MOCKS.keys()) expect(used).toContain(adapter);
});

test("a row without a part, or with a null that its provider does not allow, does not compile", () => {
  const vendor: Vendor = {
    title: "Acme",
    keys: ["ACME_API_KEY"],
    base_url: "ACME_BASE_URL",
    address: "https://api.acme.test/v1",
    default_model: "m",
    prices: {},
    create: createOpenaiModel,
  };
  const rows: Provider[] = [
    vendor,
    // @ts-expect-error -- nothing chooses it
    { ...vendor, keys: [] },
    // @ts-expect-error -- no other address can be set
    { ...vendor, base_url: null },
    // @ts-expect-error -- it is nowhere
    { ...vendor, address: null },
    // @ts-expect-error -- agents that name no model have none
    { ...vendor, default_model: null },
  ];
  expect(rows.length).toBe(5);
});

test("keyVariables() names each provider's key", () => {
  const names = ROWS.flatMap(([, { keys }]) => keys.slice(0, 1));
  expect(keyVariables().split(/, | or /)).toEqual(names);
  expect(keyVariables()).toMatch(/^\w+(, \w+)* or \w+$/);
});
