/** Bounds on time that hold on any machine. */
import { expect } from "expect";

/** What {@linkcode work} takes where the bounds in the tests were set, in milliseconds. */
const WORK_MS = 4;

/**
 * Does `fn` and expects that it takes `ms` at most: as many more on a machine that is slower, or
 * busier, by how long a fixed piece of work takes there just afterwards.
 */
export async function within<T>(ms: number, fn: () => T | Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await fn();
  const took = performance.now() - began;
  if (took > ms) expect(took).toBeLessThan(ms * slowness());
  return result;
}

/** How many times slower than there this machine is at the moment; 1 at least. */
function slowness(): number {
  const began = performance.now();
  for (let n = 0; n < 10; n++) work();
  return Math.max(1, (performance.now() - began) / (10 * WORK_MS));
}

/** Text, objects and garbage, as in what is measured. */
function work(): number {
  const list = Array.from(
    { length: 5_000 },
    (_, n) => ({ n, name: `name ${n}`, odd: n % 2 === 1 }),
  );
  const text = JSON.stringify(list).replace(/name (\d+)/g, "$1th");
  return (JSON.parse(text) as typeof list).filter(({ odd }) => odd).length;
}
