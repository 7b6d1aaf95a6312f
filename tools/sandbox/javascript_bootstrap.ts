/** What runs inside QuickJS before the code does. @module */

/**
 * An expression: a function that takes the host's functions, sets the globals and returns what turns
 * the code's value into JSON text. It holds on to what it uses, so that the code cannot replace it.
 */
export const BOOTSTRAP = `(host) => {
  "use strict";
  const { parse, stringify } = JSON;
  const names = parse(host.files);
  const show = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return value.name + ": " + value.message;
    try {
      return (typeof value === "object" ? stringify(value) : undefined) ?? String(value);
    } catch {
      return Object.prototype.toString.call(value);
    }
  };
  const print = (fd) => (...values) => host.print(fd, values.map(show).join(" ") + "\\n");
  const checked = (name) => {
    if (typeof name === "string" && /^[^/\\\\\\0]{1,255}$/.test(name)) return name;
    throw new TypeError("a file has a name without folders");
  };
  Object.assign(globalThis, {
    input: parse(host.input),
    console: {
      log: print(1), info: print(1), debug: print(1), warn: print(2), error: print(2),
    },
    readFile(name) {
      if (names.includes(name)) return host.read(name);
      throw new Error("there is no file " + name + (names.length ? ", but " + names : ""));
    },
    writeFile: (name, text) => host.write(checked(name), String(text)),
  });
  return async ({ value }) => {
    const last = await (typeof result === "undefined" ? value : result);
    if (typeof last === "function" || typeof last === "symbol") {
      throw new TypeError("the result is a " + typeof last + ", not JSON");
    }
    return stringify(last) ?? "null";
  };
}`;
