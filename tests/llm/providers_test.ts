import { expect } from "expect";
import type { ErrorCode, ErrorKind } from "../../errors.ts";
import type { Reply } from "../_mock/script.ts";
import { ask, expectError, KEY, PROVIDERS, test, withProvider } from "./_setup.ts";

const TEXT = "Grüße, 世界 — streamed in pieces. 👋 done";

for (const provider of PROVIDERS) {
  const { name } = provider;

  test(`${name} streams an answer and returns it whole`, () =>
    withProvider(provider, [{ text: TEXT, usage: { input: 31, output: 17 } }], async (client) => {
      const { answer, deltas } = await ask(client);
      expect(answer.text).toBe(TEXT);
      expect(deltas.join("")).toBe(TEXT);
      expect(deltas.length).toBeGreaterThan(2);
      expect(answer.finish_reason).toBe("stop");
      expect(answer.tool_calls).toEqual([]);
      const counts = name === "customgpt" ? [0, 0] : [31, 17];
      expect([answer.usage.input_tokens, answer.usage.output_tokens]).toEqual(counts);
    }));

  test(`${name} uses its connections again`, () =>
    withProvider(provider, [{ text: TEXT }], async (client, server) => {
      for (let i = 0; i < 10; i++) expect((await ask(client)).answer.text).toBe(TEXT);
      // A call that begins before the last body's end was read takes a second connection; CustomGPT
      // reads its two citations at the same time.
      const ports = new Set(server.calls.map((call) => call.port));
      expect(ports.size).toBeLessThanOrEqual(name === "customgpt" ? 3 : 2);
    }));

  test(`${name} lists its models`, () =>
    withProvider(provider, [{}], async (client) => {
      const models = await client.models(new AbortController().signal);
      expect(models).toEqual([name === "customgpt" ? "42" : "mock-1"]);
    }));

  test(`${name} throws the signal's reason and closes the connection when aborted`, () =>
    withProvider(provider, [{ text: TEXT, fault: "stall" }], async (client, server) => {
      const abort = new AbortController();
      const reason = new Error("enough");
      const generating = client.generate({
        model: "mock-1",
        agent: { name: "researcher", capabilities: [] },
        messages: [{ role: "user", content: "Hi?" }],
      }, { signal: abort.signal, onDelta: () => abort.abort(reason) });
      await expect(generating).rejects.toBe(reason);
      await server.calls.at(-1)?.gone;
    }));

  test(`${name} does not call when aborted before`, () =>
    withProvider(provider, [{ text: TEXT }], async (client, server) => {
      const reason = new Error("never mind");
      await expect(ask(client, {}, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(server.calls).toEqual([]);
    }));

  test(`${name} gives up on a server that never responds when aborted`, () =>
    withProvider(provider, [{ fault: "half_open" }], async (client, server) => {
      const abort = new AbortController();
      const asked = ask(client, {}, abort.signal);
      while (!server.calls.some((call) => call.method === "POST" && !isConversation(call.path))) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      abort.abort(new Error("too slow"));
      await expect(asked).rejects.toThrow("too slow");
    }));

  const failures: [string, Reply, ErrorCode, ErrorKind][] = [
    ["a connection that breaks", { text: TEXT, fault: "reset" }, "model_unavailable", "retryable"],
    ["a stream that ends early", { text: TEXT, fault: "cut" }, "model_unavailable", "retryable"],
    [
      "an event that is no JSON",
      { text: TEXT, fault: "malformed" },
      "model_unavailable",
      "retryable",
    ],
    ["an error event", { text: TEXT, fault: "error_event" }, "model_unavailable", "retryable"],
    ["100 MB in one event", { fault: "huge_event" }, "model_bad_output", "terminal"],
    ["100 MB in many events", { fault: "huge_answer" }, "model_bad_output", "terminal"],
    ["400", { status: 400 }, "model_bad_request", "terminal"],
    ["401", { status: 401 }, "model_auth", "terminal"],
    ["402", { status: 402 }, "model_rate_limited", "terminal"],
    ["403", { status: 403 }, "model_auth", "terminal"],
    ["404", { status: 404 }, "model_not_found", "terminal"],
    ["408", { status: 408 }, "model_timeout", "retryable"],
    ["409", { status: 409 }, "model_unavailable", "retryable"],
    ["413", { status: 413 }, "model_bad_request", "terminal"],
    ["422", { status: 422 }, "model_bad_request", "terminal"],
    ["429", { status: 429 }, "model_rate_limited", "retryable"],
    ["500", { status: 500 }, "model_unavailable", "retryable"],
    ["503", { status: 503 }, "model_unavailable", "retryable"],
    ["529", { status: 529 }, "model_unavailable", "retryable"],
  ];
  for (const [what, reply, code, kind] of failures) {
    test(`${name} throws ${kind} ${code} for ${what}`, () =>
      withProvider(provider, [reply], async (client, server) => {
        const error = await expectError(ask(client), code, kind);
        expect(error.message).toMatch(/^Cannot .+: .+\. .+\.$/s);
        const posts = server.calls.filter((call) => call.method === "POST");
        expect(posts.length).toBe(name === "customgpt" ? 2 : 1);
      }));
  }

  test(`${name} reads Retry-After in seconds, as a date and in milliseconds`, () => {
    const headers = (name: string, value: string) => ({ status: 429, headers: { [name]: value } });
    const later = new Date(Date.now() + 60_000).toUTCString();
    return withProvider(provider, [
      headers("retry-after", "7"),
      headers("retry-after", later),
      headers("retry-after-ms", "1500"),
      headers("retry-after", "soon"),
    ], async (client) => {
      const waits: (number | undefined)[] = [];
      for (let i = 0; i < 4; i++) {
        waits.push(
          (await expectError(ask(client), "model_rate_limited", "retryable")).retry_after_ms,
        );
      }
      expect(waits[0]).toBe(7000);
      expect(waits[1]).toBeGreaterThan(50_000);
      expect(waits[1]).toBeLessThanOrEqual(60_000);
      expect(waits[2]).toBe(1500);
      expect(waits[3]).toBeUndefined();
    });
  });

  test(`${name} says when to try again, whatever clock the server has`, () => {
    const headers = {
      date: "Thu, 01 Jan 2099 12:00:00 GMT",
      "retry-after": "Thu, 01 Jan 2099 12:00:03 GMT",
    };
    return withProvider(provider, [{ status: 429, headers }], async (client) => {
      const error = await expectError(ask(client), "model_rate_limited", "retryable");
      expect(error.retry_after_ms).toBe(3_000);
      expect(error.message).toMatch(/Try again in 3 s\.$/);
    });
  });

  test(`${name} cuts its key out of what the provider says`, () => {
    const error = { error: { message: `bad field near ${KEY} here` } };
    return withProvider(provider, [{ status: 400, error }], async (client) => {
      const failure = await expectError(ask(client), "model_bad_request", "terminal");
      expect(failure.message).toContain("bad field near [key] here");
    });
  });

  test(`${name} throws retryable model_unavailable when nobody listens`, () =>
    withProvider(provider, [{}], async (_client, server, fetch) => {
      await server.close();
      const client = provider.client(server.url, fetch);
      const error = await expectError(ask(client), "model_unavailable", "retryable");
      expect(error.message).toContain(
        `: nothing answers at 127.0.0.1 (port ${
          new URL(server.url).port
        }). Check that the server is running and`,
      );
    }));
}

function isConversation(path: string): boolean {
  return path.endsWith("/conversations");
}
