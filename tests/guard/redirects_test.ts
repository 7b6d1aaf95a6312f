import { expect } from "expect";
import { expectError, serve, signal, test, textOf, withServer } from "./_setup.ts";

/** A server that redirects from `/status/code?to=…` and tells what reached it elsewhere. */
async function mirror(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const [, kind, status] = pathname.split("/");
  const location = searchParams.get("to") ?? "/end";
  if (kind === "status") {
    return new Response("moved", { status: Number(status), headers: { location } });
  }
  if (kind === "loop") return new Response(null, { status: 302, headers: { location: "/loop" } });
  return Response.json({
    method: request.method,
    body: await request.text(),
    headers: Object.fromEntries(request.headers),
  });
}

test("request() changes method and body on redirects as browsers do", () =>
  withServer(mirror, async (server, egress) => {
    const cases: [number, string, string, string][] = [
      [301, "POST", "GET", ""],
      [302, "POST", "GET", ""],
      [302, "PUT", "PUT", "text"],
      [303, "PUT", "GET", ""],
      [303, "HEAD", "HEAD", ""],
      [307, "POST", "POST", "text"],
      [308, "DELETE", "DELETE", "text"],
    ];
    for (const [status, method, wanted, body] of cases) {
      await egress.request(`${server.url}/status/${status}`, {
        method,
        body: method === "HEAD" ? undefined : "text",
        headers: { "content-type": "text/plain" },
        signal,
      });
      const last = server.requests.at(-1)!;
      expect([status, method, last.method]).toEqual([status, method, wanted]);
      expect(last.headers.has("content-type")).toBe(body !== "" || wanted === "HEAD");
    }
  }));

test("request() returns where redirects lead, and redirects themselves when it follows none", () =>
  withServer(mirror, async (server, egress) => {
    const followed = await egress.request(`${server.url}/status/302`, { signal });
    expect([followed.url, followed.status]).toEqual([`${server.url}/end`, 200]);
    const first = await egress.request(`${server.url}/status/302`, { signal, max_redirects: 0 });
    expect([first.status, textOf(first)]).toEqual([302, "moved"]);
  }));

test("request() follows five redirects", () =>
  withServer(mirror, async (server, egress) => {
    const error = await expectError(
      egress.request(`${server.url}/loop`, { signal }),
      "egress_failed",
    );
    expect(error.message).toContain("redirects too often");
    expect(server.requests.length).toBe(6);
  }));

test("request() sends secret headers to their origin only, credentials not across origins", async () => {
  const other = serve(mirror);
  try {
    await withServer(mirror, async (server, egress) => {
      const secret_headers = { origin: server.url, headers: { "X-Api-Key": "secret" } };
      const headers = { authorization: "mine", cookie: "mine", "x-mark": "m" };
      const ask = async (url: string) =>
        JSON.parse(textOf(await egress.request(url, { headers, secret_headers, signal }))).headers;

      expect(await ask(`${server.url}/status/302`))
        .toMatchObject({ "x-api-key": "secret", authorization: "mine", cookie: "mine" });

      const away = await ask(`${server.url}/status/302?to=${other.url}/end`);
      expect(away["x-mark"]).toBe("m");
      for (const name of ["x-api-key", "authorization", "cookie"]) {
        expect(away[name]).toBeUndefined();
      }

      const direct = await ask(`${other.url}/end`);
      expect(direct).not.toHaveProperty("x-api-key");

      // What another origin sends back did not come from here.
      const back = encodeURIComponent(`${other.url}/status/302?to=${server.url}/end`);
      expect(await ask(`${server.url}/status/302?to=${back}`)).not.toHaveProperty("x-api-key");
    }, { allowed_hosts: ["127.0.0.1"] });
  } finally {
    await other.stop();
  }
});
