/**
 * What the code of data-science agents runs in, given to them as data: with the standard library only
 * here, with whatever the operator's own services have there.
 *
 * @module
 */
import type { Json } from "../../json/mod.ts";
import type { Services } from "../calls/mod.ts";
import type { Task } from "../nodes/mod.ts";

/** What code runs in. */
export interface Environment {
  /** False: the standard library only. */
  has_packages: boolean;
  /** For those who write code: Markdown. */
  description: string;
}

/** The sandbox of this program. */
export const SANDBOX: Environment = {
  has_packages: false,
  description:
    `- Python 3 with the standard library only: csv, json, math, statistics, random, collections, datetime.
  No pandas, numpy, scikit-learn or matplotlib. No network.
- The data set is the file /data/dataset.csv, whatever its format was: UTF-8, commas, a header; a missing
  value is an empty field.
- What is printed is read by the others. The variable \`result\` at the end is the result: a dict that is
  valid JSON.
- Files in /out are kept and can be downloaded: plots, tables, figures.
- Plots: \`sys.path.insert(0, "/data")\`, then \`import charts\` and
  \`charts.histogram(path, title, values)\`, \`charts.bars(path, title, {name: number})\`,
  \`charts.scatter(path, title, [(x, y)])\`, \`charts.line(path, title, [(x, y)])\`. Each writes an SVG file.
- Two minutes, on an interpreter a few times slower than usual: no loops over all pairs of rows.`,
};

/** A service of the operator. */
export const ELSEWHERE: Environment = {
  has_packages: true,
  description: `- Python 3 with pandas, scikit-learn and matplotlib.
- Load the data set from its address, in its format.
- What is printed is read by the others. Plots are saved to files.`,
};

/** The task \`environments\`: what each service's code runs in, by the service's name. */
export function environmentsTask(services: Services): Task {
  return {
    effect: "none",
    run: () =>
      Object.fromEntries(
        ["browser_agent", "ml_worker"].map((name) => {
          const service = services[name];
          const embedded = service && "embedded" in service ? service.environment : undefined;
          return [name, { ...(embedded ?? ELSEWHERE) }];
        }),
      ) as Json,
  };
}
