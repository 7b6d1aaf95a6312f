import { expect } from "expect";
import { createConnect } from "../../guard/connector.ts";
import { createEgress, type EgressRequest } from "../../guard/egress.ts";
import { expectError, signal, test, textOf, withServer } from "./_setup.ts";

/** Counts connections on a port of every local address. */
function countConnections() {
  let connections = 0;
  const listener = Deno.listen({ port: 0, hostname: "0.0.0.0" });
  const listeners = [listener];
  try {
    listeners.push(Deno.listen({ port: listener.addr.port, hostname: "::1" }));
  } catch { /* a machine without IPv6 */ }
  const accepting = listeners.map(async (one) => {
    for await (const connection of one) {
      connections++;
      connection.close();
    }
  });
  return {
    port: listener.addr.port,
    count: () => connections,
    async stop() {
      for (const one of listeners) one.close();
      await Promise.all(accepting);
    },
  };
}

const HOSTS = [
  // names
  ...["localhost", "LOCALHOST", "localhost.", "app.localhost", "printer.local"],
  ...["metadata.google.internal", "metadata.google.internal.", "ⓛocalhost"],
  // loopback in every form that a URL can have
  ...["127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433"],
  ...["0177.0.0.1", "017700000001", "127.255.255.254", "0", "0.0.0.0", "0x0"],
  ...["１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "%31%32%37.0.0.1"],
  ...["[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]"],
  ...["[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
  ...["[2001:0:7f00:1::]", "[::ffff:0:127.0.0.1]"],
  // others
  ...["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0xa9fea9fe"],
  ...["2852039166", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
  ...["[fc00::1]", "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]", "[::ffff:169.254.169.254]"],
];

test("the guard refuses every form of a private address, and sends nothing", async () => {
  const target = countConnections();
  const lookups: string[] = [];
  const warnings: unknown[] = [];
  const egress = createEgress({
    allowed_hosts: [],
    resolve: (host) => {
      lookups.push(host);
      return Promise.resolve(["127.0.0.1"]);
    },
    log: { warn: (message, fields) => warnings.push([message, fields]) },
  });
  for (const host of HOSTS) {
    const url = `http://${host}:${target.port}/`;
    const error = await expectError(egress.request(url, { signal }), "egress_denied");
    expect(error.message).toContain("EGRESS_ALLOWED_HOSTS");
    await expectError(egress.fetch(url, { signal }), "egress_denied");
    await expectError(egress.request(`https://${host}/`, { signal }), "egress_denied");
  }
  expect(target.count()).toBe(0);
  expect(lookups).toEqual([]);
  expect(warnings.length).toBe(HOSTS.length * 3);
  await egress.close();
  await target.stop();
});

test("the guard refuses other schemes and passwords in addresses", async () => {
  const egress = createEgress({ allowed_hosts: ["*.example.com", "example.com"] });
  const urls = [
    ...["file:///etc/passwd", "ftp://example.com/", "gopher://example.com:70/", "data:,x"],
    ...["ws://example.com/", "javascript:1", "blob:http://example.com/1", "unix:/run/x.sock"],
    ...["http://user:password@example.com/", "http://user@example.com/", "http://:p@example.com/"],
  ];
  for (const url of urls) {
    const error = await expectError(egress.request(url, { signal }), "egress_denied");
    expect(error.message).not.toContain("password@");
  }
  for (const url of ["", "/path", "http://", "http://[::1", "http://256.1.1.1/", "http://a b/"]) {
    await expectError(egress.request(url, { signal }), "egress_failed");
  }
  await egress.close();
});

test("the guard refuses a name when any of its addresses is private", async () => {
  const target = countConnections();
  const addresses: Record<string, string[]> = {
    "one.example": ["127.0.0.1"],
    "mixed.example": ["93.184.215.14", "10.0.0.7"],
    "six.example": ["2606:4700::1111", "fd00::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "odd.example": ["fe80::1%eth0"],
  };
  const egress = createEgress({
    allowed_hosts: [],
    resolve: (host) => Promise.resolve(addresses[host] ?? []),
  });
  for (const host of Object.keys(addresses)) {
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://${host}:${target.port}/`;
      const error = await expectError(egress.request(url, { signal }), "egress_denied");
      // Which address an internal name has is nobody's business outside.
      for (const address of addresses[host]!) expect(error.message).not.toContain(address);
    }
  }
  expect(target.count()).toBe(0);
  await egress.close();
  await target.stop();
});

test("the guard connects to the address that it checked, not to what the name leads to next", async () => {
  let lookups = 0;
  const connected: string[] = [];
  const connect = createConnect(
    (options, callback) => {
      connected.push(options.hostname);
      queueMicrotask(() => callback(new Error("nobody there"), null));
    },
    () => Promise.resolve([lookups++ === 0 ? "93.184.215.14" : "127.0.0.1"]),
    true,
  );
  const open = () =>
    new Promise((resolve) =>
      connect(
        { hostname: "rebind.example", protocol: "https:", port: "443" },
        (...[error]) => resolve(error),
      )
    );
  expect(String(await open())).toContain("nobody there");
  expect([lookups, connected]).toEqual([1, ["93.184.215.14"]]);
  // A new connection is a new look, checked as well.
  expect(await open()).toMatchObject({ code: "egress_denied" });
  expect([lookups, connected]).toEqual([2, ["93.184.215.14"]]);
});

test("the guard refuses redirects to private addresses", () =>
  withServer(
    (request) => Response.redirect(decodeURIComponent(new URL(request.url).search.slice(4))),
    async (server, egress) => {
      const target = countConnections();
      for (const host of ["127.0.0.1", "localhost", "0x7f.1", "[::1]", "named.example"]) {
        const to = encodeURIComponent(`http://${host}:${target.port}/`);
        await expectError(egress.request(`${server.url}/?to=${to}`, { signal }), "egress_denied");
      }
      const file = encodeURIComponent("file:///etc/passwd");
      await expectError(egress.request(`${server.url}/?to=${file}`, { signal }), "egress_denied");
      expect(target.count()).toBe(0);
      await target.stop();
    },
    { resolve: () => Promise.resolve(["127.0.0.1"]) },
  ));

test("hosts that the operator named may be private", () =>
  withServer(() => new Response("inside"), async (server, egress) => {
    const named = `http://api.internal:${server.port}/`;
    expect(textOf(await egress.request(named, { signal }))).toBe("inside");
    await expectError(
      egress.request(`http://other.internal:${server.port}/`, { signal }),
      "egress_denied",
    );
    await expectError(egress.request(server.url, { signal }), "egress_denied");
  }, { allowed_hosts: ["api.internal"], resolve: () => Promise.resolve(["127.0.0.1"]) }));

test("an operator's origin may be private in that request only, connection included", () =>
  withServer(() => new Response("inside"), async (server, egress) => {
    const url = `http://api.example:${server.port}/`;
    const operator: EgressRequest = { signal, operator_origin: url };
    expect(textOf(await egress.request(url, operator))).toBe("inside");
    // The connection is still open, but not for requests without that permission.
    await expectError(egress.request(url, { signal }), "egress_denied");
    await expectError(egress.request(server.url, operator), "egress_denied");
    expect(server.requests.length).toBe(1);
  }, { allowed_hosts: [], resolve: () => Promise.resolve(["127.0.0.1"]) }));

test("the guard tries all addresses of a name that it may reach", () =>
  withServer(() => new Response("second"), async (server, egress) => {
    const url = `http://two.example:${server.port}/`;
    expect(textOf(await egress.request(url, { signal }))).toBe("second");
  }, {
    allowed_hosts: ["two.example"],
    // Nothing listens on the first one.
    resolve: () => Promise.resolve(["127.0.0.9", "127.0.0.1"]),
  }));
