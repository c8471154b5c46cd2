// Puts an answer on the socket. HEAD never gets a body; a body has its length stated before it
// begins; once headers are out, a failure destroys the socket, so that a short body is never taken
// for a whole one. A client that does not read is cut after the idle time.
import type { ServerResponse } from "node:http";
import { assert } from "../lib/base/assert.ts";
import { deferred } from "../lib/base/bounded.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { HeaderField } from "../lib/s3/headers.ts";
import { formatHttpDate } from "../lib/s3/http-date.ts";
import { withoutDeclaration, XML_DECLARATION } from "../lib/s3/xml-writer.ts";
import type { Answer, AnswerBody } from "./answer.ts";
import { settledWithin } from "./data/late-answer.ts";
import type { BytePace } from "./identity/rate-limits.ts";

/** A client must take this many bytes within the idle time. */
const PIECE_BYTES = 64 * 1024;
const WHITE_SPACE = Buffer.from(" ");
const NO_BODY: ReadonlySet<number> = new Set([204, 304]);
export const SERVER_NAME = "Dolium";

export interface AnswerIds {
  readonly requestId: string;
  readonly hostId: string;
}

export interface WriteOptions {
  readonly response: ServerResponse;
  readonly isHead: boolean;
  readonly ids: AnswerIds;
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  /** The connection cannot serve another request. */
  readonly close: boolean;
  /** Told when the head is about to go out. */
  readonly onHead: () => void;
  /** Runs when the answer is out, before the connection may be closed. */
  readonly beforeEnd: () => Promise<void>;
  /** The error document for work that failed after the head was out. */
  readonly lateError: (thrown: unknown) => string;
  /** Waited for before each piece of a stream: a limit of the user. */
  readonly pace: BytePace | undefined;
  /** Told the number of body bytes after each piece. */
  readonly onSent: (bytes: number) => void;
}

/**
 * Resolves when the whole answer was handed to the system. A stream is asked for its first bytes
 * before the head goes out: what it throws then comes out with nothing sent, and can still be
 * answered. Later failures, and a client that went away, destroy the socket and are thrown.
 */
export async function writeAnswer(answer: Answer, options: WriteOptions): Promise<void> {
  const { response, isHead } = options;
  if (response.destroyed) throw new StoreError("aborted", "the client went away");
  const { status, body } = answer;
  if (body.kind !== "stream" || isHead || NO_BODY.has(status)) {
    return writeParts(answer, options, () => writeWhole(answer, options));
  }
  const views = body.source[Symbol.asyncIterator]();
  try {
    const first = await views.next();
    await writeParts(answer, options, () => writeStream(body.size, { first, views }, options));
  } finally {
    await views.return?.();
  }
}

async function writeParts(
  answer: Answer,
  options: WriteOptions,
  writeBody: () => Promise<void>,
): Promise<void> {
  const { response } = options;
  response.sendDate = false;
  options.onHead();
  response.writeHead(answer.status, headerLines(answer, options));
  try {
    await writeBody();
    await options.beforeEnd();
    await ended(options);
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function headerLines(answer: Answer, options: WriteOptions): string[] {
  const { ids, clock, close } = options;
  const fields: HeaderField[] = [
    ["x-amz-request-id", ids.requestId],
    ["x-amz-id-2", ids.hostId],
    ["Date", formatHttpDate(clock.wallMs())],
    ["Server", SERVER_NAME],
    ...answer.headers,
  ];
  const { kind } = answer.body;
  if (kind === "xml" || kind === "late-xml") fields.push(["Content-Type", "application/xml"]);
  const length = bodyLength(answer.body);
  const statesLength = kind !== "xml" || !options.isHead;
  if (length !== undefined && statesLength && !NO_BODY.has(answer.status)) {
    fields.push(["Content-Length", String(length)]);
  }
  if (close) fields.push(["Connection", "close"]);
  return fields.flat();
}

/** Undefined when nobody knows yet. */
function bodyLength(body: AnswerBody): number | undefined {
  switch (body.kind) {
    case "empty":
      return 0;
    case "xml":
      return Buffer.byteLength(body.text);
    case "bytes":
      return body.bytes.byteLength;
    case "stream":
      return body.size;
    case "late-xml":
      return undefined;
  }
}

async function writeWhole({ status, body }: Answer, options: WriteOptions): Promise<void> {
  const hasBody = !options.isHead && !NO_BODY.has(status);
  if (hasBody && body.kind === "xml") return writeView(Buffer.from(body.text), options);
  if (hasBody && body.kind === "bytes") return writeView(body.bytes, options);
  if (hasBody && body.kind === "late-xml") return writeLate(body, options);
  options.response.flushHeaders();
}

/** The declaration, white space while the work goes on, and then the rest of the document. */
async function writeLate(
  { document, everyMs }: Extract<AnswerBody, { kind: "late-xml" }>,
  options: WriteOptions,
): Promise<void> {
  await writeView(Buffer.from(XML_DECLARATION), options);
  for (;;) {
    const late = await settledWithin(options.clock, everyMs, document);
    if (late !== undefined) {
      const text = late.kind === "done" ? late.text : options.lateError(late.thrown);
      return writeView(Buffer.from(withoutDeclaration(text)), options);
    }
    await writeView(WHITE_SPACE, options);
  }
}

async function writeStream(
  size: number,
  source: {
    readonly first: IteratorResult<Uint8Array>;
    readonly views: AsyncIterator<Uint8Array>;
  },
  options: WriteOptions,
): Promise<void> {
  let sent = 0;
  let next = source.first;
  while (next.done !== true) {
    sent += next.value.byteLength;
    assert(sent <= size, "writeStream: more bytes than announced");
    await writeView(next.value, options);
    next = await source.views.next();
  }
  assert(sent === size, "writeStream: fewer bytes than announced");
}

async function writeView(view: Uint8Array, options: WriteOptions): Promise<void> {
  for (let at = 0; at < view.byteLength; at += PIECE_BYTES) {
    const piece = view.subarray(at, at + PIECE_BYTES);
    await options.pace?.(piece.byteLength);
    if (options.response.destroyed) throw new StoreError("aborted", "the client went away");
    const hasRoom = options.response.write(piece);
    options.onSent(piece.byteLength);
    if (!hasRoom) await eventOf(options, "drain");
  }
}

async function ended(options: WriteOptions): Promise<void> {
  const finished = eventOf(options, "finish");
  options.response.end();
  await finished;
}

/** Waits for the event; throws StoreError "aborted" when the client leaves or stops reading. */
async function eventOf(options: WriteOptions, event: "drain" | "finish"): Promise<void> {
  const { response, clock, idleTimeoutMs } = options;
  const happened = deferred<void>();
  const done = (): void => happened.resolve();
  const fail = (why: string): void => happened.reject(new StoreError("aborted", why));
  const closed = (): void => fail("the client went away");
  const timer = clock.after(idleTimeoutMs, () => fail("the client does not read"));
  response.once(event, done);
  response.once("close", closed);
  try {
    await happened.promise;
  } finally {
    timer.cancel();
    response.off(event, done);
    response.off("close", closed);
  }
}
