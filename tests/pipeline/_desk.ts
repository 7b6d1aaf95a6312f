/** Stored pipelines over a database in memory. */
import { createAuthoring } from "../../pipeline/catalog/authoring.ts";
import { createCatalog } from "../../pipeline/catalog/catalog.ts";
import { createDefinitionStore } from "../../pipeline/catalog/programs.ts";
import { createStoredPipelines } from "../../pipeline/catalog/stored_pipelines.ts";
import { openDenoKv, Store } from "../../store/mod.ts";

/** A pipeline document of one node. */
export const document = (name: string, description: string, more = "") =>
  `name: ${name}\ndescription: ${description}\nversion: 1\nstart: a\nnodes:\n  a: { task: echo }\n${more}`;
const NOW = Date.parse("2026-11-21T12:00:00Z");

/** Two processes on one store, with a built-in pipeline and one of the home folder. */
export async function desk(use: (world: World) => Promise<void>): Promise<void> {
  const kv = await openDenoKv(":memory:");
  const root = await Deno.makeTempDir();
  try {
    for (const folder of ["built-in", "home", "agents"]) await Deno.mkdir(`${root}/${folder}`);
    await Deno.writeTextFile(`${root}/built-in/echo.yaml`, document("echo", "Built in."));
    await Deno.writeTextFile(`${root}/home/mine.yaml`, document("mine", "Mine."));
    await Deno.writeTextFile(`${root}/agents/host.md`, "---\n---\nBe kind.\n");
    const time = { now: 0 };
    const processes = await Promise.all(["w1", "w2"].map(async (worker) => {
      const sleep = () => Promise.resolve();
      const store = new Store({ kv, worker, now: () => NOW, sleep, lease_ms: 1000 });
      await store.open();
      const stored = createStoredPipelines(store, () => NOW);
      let looks = 0;
      const catalog = createCatalog({
        roots: {
          pipelines: [`${root}/built-in`, `${root}/home`],
          agents: [`${root}/agents`],
          prompts: [],
        },
        tasks: ["echo"],
        now: () => time.now,
        stored: { snapshot: (...args) => (looks++, stored.snapshot(...args)) },
        definitions: createDefinitionStore(store),
      });
      return { catalog, stored, authoring: createAuthoring(catalog, stored), looks: () => looks };
    }));
    await use({ ...processes[0]!, other: processes[1]!, time, root });
  } finally {
    await kv.close();
    await Deno.remove(root, { recursive: true });
  }
}

/** What one of them has. */
export interface Process {
  catalog: ReturnType<typeof createCatalog>;
  authoring: ReturnType<typeof createAuthoring>;
  looks(): number;
}
/** The first process, and the other one. */
export interface World extends Process {
  other: Process;
  time: { now: number };
  root: string;
}
