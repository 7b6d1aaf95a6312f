/**
 * Calls `fn` once, inside of the `enqueue` that answers the read which waits: the moment when the
 * runtime finds that a client has left, and cancels the stream. A read's answer is an object, and a
 * promise that is resolved with one looks up its `then` first.
 *
 * @returns when `fn` has been called
 */
export function insideEnqueue(fn: () => void): Promise<void> {
  return new Promise((resolve) => {
    Object.defineProperty(Object.prototype, "then", {
      configurable: true,
      get(this: { value?: unknown }) {
        if (this.value instanceof Uint8Array) {
          Reflect.deleteProperty(Object.prototype, "then");
          fn();
          resolve();
        }
        return undefined;
      },
    });
  });
}
