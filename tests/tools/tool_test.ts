import { expect } from "expect";
import { distinct } from "../../tools/tool.ts";

Deno.test("distinct() numbers names that are there already, before their ending", () => {
  const files = [{ name: "chart.png" }, { name: "chart-2.png" }, { name: "notes" }];
  expect(distinct("chart.png", files)).toBe("chart-3.png");
  expect(distinct("notes", files)).toBe("notes-2");
  expect(distinct("other.png", files)).toBe("other.png");
});
