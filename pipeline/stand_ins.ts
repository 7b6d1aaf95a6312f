/**
 * What answers for the browser agent and the ML worker where none is configured. They run nothing
 * and say so, together with what the code shows by itself.
 *
 * @module
 */
import type { Json } from "./kernel/events.ts";
import { failed, type Services } from "./services.ts";

/** Stand-ins by the name of the service. */
export const standIns: Services = {
  browser_agent: embedded("browser_agent", "/execute", (body) => ({
    ...notExecuted("The code", "BROWSER_AGENT_URL"),
    code: describe(body.code),
  })),
  ml_worker: embedded("ml_worker", "/train", (body) => ({
    ...notExecuted("The training", "ML_WORKER_URL"),
    dataset: body.dataset ?? null,
    ...(body.code === undefined ? {} : { code: describe(body.code) }),
  })),
};

type Fields = Record<string, Json | undefined>;

function embedded(name: string, route: string, answer: (body: Fields) => Json) {
  return {
    embedded(path: string, body: Json): Json {
      if (path !== route) {
        throw failed(name, `its stand-in knows ${route} only, not ${path}`);
      }
      const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
      return answer(isObject ? body : {});
    },
  };
}

function notExecuted(what: string, variable: string) {
  const message =
    `${what} was not executed: set ${variable} to the address of a service that does.`;
  return { embedded: true, executed: false, message };
}

/** What Python code shows without running it. */
function describe(code: Json | undefined): Json {
  const text = typeof code === "string" ? code : "";
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return { characters: text.length, lines: lines.length, imports: importsOf(text) };
}

/** The packages that Python code imports, by name. */
function importsOf(code: string): string[] {
  const found = code.matchAll(/^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([\w., \t]+))/gm);
  const names = [...found].flatMap(([, from, list]) =>
    from ? [from] : (list ?? "").split(",").map((part) => /^\s*(\w+)/.exec(part)?.[1] ?? "")
  );
  return [...new Set(names.filter(Boolean))].sort();
}
