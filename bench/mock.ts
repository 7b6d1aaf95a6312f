/**
 * A model server that costs next to nothing: speaks OpenAI's chat completions and streams the same
 * words every time.
 *
 *     deno run -A bench/mock.ts PORT
 *
 * The model's name says how: `mock-20` sends 60 chunks 20 ms apart, `mock-0x10` ten at once. Each
 * chunk ends with a stamp, the first begins with the number of messages received (`stamp.ts`).
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { messageMark, stamp } from "./stamp.ts";

const WORDS = " the agent then reads a small file";
const TOKENS_PER_CHUNK = 8;
const CHUNKS = 60;
const PROMPT_TOKENS = 100;
const BACKLOG = 4096;

interface Request {
  model: string;
  stream: boolean;
  messages: unknown[];
}

interface Pace {
  delay_ms: number;
  chunks: number;
}

let served = 0;

function paceOf(model: string): Pace {
  const [, delay = "0", chunks = String(CHUNKS)] = /^mock-(\d+)(?:x(\d+))?$/.exec(model) ?? [];
  return { delay_ms: Number(delay), chunks: Number(chunks) };
}

function usageOf({ chunks }: Pace): Record<string, number> {
  const completion = chunks * TOKENS_PER_CHUNK;
  return {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: completion,
    total_tokens: PROMPT_TOKENS + completion,
  };
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, Math.max(0, ms)));

/** Answers in one piece after the time that the stream would have taken. */
async function answer(request: Request, response: ServerResponse): Promise<void> {
  const pace = paceOf(request.model);
  if (pace.delay_ms > 0) await sleep(pace.delay_ms * pace.chunks);
  const content = messageMark(request.messages.length) + WORDS.repeat(pace.chunks);
  sendJson(response, {
    id: `chatcmpl-${++served}`,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: request.model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: usageOf(pace),
  });
}

/** Sends chunk after chunk at the model's pace; a late one does not delay those after it. */
async function stream(request: Request, response: ServerResponse): Promise<void> {
  const pace = paceOf(request.model);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.socket?.setNoDelay(true);
  const event = eventsOf(request);
  const began = performance.now();
  for (let i = 0; i < pace.chunks; i++) {
    if (pace.delay_ms > 0) await sleep(began + (i + 1) * pace.delay_ms - performance.now());
    if (response.destroyed) return;
    const mark = i === 0 ? messageMark(request.messages.length) : "";
    response.write(event([{ index: 0, delta: delta(i, mark), finish_reason: null }]));
  }
  const last = event([{ index: 0, delta: {}, finish_reason: "stop" }]);
  response.end(`${last}${event([], usageOf(pace))}data: [DONE]\n\n`);
}

function delta(index: number, mark: string): Record<string, string> {
  return { ...(index === 0 && { role: "assistant" }), content: `${mark}${WORDS} ${stamp()}` };
}

function eventsOf({ model }: Request): (choices: unknown[], usage?: unknown) => string {
  const id = `chatcmpl-${++served}`;
  const created = Math.floor(Date.now() / 1000);
  return (choices, usage) => {
    const chunk = { id, object: "chat.completion.chunk", created, model, choices, usage };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  };
}

async function readRequest(message: IncomingMessage): Promise<Request> {
  let text = "";
  for await (const piece of message.setEncoding("utf8")) text += piece;
  const { model = "mock-0", stream = false, messages = [] } = JSON.parse(text) as Partial<Request>;
  return { model, stream, messages };
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
  if (message.method === "GET") {
    return sendJson(response, { object: "list", data: [{ id: "mock-0", object: "model" }] });
  }
  const request = await readRequest(message);
  await (request.stream ? stream : answer)(request, response);
}

const server = createServer((message, response) => {
  handle(message, response).catch((error) => response.writeHead(400).end(String(error)));
});
server.keepAliveTimeout = 120_000;
server.listen(Number(Deno.args[0]), "127.0.0.1", BACKLOG);
