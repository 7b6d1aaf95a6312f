import { expect } from "expect";
import { parseEnv } from "node:util";
import { VARIABLE_NAMES } from "../../config/variables.ts";
import { readConfig } from "../../config.ts";
import { generate } from "../../dev/config_docs.ts";

Deno.test("generate() documents every variable in both files", () => {
  const files = generate();
  for (const name of VARIABLE_NAMES) {
    expect(files["docs/configuration.md"]).toContain(`\n### \`${name}\`\n\n`);
    expect(files[".env.example"]).toContain(`\n# ${name}=`);
  }
  for (const text of Object.values(files)) expect(text).not.toContain("undefined");
});

for (const [path, text] of Object.entries(generate())) {
  Deno.test(`${path} is up to date: \`deno task docs\` writes it`, async () => {
    expect(await Deno.readTextFile(new URL(`../../${path}`, import.meta.url))).toBe(text);
  });
}

Deno.test("generate() makes an .env.example that sets nothing until it is edited", () => {
  const example = generate()[".env.example"] ?? "";
  expect(parseEnv(example)).toEqual({});
});

Deno.test("generate() gives examples that the configuration takes", () => {
  const edited = (generate()[".env.example"] ?? "").replaceAll(/^# (?=[A-Z_]+=)/gm, "");
  const env = parseEnv(edited);
  expect(Object.keys(env)).toEqual(VARIABLE_NAMES);
  // Both name the server of the provider: each is valid without the other.
  for (const name of ["LLM_BASE_URL", "OPENAI_BASE_URL"]) {
    expect(readConfig({ ...env, [name]: undefined }).models.provider).toBe("openai");
  }
});
