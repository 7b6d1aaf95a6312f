import { expect } from "expect";
import { type Fixture, setup, user } from "./_setup.ts";

const ASK = { conversation_id: "c1", messages: [user("hi")] };

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true });
}

async function serve(fixture: Fixture, fn: (base: string) => Promise<void>) {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    fixture.app.fetch,
  );
  await fn(`127.0.0.1:${server.addr.port}`);
}

function connect(base: string) {
  const socket = new WebSocket(`ws://${base}/v1/chat/stream`);
  // deno-lint-ignore no-explicit-any -- tests look into it freely
  const received: any[] = [];
  const waiting: (() => void)[] = [];
  socket.onmessage = ({ data }) => {
    received.push(JSON.parse(data));
    for (const wake of waiting.splice(0)) wake();
  };
  const opened = new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  const message = async (type: string) => {
    for (;;) {
      const found = received.find((message) => message.type === type);
      if (found) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { socket, received, opened, closed, message };
}

test("two turns over one real socket, then a clean close", async () => {
  const fixture = setup();
  await serve(fixture, async (base) => {
    const { socket, opened, closed, message, received } = connect(base);
    await opened;
    socket.send(JSON.stringify({ type: "chat", ...ASK }));
    expect((await message("complete")).message.content).toBe("the answer");
    const health = await (await fetch(`http://${base}/health`)).json();
    expect(health.active_sessions).toBe(1);
    received.length = 0;
    socket.send(JSON.stringify(ASK));
    expect((await message("complete")).run_id).toBe("run_00000000000000000000000002");
    socket.close();
    await closed;
    for (;;) {
      const { active_sessions } = await (await fetch(`http://${base}/health`)).json();
      if (active_sessions === 0) break;
    }
  });
  expect(fixture.log.filter(({ level }) => level !== "info")).toEqual([]);
  expect(fixture.log.some(({ fields }) => fields.status === 101)).toBe(true);
});

test("closing the socket leaves the run running; another socket resumes it", async () => {
  const fixture = setup();
  await serve(fixture, async (base) => {
    const first = connect(base);
    await first.opened;
    first.socket.send(JSON.stringify({ ...ASK, pipeline: "gated" }));
    const { run_id, seq } = await first.message("run.started");
    first.socket.close();
    await first.closed;
    const second = connect(base);
    await second.opened;
    second.socket.send(JSON.stringify({ type: "resume", run_id, after: seq }));
    expect((await second.message("step.snapshot")).text).toBe("so far");
    fixture.open();
    expect((await second.message("complete")).message.content).toBe("done");
    second.socket.close();
    await second.closed;
  });
});

test("binary is closed with 1003, too long a message with 1009", async () => {
  await serve(setup(), async (base) => {
    const cases: [data: string | Uint8Array<ArrayBuffer>, code: number][] = [
      [new Uint8Array(3), 1003],
      ["x".repeat(10_001), 1009],
    ];
    for (const [data, code] of cases) {
      const { socket, opened, closed } = connect(base);
      await opened;
      socket.send(data);
      expect((await closed).code).toBe(code);
    }
  });
});

test("shutdown closes sockets with 1001", async () => {
  const fixture = setup();
  await serve(fixture, async (base) => {
    const { opened, closed, socket, message } = connect(base);
    await opened;
    socket.send('{"type":"ping"}');
    await message("pong");
    fixture.shutdown.abort();
    expect((await closed).code).toBe(1001);
  });
});

test("a handshake with a foreign origin or host is refused, an allowed origin is not", async () => {
  const fixture = setup();
  await serve(fixture, async (base) => {
    const handshake = async (headers: Record<string, string>) => {
      using connection = await Deno.connect({
        hostname: "127.0.0.1",
        port: Number(base.split(":")[1]),
      });
      const lines = Object.entries({
        host: base,
        upgrade: "websocket",
        connection: "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        ...headers,
      }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
      await connection.write(
        new TextEncoder().encode(`GET /v1/chat/stream HTTP/1.1\r\n${lines}\r\n`),
      );
      const buffer = new Uint8Array(1000);
      const size = await connection.read(buffer);
      return new TextDecoder().decode(buffer.subarray(0, size ?? 0)).slice(9, 12);
    };
    expect(await handshake({ origin: "https://evil.test" })).toBe("403");
    expect(await handshake({ host: "evil.test" })).toBe("421");
    expect(await handshake({ origin: "http://localhost:3000" })).toBe("101");
    expect(await handshake({ origin: `http://${base}` })).toBe("101");
    expect(await handshake({})).toBe("101");
  });
});

test("a client that does not read is closed with 1013 and can resume", async () => {
  const text = "x".repeat(100_000);
  const fixture = setup({
    scripts: {
      async chatty({ delta, emit }) {
        for (let n = 0; n < 400; n++) {
          delta("talk", text);
          emit({ type: "step.started", step: `s${n}`, attempt: 1 });
          if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
        }
        return "done";
      },
    },
  });
  await serve(fixture, async (base) => {
    // A bare TCP client, which can refuse to read.
    const [hostname, port] = base.split(":") as [string, string];
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const hello = `GET /v1/chat/stream HTTP/1.1\r\nHost: ${base}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    await connection.write(new TextEncoder().encode(hello));
    await connection.read(new Uint8Array(4096));
    await connection.write(frame(JSON.stringify({ ...ASK, pipeline: "chatty" })));
    let journal: unknown[] = [];
    while (journal.length < 402) {
      const response = await fetch(`http://${base}/v1/runs/run_00000000000000000000000001/journal`);
      const body = await response.json();
      journal = response.ok ? body : [];
    }
    const all: Uint8Array[] = [];
    let total = 0;
    for (let size: number | null = 1; size !== null && !endsWith1013(all);) {
      const buffer = new Uint8Array(65_536);
      size = await connection.read(buffer);
      all.push(buffer.subarray(0, size ?? 0));
      total += size ?? 0;
    }
    expect(endsWith1013(all)).toBe(true);
    expect(total).toBeLessThan(40_000_000);
  });
});

/** A masked text frame (RFC 6455 §5.2) with an all-zero mask. */
function frame(text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  return new Uint8Array([
    0x81,
    0x80 | 126,
    payload.length >> 8,
    payload.length & 255,
    0,
    0,
    0,
    0,
    ...payload,
  ]);
}

function endsWith1013(chunks: Uint8Array[]): boolean {
  const tail = new TextDecoder("latin1").decode(chunks.at(-1) ?? new Uint8Array());
  return tail.includes("\x03\xf5too slow");
}
