/** The folder that holds the built-in `agents/`, `prompts/` and `pipeline/definitions/`. */
export const root: string = import.meta.dirname ?? ".";
