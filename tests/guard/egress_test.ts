import { expect } from "expect";
import { createEgress } from "../../guard/egress.ts";
import { expectError, signal, test, textOf, withServer } from "./_setup.ts";

test("request() sends method, headers and body, and reads all that comes back", () =>
  withServer(async (request) =>
    Response.json({
      method: request.method,
      mark: request.headers.get("x-mark"),
      agent: request.headers.get("user-agent"),
      host: request.headers.get("host"),
      text: await request.text(),
    }, { status: 404, headers: [["x-two", "a"], ["x-two", "b"]] }), async (server, egress) => {
    const response = await egress.request(`${server.url}/path?q=1#part`, {
      method: "put",
      headers: { "X-Mark": "m", Host: "other.test", "Content-Length": "1", Connection: "close" },
      body: "größe",
      signal,
    });
    expect(response.status).toBe(404);
    expect(response.headers.get("x-two")).toBe("a, b");
    expect(JSON.parse(textOf(response))).toEqual({
      method: "PUT",
      mark: "m",
      agent: expect.stringMatching(/^orchestrator\//),
      host: `127.0.0.1:${server.port}`,
      text: "größe",
    });
    expect(server.requests[0]?.url).toBe(`${server.url}/path?q=1`);
  }));

test("request() sends bytes and uses connections again", () => {
  const ports = new Set<number>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (r, info) => {
    ports.add(info.remoteAddr.port);
    return new Response(await r.bytes());
  });
  const egress = createEgress({ allowed_hosts: ["127.0.0.1"] });
  return (async () => {
    for (let i = 0; i < 8; i++) {
      const body = new Uint8Array([0, 255, i]);
      const url = `http://127.0.0.1:${server.addr.port}`;
      const response = await egress.request(url, { method: "POST", body, signal });
      expect(response.body).toEqual(body);
    }
    // One may not be free yet when the next request comes.
    expect(ports.size).toBeLessThan(3);
  })().finally(async () => {
    await egress.close();
    await server.shutdown();
  });
});

test("request() decompresses gzip and brotli", () =>
  withServer(async (request) => {
    expect(request.headers.get("accept-encoding")).toBe("gzip, br");
    const zlib = await import("node:zlib");
    const [encoding, pack] = new URL(request.url).pathname === "/br"
      ? ["br", zlib.brotliCompressSync] as const
      : ["gzip", zlib.gzipSync] as const;
    return new Response(new Uint8Array(pack("packed text")), {
      headers: { "content-encoding": encoding },
    });
  }, async (server, egress) => {
    for (const path of ["/gzip", "/br"]) {
      expect(textOf(await egress.request(server.url + path, { signal }))).toBe("packed text");
    }
  }));

test("request() stops at a bomb before it is unpacked", () =>
  withServer(async () => {
    const { gzipSync } = await import("node:zlib");
    const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
    return new Response(new Uint8Array(bomb), { headers: { "content-encoding": "gzip" } });
  }, async (server, egress) => {
    const asked = egress.request(server.url, { signal, max_bytes: 1024 * 1024 });
    const error = await expectError(asked, "response_too_large");
    expect(error.message).toContain("1048576 bytes");
  }));

test("request() refuses encodings that it did not ask for, and broken ones", () =>
  withServer((request) =>
    new Response("no gzip", {
      headers: { "content-encoding": new URL(request.url).pathname.slice(1) },
    }), async (server, egress) => {
    for (const path of ["/gzip", "/zstd", "/gzip%2C%20gzip", "/constructor"]) {
      await expectError(egress.request(server.url + path, { signal }), "egress_failed");
    }
  }));

test("request() stops reading when there are too many bytes", () => {
  let cancelled = () => {};
  const stopped = new Promise<void>((resolve) => cancelled = resolve);
  return withServer(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(16 * 1024)),
        cancel: () => cancelled(),
      }),
    ), async (server, egress) => {
    const asked = egress.request(server.url, { signal, max_bytes: 100_000 });
    await expectError(asked, "response_too_large");
    await stopped;
  });
});

test("request() gives up on a slow body after its time", () => {
  const open: ReadableStreamDefaultController[] = [];
  return withServer(() =>
    new Response(
      new ReadableStream({
        start(controller) {
          open.push(controller);
          controller.enqueue(new TextEncoder().encode("slow"));
        },
      }),
    ), async (server, egress) => {
    const error = await expectError(
      egress.request(server.url, { signal, timeout_ms: 50 }),
      "egress_failed",
      "retryable",
    );
    expect(error.message).toContain("no answer within 50 ms");
  });
});

test("request() ends with the reason of its signal", () =>
  withServer(() => new Response(new ReadableStream({})), async (server, egress) => {
    const reason = new Error("stop");
    const controller = new AbortController();
    const asked = egress.request(server.url, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await expect(asked).rejects.toBe(reason);
    await expect(egress.request(server.url, { signal: controller.signal })).rejects.toBe(reason);
  }));

test("request() says when a connection fails", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const egress = createEgress({ allowed_hosts: ["127.0.0.1"] });
  const url = `http://127.0.0.1:${port}/path?secret=1`;
  const error = await expectError(egress.request(url, { signal }), "egress_failed", "retryable");
  expect(error.message).toContain("ECONNREFUSED");
  expect(error.message).not.toContain("secret");
  await egress.close();
});

test("request() says when a name has no address", async () => {
  const egress = createEgress({ allowed_hosts: [], resolve: () => Promise.resolve([]) });
  const error = await expectError(
    egress.request("http://nowhere.example", { signal }),
    "egress_failed",
  );
  expect(error.details?.reason).toBe("ENOTFOUND");
  await egress.close();
});

test("request() refuses headers that would break out of their line", () =>
  withServer(() => new Response(), async (server, egress) => {
    const headers = { "x-mark": "a\r\nx-evil: b" };
    await expectError(egress.request(server.url, { headers, signal }), "egress_failed");
    expect(server.requests).toEqual([]);
  }));

test("fetch() hands out the body as it arrives", () => {
  let stream!: ReadableStreamDefaultController<Uint8Array>;
  return withServer(
    () => new Response(new ReadableStream({ start: (controller) => void (stream = controller) })),
    async (server, egress) => {
      const response = await egress.fetch(server.url, { signal, timeout_ms: 1000 });
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      stream.enqueue(new TextEncoder().encode("one"));
      expect((await reader.read()).value).toBe("one");
      stream.enqueue(new TextEncoder().encode("two"));
      expect((await reader.read()).value).toBe("two");
      stream.close();
      expect((await reader.read()).done).toBe(true);
    },
  );
});

test("fetch() follows no redirect, bounds its body and ends with its signal", () =>
  withServer((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/away") return Response.redirect("http://127.0.0.1/");
    if (pathname === "/none") return new Response(null, { status: 204 });
    if (pathname === "/open") return new Response(new ReadableStream({}));
    return new Response("0123456789");
  }, async (server, egress) => {
    const away = await egress.fetch(`${server.url}/away`, { signal });
    expect([away.status, await away.text()]).toEqual([302, ""]);
    expect((await egress.fetch(`${server.url}/none`, { signal })).body).toBe(null);
    const large = await egress.fetch(`${server.url}/large`, { signal, max_bytes: 5 });
    await expectError(large.text(), "response_too_large");
    const controller = new AbortController();
    const open = await egress.fetch(`${server.url}/open`, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(open.text()).rejects.toThrow("enough");
  }));
