import { expect } from "expect";
import { createCatalog } from "../../../pipeline/catalog/catalog.ts";
import { createPipelineOffers } from "../../../pipeline/plans/mod.ts";
import { LOCAL } from "../../_caller.ts";

const PLAN = `name: goals
version: 1
start: work
nodes:
  work: { plan: { goal: "\${ input.goal }" } }
`;
const FILES: Record<string, string> = {
  "pipelines/goals.yaml": PLAN,
  "pipelines/few.yaml": PLAN.replace("name: goals", "name: few")
    .replace('" } }', '", agents: [named] } }'),
  "pipelines/echo.yaml": "name: echo\ndescription: Says it again.\nversion: 1\n" +
    'input: { type: object }\nstart: a\nnodes: { a: { transform: "${ input }" } }\n',
  "pipelines/broken.yaml": "name: broken\n",
  "agents/task_planner.md": "---\ndescription: Plans.\n---\nPlan.\n",
  "agents/free.md": "---\ndescription: Takes anything.\n---\nWork.\n",
  "agents/told.md": "---\nprompt: told\ninput: { type: object }\n---\nWork.\n",
  "agents/own.md": "---\nprompt: told\n---\nBelongs to one pipeline.\n",
  "agents/named.md": "---\nprompt: told\n---\nIs named by one.\n",
  "agents/damaged.md": "no front matter\n",
  "agents/speechless.md": "---\nprompt: unreadable\ninput: { type: object }\n---\nWork.\n",
  "prompts/told.md": "{{ ask }}\n",
  "prompts/unreadable.md": "{% if %}\n",
};

async function withCatalog(
  use: (catalog: ReturnType<typeof createCatalog>) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const folder of ["pipelines", "agents", "prompts"]) await Deno.mkdir(`${root}/${folder}`);
    for (const [path, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    await use(createCatalog({
      roots: {
        pipelines: [`${root}/pipelines`],
        agents: [`${root}/agents`],
        prompts: [`${root}/prompts`],
      },
      tasks: [],
      definitions: { get: () => Promise.resolve(null), put: () => Promise.resolve() },
    }));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a definition with a plan holds its planner and every sound agent that takes tasks", () =>
  withCatalog(async (catalog) => {
    const agents = async (name: string) => {
      const { definition } = await catalog.resolve(LOCAL, name);
      return [Object.keys(definition.agents).sort(), Object.keys(definition.prompts)];
    };
    expect(await agents("goals")).toEqual([["free", "task_planner", "told"], ["told"]]);
    expect(await agents("few")).toEqual([["named", "task_planner"], ["told"]]);
  }));

Deno.test("every pipeline that can run is on offer, with what it takes and its version", () =>
  withCatalog(async (catalog) => {
    const offers = await createPipelineOffers(catalog).offers(LOCAL);
    expect(offers.map(({ name }) => name)).toEqual(["echo", "few", "goals"]);
    expect(offers[0]).toEqual({
      name: "echo",
      description: "Says it again.",
      input: { type: "object" },
      version: (await catalog.resolve(LOCAL, "echo")).version,
    });
  }));
