/** A value that must not be seen: printing, logging or serializing it shows `[secret]` only. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where it is sent to its owner. */
  reveal(): string {
    return this.#value;
  }

  /** What every serializer sees. */
  toJSON(): string {
    return "[secret]";
  }

  /** What every template string sees. */
  toString(): string {
    return "[secret]";
  }

  /** What `Deno.inspect` sees. */
  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }

  /** What `node:util` sees. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}
