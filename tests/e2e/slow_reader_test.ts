/** Clients that open a stream of events and read nothing. */
import { expect } from "expect";
import type { JournalEvent } from "../../pipeline/kernel/events.ts";
import { expectGapless, follow, journal, parseSse, post } from "./_api.ts";
import { memoryOf, report, startServer, withHome } from "./_process.ts";
import { SLEEPER } from "./_sleeps.ts";

const READERS = 200;

/** A run that waits until the readers are there and then puts out 12 MB. */
const FILES = {
  "pipelines/loud.yaml": `name: loud
version: 1
start: ready
nodes:
  ready: { wait: { signal: go }, next: speak }
  speak:
    map:
      items: "\${ input.items }"
      concurrency: 1
      body:
        start: loud
        nodes:
          loud: { transform: "\${ input.text }", next: done }
          done: { transform: 1 }
`,
};
const INPUT = { items: Array.from({ length: 60 }, (_, n) => n), text: "x".repeat(200_000) };

/** Asks for a run's events over a socket of its own and does not read them. */
async function connect(url: string, id: string): Promise<Deno.Conn> {
  const { hostname, port } = new URL(url);
  const socket = await Deno.connect({ hostname, port: Number(port) });
  const request =
    `GET /v1/runs/${id}/events HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`;
  await socket.write(new TextEncoder().encode(request));
  return socket;
}

/** Follows a run to its end, as often as the stream is cut off. */
async function resume(url: string, id: string, after = 0): Promise<JournalEvent[]> {
  const events: JournalEvent[] = [];
  while (events.at(-1)?.type !== "run.completed") {
    events.push(...await follow(url, id, events.at(-1)?.seq ?? after));
  }
  return events;
}

/** Runs `loud` with this many who do not read. @returns by how much memory grew, in MB */
async function measure(
  server: { url: string; pid: number },
  readers: number,
  after: (id: string, sockets: Deno.Conn[]) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const { url, pid } = server;
  const { id } = await (await post(`${url}/v1/runs`, { pipeline: "loud", input: INPUT })).json();
  const sockets = await Promise.all(Array.from({ length: readers }, () => connect(url, id)));
  const before = await memoryOf(pid);
  try {
    await (await post(`${url}/v1/runs/${id}/signal`, { name: "go" })).body?.cancel();
    expectGapless(await resume(url, id));
    const grown = await memoryOf(pid) - before;
    await after(id, sockets);
    return grown;
  } finally {
    for (const socket of sockets) socket.close();
  }
}

Deno.test("two hundred readers that read nothing are cut off and cost little memory", () =>
  withHome(FILES, async (home) => {
    const server = await startServer({ home, command: SLEEPER });
    try {
      await measure(server, 0);
      const alone = await measure(server, 0);
      const watched = await measure(server, READERS, async (id, sockets) => {
        const whole = await journal(server.url, id);
        // Now one of them reads what is there: a piece of the stream, then its end.
        const text = await new Response(sockets.pop()!.readable).text();
        const body = text.slice(text.indexOf("\r\n\r\n") + 4).replace(/\r\n[0-9a-f]+\r\n/g, "");
        expect(body).toContain(": disconnected, too slow");
        const got = parseSse(body).filter(({ seq }) => seq !== undefined);
        expect(got.length).toBeLessThan(whole.length);
        expect([...got, ...await resume(server.url, id, got.at(-1).seq)]).toEqual(whole);
      });
      report(`${READERS} silent readers: ${(watched - alone).toFixed(1)} MB more than none`);
      // What a process holds depends on when it last collected garbage. Uncut, they would hold 2.4 GB.
      expect(watched - alone).toBeLessThan(READERS * 1.5);
    } finally {
      await server.stop("SIGKILL");
    }
  }));
