import { expect } from "expect";
import type { Case, Figures, Piece } from "../../bench/piece.ts";
import { formatPiece, summarise } from "../../bench/report.ts";

const piece: Piece = {
  id: "w9",
  title: "Work",
  notes: () => ["A note."],
  measure: () => Promise.resolve([]),
};

function caseOf(figures: Figures[], problems: string[] = []): Case {
  return { label: "c1", reps: figures.map((one) => ({ figures: one, problems })) };
}

function figuresOf(...reps: Figures[]): Figures | undefined {
  return summarise(piece, [caseOf(reps)]).cases[0]?.figures;
}

Deno.test("summarise() takes medians, and leaves out what could not be measured", () => {
  expect(figuresOf({ rate: 30 }, { rate: 10 }, { rate: 20 })).toEqual({ rate: 20 });
  expect(figuresOf({ rate: 30 }, { rate: 10 })).toEqual({ rate: 20 });
  expect(figuresOf({ rate: null }, { rate: 10 })).toEqual({ rate: 10 });
  expect(figuresOf({ rate: null })).toEqual({ rate: null });
});

Deno.test("summarise() takes the worst count of lost runs and of steps done twice", () => {
  const reps = [1, 0, 0].map((n) => ({ finished_runs: 200 - n, steps_completed_twice: n }));
  expect(figuresOf(...reps)).toEqual({ finished_runs: 199, steps_completed_twice: 1 });
});

Deno.test("formatPiece() shows a line for each figure, the notes and every problem", () => {
  const result = summarise(piece, [caseOf([{ rate: 12.345, count: 200, rss_mb: null }], ["lost"])]);
  expect(formatPiece(result).split("\n")).toEqual([
    "",
    "W9  Work",
    "            c1",
    "  rate    12.3",
    "  count    200",
    "  rss_mb     –",
    "    A note.",
    "  ! c1: lost",
    "",
  ]);
});
