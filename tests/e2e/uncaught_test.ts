/** Errors that nothing catches, in a process of its own. */
import { expect } from "expect";
import { chat, follow, post } from "./_api.ts";
import { runProgram, source, startServer, withHome } from "./_process.ts";

const CARELESS = source("tests/e2e/_careless.ts");
const HOME = {
  "pipelines/careless.yaml": `name: careless
version: 1
start: fail
nodes:
  fail: { task: careless, with: { times: "\${ input.times }" } }
`,
};

Deno.test("a server survives errors that nothing catches, and logs some of them", () =>
  withHome(HOME, async (home) => {
    const server = await startServer({ home, command: CARELESS });
    try {
      const start = async (times: number) => {
        const body = { pipeline: "careless", input: { times } };
        const { id } = await (await post(`${server.url}/v1/runs`, body)).json();
        expect((await follow(server.url, id)).at(-1)?.type).toBe("run.completed");
      };
      await start(1);
      for (const how of ["promise", "microtask", "timer", "listener"]) {
        expect(server.logs()).toContain(`careless ${how}`);
      }
      expect(server.logs()).toContain('"message":"unhandled rejection"');
      expect(server.logs()).toContain('"message":"uncaught error"');
      await start(1_000);
      expect((await chat(server.url, "Are you there?")).status).toBe("completed");
      // The minute may turn once in between.
      expect(server.logs().match(/careless/g)!.length).toBeLessThan(2 * 2 * 10 + 1);
      expect(server.logs().length).toBeLessThan(2 * 10 * 10_000);
    } finally {
      await server.stop("SIGKILL");
    }
  }));

Deno.test("a run on the command line survives them, too", () =>
  withHome(HOME, async (home) => {
    const args = ["run", "careless", "--input", '{"times":1}', "--json"];
    const { code, stdout, stderr } = await runProgram(args, { home, command: CARELESS });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout).status).toBe("completed");
    expect(stderr).toContain("careless promise");
  }));
