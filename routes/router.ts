/**
 * Finds the handlers of an address with Hono's fastest router, which knows an address without
 * parameters by a map and the others by one regular expression. It takes no `/tools/list` beside
 * `/tools/:name`, so each kind has a router of its own, and the one without parameters goes first.
 *
 * @module
 */
import type { Result, Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";

/** A router for endpoints with and without parameters, and middleware for all of them. */
export class AddressRouter<T> implements Router<T> {
  readonly name = "AddressRouter";
  readonly #exact = new RegExpRouter<T>();
  readonly #patterns = new RegExpRouter<T>();
  /** How many handlers are for every address. */
  #everywhere = 0;

  add(method: string, path: string, handler: T): void {
    const everywhere = path === "/*";
    const pattern = path.includes(":");
    if (everywhere) this.#everywhere++;
    if (everywhere || !pattern) this.#exact.add(method, path, handler);
    if (everywhere || pattern) this.#patterns.add(method, path, handler);
  }

  match(method: string, path: string): Result<T> {
    const found = this.#exact.match(method, path);
    return found[0].length > this.#everywhere ? found : this.#patterns.match(method, path);
  }
}
