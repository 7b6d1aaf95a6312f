/**
 * Parameters that a request can do without. Not every model takes every one (reasoning models refuse
 * `temperature`, older servers `stream_options`), and no list of models stays right: the server says
 * so, the request is sent again without what it named, and the model is remembered.
 *
 * Invariants:
 * 1. Only a parameter that was sent and that the refusal names is left out: any other refusal stands.
 * 2. Nothing is remembered before the model has answered a request without it.
 *
 * @module
 */
import { refusalOf } from "./failure.ts";

/** Names of parameters, as the provider's API spells them. */
export type Names = ReadonlySet<string>;

const NONE: Names = new Set();

/** What the models of one provider have refused so far. */
export class OptionalParameters {
  readonly #refused = new Map<string, Names>();

  /** @param names the parameters that a request can do without or say in another way */
  constructor(private readonly names: readonly string[]) {}

  /**
   * Sends a request; again, without what the server refuses, while it refuses something optional.
   *
   * @param toBody the request's parameters; never one that is in `refused`
   * @throws what `send` throws
   */
  async send<Body extends object, T>(
    model: string,
    toBody: (refused: Names) => Body,
    send: (body: Body, refused: Names) => Promise<T>,
  ): Promise<T> {
    let refused = this.#refused.get(model) ?? NONE;
    while (true) {
      const body = toBody(refused);
      try {
        const result = await send(body, refused);
        if (refused !== NONE) this.#remember(model, refused);
        return result;
      } catch (error) {
        const named = this.#namedIn(refusalOf(error), body);
        if (named.length === 0) throw error;
        refused = refused.union(new Set(named));
      }
    }
  }

  #remember(model: string, refused: Names) {
    this.#refused.set(model, refused.union(this.#refused.get(model) ?? NONE));
  }

  #namedIn(refusal: string | undefined, body: object): string[] {
    if (refusal === undefined) return [];
    const words = new Set(refusal.match(/\w+/g)?.map(plain));
    return this.names.filter((name) => name in body && words.has(plain(name)));
  }
}

/** `maxOutputTokens` and `max_output_tokens` are one name: Google writes both. */
function plain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}
