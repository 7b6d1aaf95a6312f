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
  expect(await explainConnection(`http://${address}`)).toContain("can be reached");
  expect(await explainConnection(`https://${address}`)).toContain("the certificate of");
  await close();
  expect(await explainConnection(`http://${address}`)).toContain("nothing answers");
});
