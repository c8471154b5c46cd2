// Posts over real sockets: what arrives, what comes back, and every way it can fail.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import type { HttpAgentsOptions } from "../../../services/lib/host/http-agents.ts";
import { createHttpClient } from "../../../services/lib/host/http-client.ts";
import type { HttpClient, HttpPost } from "../../../services/lib/ports/http.ts";
import { selfSigned } from "./self-signed.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

function clientFor(context: TestContext, options?: HttpAgentsOptions): HttpClient {
  const client = createHttpClient(options);
  context.after(() => client.close());
  return client;
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

function postTo(url: string, more: Partial<HttpPost> = {}): HttpPost {
  return { url, body: utf8("{}"), headers: {}, deadlineMs: 10_000, ...more };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

test("a post carries path, headers and body, and its status comes back", async (context) => {
  const seen: unknown[] = [];
  const base = await listen(context, async (request, response) => {
    const { authorization, "content-length": length } = request.headers;
    seen.push([request.method, request.url, authorization, length, await textOf(request)]);
    response.writeHead(202).end("taken");
  });
  const headers = { Authorization: "Bearer abc" };
  const client = clientFor(context);
  const body = utf8('{"ä":1}');
  assert.equal(await client.post(postTo(`${base}/in?x=1`, { headers, body })), 202);
  assert.deepEqual(seen, [["POST", "/in?x=1", "Bearer abc", "8", '{"ä":1}']]);
});

test("one connection serves posts that follow each other", async (context) => {
  const sockets = new Set<Socket>();
  const base = await listen(context, (request, response) => {
    sockets.add(request.socket);
    response.end("ok");
  });
  const client = clientFor(context);
  for (let round = 0; round < 3; round += 1) assert.equal(await client.post(postTo(base)), 200);
  assert.equal(sockets.size, 1);
});

test("refusals and redirects are statuses, not failures", async (context) => {
  let status = 500;
  const base = await listen(context, (_request, response) => {
    response.writeHead(status, { Location: "/elsewhere" }).end();
  });
  const client = clientFor(context);
  for (status of [500, 404, 302]) assert.equal(await client.post(postTo(base)), status);
});

test("a large answer does not delay its status for ever", async (context) => {
  const base = await listen(context, (_request, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      response.once("drain", more);
    };
    more();
  });
  assert.equal(await clientFor(context).post(postTo(base)), 200);
});

test("a server that says nothing is given up at the deadline", async (context) => {
  const base = await listen(context, () => undefined);
  const post = clientFor(context).post(postTo(base, { deadlineMs: 30 }));
  await assert.rejects(post, { name: "StoreError", code: "timeout" });
});

test("a caller may give up, before and during a post", async (context) => {
  const stop = new AbortController();
  const base = await listen(context, () => stop.abort());
  const client = clientFor(context);
  const aborted = { name: "StoreError", code: "aborted" };
  await assert.rejects(client.post(postTo(base, { signal: stop.signal })), aborted);
  await assert.rejects(client.post(postTo(base, { signal: stop.signal })), aborted);
});

test("nobody listening, and a connection cut before the answer, are unavailable", async (context) => {
  const base = await listen(context, (request) => request.socket.destroy());
  const client = clientFor(context);
  const unavailable = { name: "StoreError", code: "unavailable" };
  await assert.rejects(client.post(postTo(base)), unavailable);
  await assert.rejects(client.post(postTo("http://127.0.0.1:1/")), unavailable);
});

test("what cannot be sent is invalid", async (context) => {
  const client = clientFor(context);
  const invalid = { name: "StoreError", code: "invalid" };
  await assert.rejects(client.post(postTo("ftp://127.0.0.1/")), invalid);
  await assert.rejects(client.post(postTo("no url")), invalid);
  const headers = { "X-Bad": "a\r\nb" };
  await assert.rejects(client.post(postTo("http://127.0.0.1:1/", { headers })), invalid);
});

test("https posts only to servers whose certificate is trusted", async (context) => {
  const { key, cert } = await selfSigned(context);
  const server = createSecureServer({ key, cert }, (_request, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  assert.equal(await clientFor(context, { ca: cert }).post(postTo(url)), 200);
  await assert.rejects(clientFor(context).post(postTo(url)), { code: "unavailable" });
});
