/** Large pipelines over the API: two at a time, killed in the middle, deleted. */
import { expect } from "expect";
import { createRetention, systemClock } from "../pipeline/kernel/mod.ts";
import { openDenoKv, type Store } from "../store/mod.ts";
import { pipelineOf, serviceOn } from "./_service_on.ts";
import { Mortal } from "./store/_mortal.ts";
import { keysIn } from "./store/_store.ts";

/** Nearly as many as a pipeline may have: 780 KB, which one commit of the database does not take. */
const CHARACTERS = 260_000;
const big = (letter: string) => pipelineOf("big", letter.repeat(CHARACTERS));
const SILENT = { info() {}, warn() {}, error() {} };
const WAIT = { prefer: "wait=20" };

type Service = Awaited<ReturnType<typeof serviceOn>>;

/** The letter that the stored pipeline consists of, in every place where it can be seen. */
async function letterOf({ request }: Service): Promise<string> {
  const read = await request("GET", "/v1/pipelines/big");
  expect(read.status).toBe(200);
  const letters: string[] = read.body.text.match(/[甲乙]/g);
  const letter = letters[0]!;
  const text = letter.repeat(CHARACTERS);
  expect(letters.join("") === text).toBe(true); // a difference would be printed
  const run = await request("POST", "/v1/pipelines/big/runs", { input: {} }, WAIT);
  expect([run.status, run.body.status]).toEqual([200, "completed"]);
  expect(run.body.output === text).toBe(true);
  return letter;
}

Deno.test("of two pipelines put at the same time the one that is acknowledged is stored", async () => {
  for (let round = 0; round < 4; round++) {
    const kv = await openDenoKv(":memory:");
    try {
      await using service = await serviceOn(kv);
      const { request } = service;
      let putting = true;
      const reading = (async () => {
        while (putting) {
          for (const path of ["/v1/pipelines", "/v1/pipelines/compose"]) {
            expect([path, (await request("GET", path)).status]).toEqual([path, 200]);
          }
        }
      })();
      const letters = ["甲", "乙"];
      const answers = await Promise.all(
        letters.map((letter) =>
          request("PUT", "/v1/pipelines/big", big(letter), { "if-none-match": "*" })
        ),
      );
      putting = false;
      await reading;
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 201)).toHaveLength(1);
      const winner = letters[statuses.indexOf(201)]!;
      expect(await letterOf(service)).toBe(winner);
      await using next = await serviceOn(kv);
      expect(await letterOf(next)).toBe(winner);
    } finally {
      await kv.close();
    }
  }
});

for (const applied of [false, true]) {
  const moment = applied ? "right after" : "before";
  Deno.test(`a server that dies ${moment} any commit of a PUT keeps one of the two versions`, async () => {
    const seen = new Set<string>();
    for (let dies_at = 1, died = true; died; dies_at++) {
      const kv = await openDenoKv(":memory:");
      try {
        {
          await using service = await serviceOn(kv);
          expect((await service.request("PUT", "/v1/pipelines/big", big("甲"))).status).toBe(201);
        }
        {
          const mortal = new Mortal(kv);
          await using service = await serviceOn(mortal);
          mortal.dieAt(dies_at, applied);
          const put = await service.request("PUT", "/v1/pipelines/big", big("乙"));
          died = mortal.died;
          if (put.status === 200) seen.add("acknowledged");
        }
        await using next = await serviceOn(kv);
        const letter = await letterOf(next);
        if (!died) expect(letter).toBe("乙");
        seen.add(letter);
        for (const path of ["/v1/pipelines", "/v1/runs", "/health"]) {
          expect([path, (await next.request("GET", path)).status]).toEqual([path, 200]);
        }
        const other = await next.request("PUT", "/v1/pipelines/other", pipelineOf("other", "x"));
        expect(other.status).toBe(201);
        expect((await next.request("DELETE", "/v1/pipelines/big")).status).toBe(204);
      } finally {
        await kv.close();
      }
    }
    expect([...seen].sort()).toEqual(["acknowledged", "乙", "甲"].sort());
  });
}

/** Runs retention as it will run in a year. */
async function removeRuns(store: Store): Promise<void> {
  const clock = { ...systemClock, now: () => Date.now() + 365 * 86_400_000 };
  const retention = createRetention({ store, clock, log: SILENT, keep_ms: 1 });
  while (!(await retention.sweep()).done);
}

Deno.test("what was deleted and what retention removed leaves no bytes behind", async () => {
  const kv = await openDenoKv(":memory:");
  try {
    await using service = await serviceOn(kv, { MAX_BODY_BYTES: "2000000" });
    const { request, store } = service;
    const secret = "S3CRET".repeat(150_000);
    const echo = { ...pipelineOf("echo", "${ input.text }") };
    await request("PUT", "/v1/pipelines/echo", echo);
    for (let n = 0; n < 3; n++) {
      const run = await request(
        "POST",
        "/v1/pipelines/echo/runs",
        { input: { text: secret } },
        WAIT,
      );
      expect(run.body.status).toBe("completed");
    }
    const definition = {
      name: "wide",
      description: "A tool.",
      input: { type: "object", properties: { a: { type: "string", description: secret } } },
      http: { url: "https://example.com/x" },
    };
    expect((await request("POST", "/v1/tools/register", definition)).status).toBe(201);
    expect((await request("DELETE", "/v1/tools/wide")).status).toBe(204);
    const { body: file } = await request("POST", "/v1/artifacts?name=a.json", { secret });
    expect((await request("DELETE", `/v1/artifacts/${file.id}`)).status).toBe(204);
    await removeRuns(store);
    expect((await keysIn(kv)).filter((key) => !/^(pipeline|definition)/.test(key))).toEqual([]);
    for await (const { value } of kv.list({ prefix: [] })) {
      expect(new TextDecoder().decode(value).includes("S3CRET")).toBe(false);
    }
    expect(store.isFenced).toBe(false);
  } finally {
    await kv.close();
  }
});
