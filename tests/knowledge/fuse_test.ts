import { expect } from "expect";
import { fuse } from "../../knowledge/fuse.ts";
import { cosines, setRow, toBytes, unit } from "../../knowledge/vectors.ts";

const hit = (n: number, score: number) => ({ document: "d", n, score });
const order = (hits: { n: number }[]) => hits.map(({ n }) => n);

Deno.test("fuse() adds both scores; the best by words weighs twice the best by meaning", () => {
  const byWords = [hit(1, 8), hit(2, 4)];
  const byMeaning = [hit(2, 0.9), hit(3, 0.8), hit(4, 0.1)];
  const fused = fuse(byWords, byMeaning);
  expect(order(fused)).toEqual([1, 2, 3, 4]);
  expect(fused.map(({ score }) => Number(score.toFixed(2)))).toEqual([1, 1, 0.44, 0]);
});

Deno.test("fuse() of one ranking keeps its order", () => {
  expect(order(fuse([], [hit(3, 0.9), hit(1, 0.2)]))).toEqual([3, 1]);
  expect(order(fuse([hit(3, 9), hit(1, 2)], []))).toEqual([3, 1]);
  expect(fuse([], [])).toEqual([]);
  expect(fuse([], [hit(1, 0.3)])[0]!.score).toBe(0.5);
});

Deno.test("cosines() compares with each row, whatever the length", () => {
  for (const size of [1, 3, 4, 7]) {
    const ones = unit(Array(size).fill(2));
    const first = unit(Array.from({ length: size }, (_, n) => n === 0 ? 5 : 0));
    const matrix = new Float32Array(2 * size);
    setRow(matrix, 0, size, toBytes(ones));
    setRow(matrix, 1, size, toBytes(first));
    const [same, other] = cosines(matrix, ones);
    expect(same).toBeCloseTo(1, 5);
    expect(other).toBeCloseTo(1 / Math.sqrt(size), 5);
  }
  expect([...unit([0, 0])]).toEqual([0, 0]);
});
