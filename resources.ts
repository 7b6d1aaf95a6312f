/** The folder that holds the built-in `agents/`, `prompts/` and `pipeline/definitions/`. */
export const root: string = import.meta.dirname ?? ".";

/**
 * The path of a module that is started on its own, such as a worker's; `path` is that of its source.
 * The executable holds it as a bundle.
 */
export function script(path: string): string {
  return `${root}/${import.meta.url.endsWith(".ts") ? path : path.replace(/\.ts$/, ".js")}`;
}
