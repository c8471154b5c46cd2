// Streaming exchanges over real sockets: what arrives, what comes back, and every way to fail.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { createHttpExchanger } from "../../../services/lib/host/http-exchange.ts";
import type { HttpExchange, HttpExchanger } from "../../../services/lib/ports/http-exchange.ts";
import { selfSigned } from "./self-signed.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

function exchangerFor(context: TestContext, ca?: string): HttpExchanger {
  const exchanger = createHttpExchanger(ca === undefined ? {} : { ca });
  context.after(() => exchanger.close());
  return exchanger;
}

async function listen(context: TestContext, answer: Answer): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function requestTo(origin: string, more: Partial<HttpExchange> = {}): HttpExchange {
  return { method: "GET", origin, target: "/", headers: {}, idleMs: 30_000, ...more };
}

/** Answers with what it got, when it has got it all. */
const echo: Answer = async (request, response) => {
  const body = await read(request);
  response.writeHead(207, { "X-Seen": `${request.method} ${request.url}` }).end(body);
};

async function* pieces(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(size, index % 251);
}

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const views: Uint8Array[] = [];
  for await (const view of body) views.push(view);
  return Buffer.concat(views);
}

test("method, target and headers go as they are; a body streams both ways", async (context) => {
  const origin = await listen(context, echo);
  const [count, size] = [300, 40_000];
  const answer = await exchangerFor(context).exchange(
    requestTo(origin, {
      method: "PUT",
      target: "/bucket/a/../b%2F%20?x=%2F",
      headers: { "Content-Length": String(count * size) },
      body: pieces(count, size),
    }),
  );
  assert.equal(answer.status, 207);
  assert.equal(answer.headers.get("x-seen"), "PUT /bucket/a/../b%2F%20?x=%2F");
  assert.deepEqual(await read(answer.body), await read(pieces(count, size)));
});

test("over TLS, with an authority of its own", async (context) => {
  const { key, cert } = await selfSigned(context);
  const server = createSecureServer({ key, cert }, (_request, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const { body } = await exchangerFor(context, cert).exchange(requestTo(origin));
  assert.equal((await read(body)).toString(), "ok");
  const refused = exchangerFor(context).exchange(requestTo(origin));
  await assert.rejects(refused, { code: "unavailable" });
});

test("an answer that comes early ends the sending and the source", async (context) => {
  const origin = await listen(context, (_request, response) => {
    response.writeHead(403).end("no");
  });
  let isClosed = false;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.alloc(64 * 1024);
    } finally {
      isClosed = true;
    }
  };
  const headers = { "Content-Length": String(2 ** 40) };
  const request = requestTo(origin, { method: "PUT", headers, body: endless() });
  const answer = await exchangerFor(context).exchange(request);
  assert.equal(answer.status, 403);
  assert.equal((await read(answer.body)).toString(), "no");
  assert.ok(isClosed);
});

test("what the body throws comes through, and the request is never whole", async (context) => {
  let isWhole = false;
  const origin = await listen(context, (request) => {
    request.on("error", () => undefined);
    request.on("end", () => {
      isWhole = true;
    });
    request.resume();
  });
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10);
    throw new StoreError("corrupt", "the source broke");
  };
  const headers = { "Content-Length": "1000" };
  const request = requestTo(origin, { method: "PUT", headers, body: failing() });
  const exchange = exchangerFor(context).exchange(request);
  await assert.rejects(exchange, { code: "corrupt", message: "the source broke" });
  assert.equal(isWhole, false);
});

test("a server that says nothing, or stops in the middle, is idle for too long", async (context) => {
  const origin = await listen(context, (request, response) => {
    if (request.url !== "/half") return;
    response.writeHead(200, { "Content-Length": "10" });
    response.write("half");
  });
  const exchanger = exchangerFor(context);
  const silent = exchanger.exchange(requestTo(origin, { idleMs: 100 }));
  await assert.rejects(silent, { code: "timeout" });
  const half = await exchanger.exchange(requestTo(origin, { target: "/half", idleMs: 1500 }));
  await assert.rejects(read(half.body), { code: "timeout" });
});

test("a slow consumer and a slow source are not the server's idleness", async (context) => {
  const origin = await listen(context, echo);
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2000));
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("a");
    await pause();
    yield Buffer.from("b");
  };
  const headers = { "Content-Length": "2" };
  const answer = await exchangerFor(context).exchange(
    requestTo(origin, { method: "PUT", headers, body: slow(), idleMs: 1500 }),
  );
  let text = "";
  for await (const view of answer.body) {
    await pause();
    text += Buffer.from(view).toString();
  }
  assert.equal(text, "ab");
});

test("a body that ends early, nobody there, a signal, and what cannot be sent", async (context) => {
  const origin = await listen(context, (_request, response) => {
    response.writeHead(200, { "Content-Length": "10" });
    response.write("half");
    setImmediate(() => response.destroy());
  });
  const exchanger = exchangerFor(context);
  const cut = exchanger.exchange(requestTo(origin)).then(({ body }) => read(body));
  await assert.rejects(cut, { code: "unavailable" });
  const nobody = exchanger.exchange(requestTo("http://127.0.0.1:1"));
  await assert.rejects(nobody, { code: "unavailable" });
  const signal = AbortSignal.abort();
  await assert.rejects(exchanger.exchange(requestTo(origin, { signal })), { code: "aborted" });
  for (const bad of [
    requestTo("ftp://host"),
    requestTo("http://host/path"),
    requestTo(origin, { target: "/a b" }),
    requestTo(origin, { headers: { "x-a": "b\r\nc" } }),
  ]) {
    await assert.rejects(exchanger.exchange(bad), { code: "invalid" });
  }
});
