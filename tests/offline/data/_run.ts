import { explore, train } from "../../../offline/data/mod.ts";
import type { Material } from "../../../offline/material.ts";
import { CHARTS } from "../../../pipeline/notebook/charts.ts";

/** How a program ended. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  /** Names of the files that it wrote. */
  files: string[];
  /** JSON of its last line, when it is JSON. */
  // deno-lint-ignore no-explicit-any -- whatever the program says
  last?: any;
}

/** The two programs that the offline model writes for a goal. */
export function programs(goal: {
  task_type: string;
  target: string[];
  feedback?: string[];
}): { eda: string; training: string } {
  const { feedback = [], ...research } = goal;
  const fields = {
    user_goal: "Look at the data",
    dataset_url: "artifact://art_1",
    environment: { has_packages: false },
    research,
    feedback,
  };
  const material: Material = { fields, ask: "", context: {}, documents: [], history: [] };
  return { eda: explore(material).code, training: train(material).code };
}

/** Runs a program on a CSV with the machine's Python; nothing, and said so, without one. */
export async function runPython(code: string, csv: string): Promise<Ran | undefined> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/data`);
    await Deno.mkdir(`${folder}/out`);
    await Deno.writeTextFile(`${folder}/data/dataset.csv`, csv);
    await Deno.writeTextFile(`${folder}/data/charts.py`, CHARTS);
    const moved = code.replaceAll('"/data', `"${folder}/data`).replaceAll(
      '"/out',
      `"${folder}/out`,
    );
    const { code: exit, stdout, stderr } = await new Deno.Command("python3", {
      args: ["-c", moved],
      env: { PYTHONDONTWRITEBYTECODE: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    const line = text.trim().split("\n").at(-1)!;
    return {
      code: exit,
      stdout: text,
      stderr: new TextDecoder().decode(stderr),
      files: [...Deno.readDirSync(`${folder}/out`)].map(({ name }) => name).sort(),
      ...(line.startsWith("{") ? { last: JSON.parse(line) } : {}),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const said = "not run as Python: there is no python3 here\n";
    Deno.stdout.writeSync(new TextEncoder().encode(said));
    return undefined;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
