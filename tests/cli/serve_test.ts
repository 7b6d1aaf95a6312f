import { Command } from "commander";
import { expect } from "expect";
import { addServe, serve, type ServeDeps } from "../../cli/mod.ts";
import { bannerText } from "../../cli/serve.ts";
import { readConfig } from "../../config.ts";
import { ROWS } from "../../llm/mod.ts";

const unused = () => {
  throw new Error("not expected");
};
const deps: ServeDeps = {
  config: (variables) => readConfig({ ORCHESTRATOR_HOME: "/nowhere", ...variables }),
  log: unused,
  create: unused,
  exit: unused,
};

function program() {
  const said: string[] = [];
  const write = (text: string) => void said.push(text);
  const program = new Command("orchestrator").exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
  addServe(program, deps);
  return { said, parse: (...args: string[]) => program.parseAsync(args, { from: "user" }) };
}

Deno.test("what is wrong with an option is reported under the option's name", async () => {
  const wrong = serve(deps, { PORT: "99999", HOST: "0.0.0.0" });
  await expect(wrong).rejects.toMatchObject({ code: "config_invalid" });
  const { message } = await wrong.catch((error) => error);
  expect(message).toMatch(/^Cannot start the server: fix these options\.\n- --/);
  expect(message).toMatch(/- --port must be .* but is "99999"\. Example: --port 8000\./);
  expect(message).not.toContain("HOST=");
  expect(message).not.toContain(".env");
});

Deno.test("what is wrong with a variable is told of the variable", async () => {
  const config = (variables: Record<string, string | undefined>) =>
    deps.config({ RUN_CONCURRENCY: "none", ...variables });
  await expect(serve({ ...deps, config }, { PORT: "1" })).rejects
    .toThrow(/in the environment or in \.env\.\n- RUN_CONCURRENCY/);
});

Deno.test("what is likely a mistake in the environment is logged before the server starts", async () => {
  const logged: unknown[] = [];
  const log = { warn: (message: string, fields: unknown) => logged.push([message, fields]) };
  const suspicions = () => [{ location: "REDIS_URL", message: "is not supported yet" }];
  const create = () => Promise.reject(new Error("not now"));
  const started = serve({ ...deps, suspicions, create, log: () => log as never });
  await expect(started).rejects.toThrow("not now");
  expect(logged).toEqual([
    ["a setting has no effect", { setting: "REDIS_URL", issue: "is not supported yet" }],
  ]);
});

Deno.test("a command that there is not gets a suggestion", async () => {
  const { said, parse } = program();
  await expect(parse("sevre")).rejects.toThrow();
  expect(said.join("")).toContain('error: unknown command "sevre"; did you mean "serve"?');
});

Deno.test("serve takes no argument, its help says so", async () => {
  const { said, parse } = program();
  await expect(parse("serve", "--help")).rejects.toMatchObject({ exitCode: 0 });
  expect(said.join("")).toContain("Usage: orchestrator serve [options]\n");
  expect(said.join("")).not.toContain("[command]");
});

Deno.test("the banner names the key of every provider while the offline model answers", () => {
  const models = readConfig({}).models;
  const banner = bannerText({ home: "/home/o", models }, "http://127.0.0.1:8000");
  for (const [, { keys: [key] }] of ROWS) if (key) expect(banner).toContain(key);
  const chosen = bannerText({ home: "/home/o", models: { ...models, provider: "openai" } }, "x");
  expect(chosen).not.toContain("_KEY");
});
