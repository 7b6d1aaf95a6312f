/** The folder that holds the built-in `agents/`, `prompts/` and `pipeline/definitions/`. */
export const root: string = import.meta.dirname ?? ".";

/** True in the executable, which holds modules as bundles. */
export const bundled: boolean = !import.meta.url.endsWith(".ts");

/** The path of a module that is started on its own, such as a worker's; `path` is its source's. */
export function script(path: string): string {
  return `${root}/${bundled ? path.replace(/\.ts$/, ".js") : path}`;
}
