import { expect } from "expect";
import { explainConnection, type Network, readSocketError } from "../../llm/connection.ts";

/** A network on which one stage fails. */
function network(failing?: keyof Network) {
  const asked: unknown[] = [];
  let open = 0;
  const stage = (name: keyof Network) => (...args: unknown[]) => {
    asked.push([name, ...args]);
    if (name === failing) return Promise.reject(new Error("no"));
    open++;
    return Promise.resolve({ [Symbol.dispose]: () => void open-- });
  };
  const net: Network = {
    lookup: stage("lookup"),
    connect: stage("connect"),
    connectTls: stage("connectTls"),
  };
  return { net, asked, open: () => open };
}

Deno.test("explainConnection() names the stage that fails", async () => {
  const explain = (failing?: keyof Network) =>
    explainConnection("https://ai.example/v1", network(failing).net);
  const state = (failed: string | undefined, message: string) => ({
    ...(failed ? { failed } : {}),
    message: expect.stringContaining(message),
  });
  expect(await explain("lookup"))
    .toEqual(state("dns", "the name ai.example cannot be resolved"));
  expect(await explain("connect"))
    .toEqual(state("connection", "nothing answers at ai.example (port 443)"));
  expect(await explain("connectTls")).toEqual(state("tls", "the certificate of ai.example"));
  expect(await explain()).toEqual(
    state(undefined, "is reachable, so the failure is probably transient"),
  );
});

Deno.test("explainConnection() asks for no certificate without TLS and leaves nothing open", async () => {
  const { net, asked, open } = network();
  await explainConnection("http://localhost:11434/v1", net);
  expect(asked).toEqual([["lookup", "localhost"], ["connect", "localhost", 11434]]);
  expect(open()).toBe(0);
});

/** A listener that closes each connection. */
function closingListener() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) connection.close();
  })();
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    close: () => (listener.close(), accepting),
  };
}

Deno.test("explainConnection() finds the stage on a real network", async () => {
  const { address, close } = closingListener();
  const failing = async (scheme: string) => (await explainConnection(scheme + address)).failed;
  expect(await failing("http://")).toBeUndefined();
  expect(await failing("https://")).toBe("tls");
  await close();
  expect(await failing("http://")).toBe("connection");
});

Deno.test("readSocketError() knows what nobody answers and what has no address, and nothing else", () => {
  const read = (fields: object) => readSocketError(Object.assign(new Error("no"), fields))?.why;
  const refused = { code: "ECONNREFUSED", syscall: "connect", port: 9 };
  expect(read({ ...refused, address: "127.0.0.1" })).toBe("nothing answers at 127.0.0.1 (port 9)");
  expect(read({ ...refused, address: "::1" })).toBe("nothing answers at [::1] (port 9)");
  expect(read({ code: "ENOTFOUND", syscall: "getaddrinfo", hostname: "ai.example" }))
    .toBe("the name ai.example cannot be resolved");
  expect(read({ code: "ECONNRESET", syscall: "read" })).toBe(undefined);
});
