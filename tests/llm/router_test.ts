import { expect } from "expect";
import { OrchestratorError } from "../../errors.ts";
import {
  createModels,
  type Draft,
  type GenerateOptions,
  type ModelAnswer,
  type ModelClient,
  type ModelRequest,
  type RouterOptions,
} from "../../llm/mod.ts";
import { expectError, providerOf, REQUEST, test, withProvider } from "./_setup.ts";

type Generate = (request: ModelRequest, options: GenerateOptions) => Promise<ModelAnswer>;

const never = new AbortController().signal;

/** A client that does what it is told and notes which models it was asked for. */
function scripted(provider: string, generate: Generate): ModelClient & { asked: string[] } {
  const asked: string[] = [];
  return {
    provider,
    asked,
    generate(request, options) {
      asked.push(request.model ?? "");
      return generate(request, options);
    },
    models: () => Promise.resolve([`${provider}-1`]),
  };
}

function answering(text = "yes"): Generate {
  return (_request, { onDelta }) => {
    onDelta?.(text);
    return Promise.resolve({
      text,
      tool_calls: [],
      finish_reason: "stop",
      usage: { input_tokens: 1_000_000, output_tokens: 100_000, cost_usd: 0 },
      model: "whatever",
    });
  };
}

function failing(
  code: "model_auth" | "model_unavailable" | "model_rate_limited",
  retry_after_ms?: number,
  text?: string,
): Generate {
  return (_request, { onDelta }) => {
    if (text) onDelta?.(text);
    const kind = code === "model_auth" ? "terminal" : "retryable";
    return Promise.reject(
      new OrchestratorError(code, `Cannot: ${code}.`, { kind, retry_after_ms }),
    );
  };
}

/** Resolves only by its signal, if at all. */
function silent(heeds = true): Generate {
  return (_request, { signal }) =>
    new Promise((_, reject) => {
      if (heeds) signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
}

function router(clients: Record<string, ModelClient>, options: Partial<RouterOptions> = {}) {
  const providers = Object.fromEntries(
    Object.entries(clients).map(([name, client]) => [name, () => client]),
  );
  return createModels({
    default_model: "default-1",
    fallbacks: [],
    providers,
    default_provider: Object.keys(clients)[0] ?? "",
    timeout_ms: 60_000,
    stall_timeout_ms: 60_000,
    ...options,
  });
}

const ask = (client: ModelClient, model?: string, options: Partial<GenerateOptions> = {}) =>
  client.generate({ model, messages: [] }, { signal: never, ...options });

test("createModels() chooses by prefix, else the default provider with the whole name", async () => {
  const openai = scripted("openai", answering());
  const google = scripted("google", answering());
  const offline = scripted("offline", answering());
  const models = router({ openai, google, offline });
  const names: string[] = [];
  for (
    const name of [
      undefined,
      "gpt-x",
      "openai/gpt-x",
      "google/gemini-x",
      "meta-llama/llama-3",
      "openai/org/model",
      "offline",
    ]
  ) names.push((await ask(models, name)).model);
  expect(names).toEqual([
    "openai/default-1",
    "openai/gpt-x",
    "openai/gpt-x",
    "google/gemini-x",
    "openai/meta-llama/llama-3",
    "openai/org/model",
    "offline",
  ]);
  expect(openai.asked).toEqual(["default-1", "gpt-x", "gpt-x", "meta-llama/llama-3", "org/model"]);
  expect(google.asked).toEqual(["gemini-x"]);
});

test("createModels() knows no provider by the name of an object's property", async () => {
  const openai = scripted("openai", answering());
  expect((await ask(router({ openai }), "constructor/x")).model).toBe("openai/constructor/x");
});

test("createModels() makes a provider once, and anew after it could not be made", async () => {
  let made = 0;
  const models = createModels({
    default_model: "m",
    fallbacks: [],
    default_provider: "a",
    timeout_ms: 1000,
    stall_timeout_ms: 1000,
    providers: {
      a() {
        if (++made === 1) throw new OrchestratorError("model_auth", "Cannot: no key. Set one.");
        return scripted("a", answering());
      },
    },
  });
  await expectError(ask(models), "model_auth", "terminal");
  await Promise.all([ask(models), ask(models)]);
  expect(made).toBe(2);
});

test("createModels() throws model_not_configured for a provider that is not set up", async () => {
  const models = router({ a: scripted("a", answering()) }, { default_provider: "b" });
  await expectError(ask(models), "model_not_configured", "terminal");
  await expectError(ask(models, "offline"), "model_not_configured", "terminal");
});

test("createModels() asks nobody for a model whose provider is not configured", async () => {
  const openai = scripted("openai", answering());
  const models = router({ openai }, { fallbacks: ["openai/x"] });
  const error = await expectError(
    ask(models, "anthropic/claude-x"),
    "model_not_configured",
    "terminal",
  );
  expect(error.message).toContain("Set ANTHROPIC_API_KEY");
  expect(error.message).toContain('write "openai/anthropic/claude-x"');
  await expectError(ask(models, "google-genai/x"), "model_not_configured", "terminal");
  expect((await ask(models, "openai/anthropic/claude-x")).model).toBe("openai/anthropic/claude-x");
  expect(openai.asked).toEqual(["anthropic/claude-x"]);
});

test("createModels() has the offline model answer only where it is asked for", async () => {
  const offline = scripted("offline", answering());
  const models = router({ offline }, { default_model: "offline" });
  for (const name of ["opnai/gpt-5", "gpt-5", "openai/gpt-5", "openai-compatible/llama"]) {
    await expectError(ask(models, name), "model_not_configured", "terminal");
  }
  const typo = await ask(models, "opnai/gpt-5").catch((error) => error);
  expect(typo.message).toContain('did you mean "openai"?');
  for (const name of [undefined, "offline"]) {
    expect((await ask(models, name)).model).toBe("offline");
  }
});

test("createModels() computes the cost, own prices first", async () => {
  const openai = scripted("openai", answering());
  const known = await ask(router({ openai }), "gpt-5-mini");
  expect(known.usage.cost_usd).toBeCloseTo(0.25 + 0.2);
  const own = { "openai/gpt-5-mini": { input: 1, output: 10 } };
  const priced = await ask(router({ openai }, { prices: own }), "gpt-5-mini");
  expect(priced.usage.cost_usd).toBeCloseTo(2);
  expect((await ask(router({ openai }), "unknown")).usage.cost_usd).toBe(0);
});

test("createModels() asks the fallbacks in order, each once, and tells who failed", async () => {
  const a = scripted("a", failing("model_unavailable"));
  const b = scripted("b", failing("model_auth"));
  const c = scripted("c", answering());
  const models = router({ a, b, c }, { fallbacks: ["a/default-1", "b/x", "c/y"] });
  const answer = await ask(models);
  expect(answer.model).toBe("c/y");
  expect(answer.failed_candidates).toEqual([
    { model: "a/default-1", code: "model_unavailable", message: "Cannot: model_unavailable." },
    { model: "b/x", code: "model_auth", message: "Cannot: model_auth." },
  ]);
  expect([a.asked, b.asked]).toEqual([["default-1"], ["x"]]);
});

test("createModels() voids delivered text before the next candidate, and only then", async () => {
  const seen: string[] = [];
  const options = {
    onDelta: (text: string) => void seen.push(text),
    onReset: () => void seen.push("RESET"),
  };
  const a = scripted("a", failing("model_unavailable"));
  const b = scripted("b", failing("model_unavailable", undefined, "half an ans"));
  const c = scripted("c", answering("whole"));
  await ask(router({ a, b, c }, { fallbacks: ["b/x", "c/x"] }), undefined, options);
  expect(seen).toEqual(["half an ans", "RESET", "whole"]);
});

test("createModels() throws the failure that is most worth retrying", async () => {
  const cases: [Generate[], string, number | undefined][] = [
    [[failing("model_auth"), failing("model_rate_limited", 9000)], "model_rate_limited", 9000],
    [
      [
        failing("model_rate_limited", 9000),
        failing("model_unavailable", 500),
        failing("model_auth"),
      ],
      "model_unavailable",
      500,
    ],
    [
      [failing("model_rate_limited", 9000), failing("model_unavailable")],
      "model_unavailable",
      undefined,
    ],
    [[failing("model_auth"), failing("model_auth")], "model_auth", undefined],
  ];
  for (const [generates, code, wait] of cases) {
    const clients = Object.fromEntries(generates.map((g, i) => [`p${i}`, scripted(`p${i}`, g)]));
    const fallbacks = generates.slice(1).map((_, i) => `p${i + 1}/m`);
    const error = await ask(router(clients, { fallbacks })).catch((error) => error);
    expect([error.code, error.retry_after_ms]).toEqual([code, wait]);
    expect(error.details.failed_candidates.length).toBe(generates.length);
  }
});

test("createModels() stops at an abort: no reset, no fallback", async () => {
  const abort = new AbortController();
  const reason = new Error("cancelled");
  const b = scripted("b", answering());
  const models = router({ a: scripted("a", silent()), b }, { fallbacks: ["b/x"] });
  let resets = 0;
  const asked = ask(models, undefined, { signal: abort.signal, onReset: () => resets++ });
  queueMicrotask(() => abort.abort(reason));
  await expect(asked).rejects.toBe(reason);
  await expect(ask(models, undefined, { signal: abort.signal })).rejects.toBe(reason);
  expect([b.asked, resets]).toEqual([[], 0]);
});

test("createModels() ends a candidate that takes too long, heeding its signal or not", async () => {
  for (const heeds of [true, false]) {
    const models = router({ a: scripted("a", silent(heeds)) }, { timeout_ms: 5 });
    const error = await expectError(ask(models), "model_timeout", "retryable");
    expect(error.message).toContain("within 5 ms");
  }
});

test("createModels() ends a candidate that stalls, and goes on to the next", async () => {
  const b = scripted("b", answering());
  const options = { stall_timeout_ms: 5, fallbacks: ["b/x"] };
  const answer = await ask(router({ a: scripted("a", silent()), b }, options));
  expect(answer.failed_candidates?.[0]?.code).toBe("model_timeout");
  expect(answer.failed_candidates?.[0]?.message).toContain("nothing arrived for 5 ms");
});

test("createModels() waits for a candidate from which something arrives", async () => {
  const alive: Generate = async (request, options) => {
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      options.onActivity?.();
    }
    return await answering()(request, options);
  };
  let heard = 0;
  const models = router({ a: scripted("a", alive) }, { stall_timeout_ms: 60 });
  const answer = await ask(models, undefined, { onActivity: () => heard++ });
  expect([answer.text, heard]).toEqual(["yes", 8]);
});

test("createModels() delivers nothing more of a candidate that was given up", async () => {
  let late: ((text: string) => void) | undefined;
  const a = scripted("a", (_request, { onDelta }) => {
    late = onDelta;
    return new Promise(() => {});
  });
  const seen: string[] = [];
  const models = router({ a }, { timeout_ms: 5 });
  const asked = ask(models, undefined, { onDelta: (text) => seen.push(text) });
  await expectError(asked, "model_timeout", "retryable");
  late?.("too late");
  expect(seen).toEqual([]);
});

test("createModels() closes the connection of a provider that stalls", () =>
  withProvider(
    providerOf("openai"),
    [{ text: "once upon", fault: "stall" }],
    async (client, server) => {
      await client.models(never); // loads the SDK, which takes longer than the stall allowed here
      const models = router({ openai: client }, { stall_timeout_ms: 50 });
      const seen: string[] = [];
      const asked = ask(models, "mock-1", {
        onDelta: (text) => seen.push(text),
        onReset: () => seen.push("RESET"),
      });
      await expectError(asked, "model_timeout", "retryable");
      await server.calls.at(-1)?.gone;
      expect(seen.join("")).toBe("once uponRESET");
    },
  ));

test("createModels() lists the default provider's models", async () => {
  const models = router({ a: scripted("a", answering()) });
  expect(models.provider).toBe("router");
  expect(await models.models(never)).toEqual(["a-1"]);
});

/** Begins an answer and fails, or never gets any further. */
function beginning(fail: boolean): Generate {
  return (_request, { onDraft, signal }) => {
    const usage = { input_tokens: 1_000_000, output_tokens: 0, cost_usd: 0 };
    onDraft?.(() => ({ text: "12345678", tool_calls: [], usage }));
    if (!fail) return silent()({ messages: [] }, { signal });
    return Promise.reject(new OrchestratorError("model_refused", "Cannot: refused."));
  };
}

const PRICED = { prices: { "a/default-1": { input: 2, output: 500_000 } } };
const WASTED = { input_tokens: 1_000_000, output_tokens: 2, cost_usd: 3, estimated: true };

test("createModels() says what an answer has used that is never finished", async () => {
  for (const fail of [true, false]) {
    const drafts: (() => Draft)[] = [];
    const onDraft = (draft: () => Draft) => void drafts.push(draft);
    const models = router({ a: scripted("a", beginning(fail)) }, { ...PRICED, timeout_ms: 20 });
    await expect(ask(models, undefined, { onDraft })).rejects.toMatchObject({
      code: fail ? "model_refused" : "model_timeout",
    });
    expect(drafts.map((draft) => draft().usage)).toEqual([WASTED]);
  }
});

test("createModels() counts what failed candidates have used with the answer's usage", async () => {
  const a = scripted("a", beginning(true));
  const b = scripted("b", answering());
  const { usage } = await ask(router({ a, b }, { ...PRICED, fallbacks: ["b/x"] }));
  expect(usage).toEqual({ ...WASTED, input_tokens: 2_000_000, output_tokens: 100_002 });
});

const REFUSING = { openai: "content_filter", anthropic: "refusal", google: "SAFETY" };

for (const [name, finish] of Object.entries(REFUSING)) {
  test(`${name} counts the tokens of an answer that is refused`, () =>
    withProvider(
      providerOf(name),
      [{ text: "a", finish, usage: { input: 70, output: 30 } }],
      async (client) => {
        const drafts: (() => Draft)[] = [];
        const onDraft = (draft: () => Draft) => void drafts.push(draft);
        await expectError(
          client.generate(REQUEST, { signal: never, onDraft }),
          "model_refused",
          "terminal",
        );
        expect(drafts.map((draft) => draft().usage)).toEqual([
          { input_tokens: 70, output_tokens: 30, cost_usd: 0 },
        ]);
      },
    ));
}
