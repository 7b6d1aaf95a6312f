import { expect } from "expect";
import { createFetch, type ModelFetch } from "../../llm/mod.ts";
import { readerOf } from "../../llm/transport.ts";
import { test } from "./_setup.ts";

/** A server on a free port and a transport, closed at the end. */
async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  run: (url: string, fetch: ModelFetch) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  const fetch = createFetch({ connect_timeout_ms: 0 });
  try {
    await run(`http://127.0.0.1:${server.addr.port}`, fetch);
  } finally {
    await fetch.close();
    await server.shutdown();
  }
}

test("createFetch() sends method, headers, query and text, and reads them back", () =>
  withServer(async (request) =>
    Response.json({
      method: request.method,
      query: new URL(request.url).search,
      mark: request.headers.get("x-mark"),
      text: await request.text(),
    }, { status: 201, headers: [["x-two", "a"], ["x-two", "b"]] }), async (url, fetch) => {
    const response = await fetch(new URL(`${url}/path?q=1`), {
      method: "PUT",
      headers: { "x-mark": "m" },
      body: "größe",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("x-two")).toBe("a, b");
    expect(await response.json()).toEqual({
      method: "PUT",
      query: "?q=1",
      mark: "m",
      text: "größe",
    });
  }));

test("createFetch() takes responses without a body", () =>
  withServer(() => new Response(null, { status: 204 }), async (url, fetch) => {
    const response = await fetch(url);
    expect([response.status, response.body]).toEqual([204, null]);
  }));

test("createFetch() leaves bodies that are not text to the platform", () =>
  withServer(async (request) => new Response(await request.text()), async (url, fetch) => {
    const body = new TextEncoder().encode("bytes");
    expect(await (await fetch(url, { method: "POST", body })).text()).toBe("bytes");
    expect(await (await fetch(new Request(url, { method: "POST", body: "r" }))).text()).toBe("r");
  }));

test("createFetch() delivers what has arrived as one chunk", () => {
  let release = () => {};
  const sent = new Promise<void>((resolve) => release = resolve);
  return withServer(() => {
    const encoder = new TextEncoder();
    let count = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (count++ < 100) return controller.enqueue(encoder.encode(`${count};`));
          controller.close();
          release();
        },
      }),
    );
  }, async (url, fetch) => {
    const response = await fetch(url);
    await sent;
    // The server's last bytes are on their way through the same socket.
    await new Promise((resolve) => setTimeout(resolve, 20));
    let reads = 0;
    let text = "";
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      reads++;
      text += chunk;
    }
    expect(text.split(";").length).toBe(101);
    expect(reads).toBe(1);
  });
});

test("createFetch() holds back a server whose reader is slow", () => {
  let sent = 0;
  const piece = new Uint8Array(64 * 1024);
  return withServer(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (sent >= 64 * 1024 * 1024) return controller.close();
          controller.enqueue(piece);
          sent += piece.length;
        },
      }),
    ), async (url, fetch) => {
    const response = await fetch(url);
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    let read = 0;
    for await (const chunk of response.body!) read += chunk.length;
    expect(read).toBe(64 * 1024 * 1024);
  });
});

test("createFetch() throws the reason of a signal that is aborted before", () =>
  withServer(() => new Response("x"), async (url, fetch) => {
    const reason = new Error("no");
    await expect(fetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  }));

test("createFetch() ends a body with the signal's reason and closes the connection", () => {
  const gone = Promise.withResolvers<void>();
  return withServer(() =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(3)),
        cancel: () => gone.resolve(),
      }),
    ), async (url, fetch) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const response = await fetch(url, { signal: abort.signal });
    const reader = response.body!.getReader();
    expect((await reader.read()).value?.length).toBe(3);
    const next = reader.read();
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
    await gone.promise;
  });
});

test("createFetch() closes the connection of a body that is cancelled, at once or when it goes on", async () => {
  for (const reason of [new Error("bad"), undefined]) {
    const gone = Promise.withResolvers<void>();
    await withServer(() =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new Uint8Array(3)),
          cancel: () => gone.resolve(),
        }),
      ), async (url, fetch) => {
      const response = await fetch(url);
      await response.body!.cancel(reason);
      await gone.promise;
    });
  }
});

test("createFetch() throws an error with a code when nobody listens", () =>
  withServer(() => new Response("x"), async (_url, fetch) => {
    const error = await fetch("http://127.0.0.1:1/").catch((error) => error);
    expect(error.code).toBe("ECONNREFUSED");
  }));

test("readerOf() reads a body to its end, without a stream", () =>
  withServer(() => new Response("a body"), async (url, fetch) => {
    const response = await fetch(url);
    const reader = readerOf(response)!;
    const decoder = new TextDecoder();
    let text = "";
    for (let { value } = await reader.read(); value; { value } = await reader.read()) {
      text += decoder.decode(value, { stream: true });
    }
    expect(text).toBe("a body");
    expect(await reader.read()).toEqual({ done: true });
    expect(response.bodyUsed).toBe(false);
  }));

test("readerOf() throws the reason of a signal", () =>
  withServer(() =>
    new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(3)) }),
    ), async (url, fetch) => {
    const abort = new AbortController();
    const reason = new Error("enough");
    const reader = readerOf(await fetch(url, { signal: abort.signal }))!;
    expect((await reader.read()).value?.length).toBe(3);
    const next = reader.read();
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
  }));

test("readerOf() gives up a read under way when the body is cancelled", () => {
  const gone = Promise.withResolvers<void>();
  return withServer(() =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(3)),
        cancel: () => gone.resolve(),
      }),
    ), async (url, fetch) => {
    const reader = readerOf(await fetch(url))!;
    await reader.read();
    const next = reader.read();
    await reader.cancel(new Error("bad"));
    expect(await next).toEqual({ done: true });
    await gone.promise;
  });
});

test("readerOf() reads the stream of any other response, and nothing where there is none", async () => {
  const { value } = await readerOf(new Response("x"))!.read();
  expect(value).toEqual(new TextEncoder().encode("x"));
  expect(readerOf(new Response(null))).toBeUndefined();
});
