import { expect } from "expect";
import { sentence } from "../errors.ts";

Deno.test("sentence() ends a text once", () => {
  expect(["it is gone", "it is gone.", "is it?", "stop!", "and so on…"].map(sentence))
    .toEqual(["it is gone.", "it is gone.", "is it?", "stop!", "and so on…"]);
});
