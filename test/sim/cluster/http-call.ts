// One S3 request over a connection in memory: the real HTTP server of the gateway parses it and
// writes the answer. The connection is closed after it. Nothing of the machine's network is used.
import { duplexPair } from "node:stream";
import type { FastifyInstance } from "fastify";

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface HttpExchange {
  /** Undefined: the connection ended without a whole answer, so nobody knows what happened. */
  readonly answer: Promise<HttpAnswer | undefined>;
  /** Cuts the connection from the client's side. */
  cut(): void;
}

/** Sends `bytes`, or its first `cutAt` and then cuts the connection. */
export function exchange(
  app: FastifyInstance,
  bytes: Uint8Array,
  options: { readonly isHead: boolean; readonly cutAt?: number },
): HttpExchange {
  const [client, server] = duplexPair();
  const pieces: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<HttpAnswer | undefined>();
  const finish = (): void => resolve(parseAnswer(Buffer.concat(pieces), options.isHead));
  client.on("data", (piece: Buffer) => pieces.push(Buffer.from(piece)));
  client.on("end", () => {
    finish();
    client.destroy();
  });
  client.on("close", finish);
  client.on("error", finish);
  server.on("error", finish);
  app.server.emit("connection", server);
  client.write(options.cutAt === undefined ? bytes : bytes.subarray(0, options.cutAt));
  const cut = (): void => {
    client.destroy();
    // A reset: an end of the stream alone would let the server wait for more.
    server.destroy(new Error("the connection was reset"));
  };
  if (options.cutAt !== undefined) process.nextTick(cut);
  return { answer: promise, cut };
}

/** Undefined unless the answer is whole. */
function parseAnswer(bytes: Buffer, isHead: boolean): HttpAnswer | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  if (isHead || status === 204 || status === 304) return { status, headers, body: Buffer.alloc(0) };
  const body = headers.get("transfer-encoding") === "chunked" ? joinChunks(rest) : rest;
  const length = headers.get("content-length");
  if (body === undefined || (length !== undefined && body.byteLength !== Number(length))) {
    return undefined;
  }
  return { status, headers, body };
}

/** Undefined when the last chunk is missing. */
function joinChunks(bytes: Buffer): Buffer | undefined {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const length = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (length === 0) return Buffer.concat(pieces);
    const start = lineEnd + 2;
    if (start + length > bytes.byteLength) return undefined;
    pieces.push(bytes.subarray(start, start + length));
    at = start + length + 2;
  }
}
