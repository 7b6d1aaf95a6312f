import { expect } from "expect";
import { explainConnection, type Network } from "../../cli/connection.ts";

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
  expect(await explain("lookup")).toContain("the name ai.example cannot be resolved");
  expect(await explain("connect")).toContain("nothing answers at ai.example (port 443)");
  expect(await explain("connectTls")).toContain("the certificate of ai.example");
  expect(await explain()).toContain("can be reached");
});

Deno.test("explainConnection() asks for no certificate without TLS and leaves nothing open", async () => {
  const { net, asked, open } = network();
  await explainConnection("http://localhost:11434/v1", net);
  expect(asked).toEqual([["lookup", "localhost"], ["connect", "localhost", 11434]]);
  expect(open()).toBe(0);
});

Deno.test("explainConnection() tells a port nobody listens on from one that is taken", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `//127.0.0.1:${listener.addr.port}`;
  try {
    expect(await explainConnection(`http:${address}`)).toContain("can be reached");
    const accepted = listener.accept().then((connection) => connection.close());
    await accepted;
    const closing = listener.accept().then(() => listener.accept())
      .then((connection) => connection.close());
    expect(await explainConnection(`https:${address}`)).toContain("the certificate of");
    await closing;
  } finally {
    listener.close();
  }
  expect(await explainConnection(`http:${address}`)).toContain("nothing answers");
});
