// Puts an answer on the socket. HEAD never gets a body; a body has its length stated before it
// begins; once headers are out, a failure destroys the socket, so that a short body is never taken
// for a whole one. A client that does not read is cut after the idle time.
import type { ServerResponse } from "node:http";
import { assert } from "../lib/base/assert.ts";
import { type Deferred, deferred } from "../lib/base/bounded.ts";
import { StoreError } from "../lib/base/errors.ts";
import { giveBackRead } from "../lib/base/read-buffers.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { HeaderField } from "../lib/s3/headers.ts";
import { formatHttpDate } from "../lib/s3/http-date.ts";
import { withoutDeclaration, XML_DECLARATION } from "../lib/s3/xml-writer.ts";
import type { Answer, AnswerBody } from "./answer.ts";
import { IdleWatch } from "./data/idle-watch.ts";
import { settledWithin } from "./data/late-answer.ts";
import type { BytePace } from "./identity/rate-limits.ts";

/** A client must take this many bytes within the idle time. */
const PIECE_BYTES = 64 * 1024;
/** What is handed over at once to a client that took the piece before in no time. */
const QUICK_PIECE_BYTES = 256 * 1024;
const QUICK_MS = 1000;
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
    return writeParts(answer, options, (sink) => writeWhole(answer, sink, options));
  }
  const views = body.source[Symbol.asyncIterator]();
  try {
    const first = await views.next();
    await writeParts(answer, options, (sink) => writeStream(body.size, { first, views }, sink));
  } finally {
    await views.return?.();
  }
}

async function writeParts(
  answer: Answer,
  options: WriteOptions,
  writeBody: (sink: AnswerSink) => Promise<void>,
): Promise<void> {
  const { response } = options;
  response.sendDate = false;
  options.onHead();
  response.writeHead(answer.status, headerLines(answer, options));
  const sink = new AnswerSink(options);
  try {
    await writeBody(sink);
    await options.beforeEnd();
    await sink.end();
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    sink.close();
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

async function writeWhole(
  { status, body }: Answer,
  sink: AnswerSink,
  options: WriteOptions,
): Promise<void> {
  const hasBody = !options.isHead && !NO_BODY.has(status);
  if (hasBody && body.kind === "xml") return sink.write(Buffer.from(body.text));
  if (hasBody && body.kind === "bytes") return sink.write(body.bytes);
  if (hasBody && body.kind === "late-xml") return writeLate(body, sink, options);
  options.response.flushHeaders();
}

/** The declaration, white space while the work goes on, and then the rest of the document. */
async function writeLate(
  { document, everyMs }: Extract<AnswerBody, { kind: "late-xml" }>,
  sink: AnswerSink,
  options: WriteOptions,
): Promise<void> {
  await sink.write(Buffer.from(XML_DECLARATION));
  for (;;) {
    const late = await settledWithin(options.clock, everyMs, document);
    if (late !== undefined) {
      const text = late.kind === "done" ? late.text : options.lateError(late.thrown);
      return sink.write(Buffer.from(withoutDeclaration(text)));
    }
    await sink.write(WHITE_SPACE);
  }
}

async function writeStream(
  size: number,
  source: {
    readonly first: IteratorResult<Uint8Array>;
    readonly views: AsyncIterator<Uint8Array>;
  },
  sink: AnswerSink,
): Promise<void> {
  let sent = 0;
  let next = source.first;
  while (next.done !== true) {
    sent += next.value.byteLength;
    assert(sent <= size, "writeStream: more bytes than announced");
    await sink.write(next.value);
    next = await source.views.next();
  }
  assert(sent === size, "writeStream: fewer bytes than announced");
}

/** The way to the client: pieces one after the other, each waited for. */
class AnswerSink {
  readonly #options: WriteOptions;
  readonly #watch: IdleWatch;
  #pieceBytes = PIECE_BYTES;
  #isGone = false;
  #waiting: { readonly event: "drain" | "finish"; readonly happened: Deferred<void> } | undefined;

  constructor(options: WriteOptions) {
    const { response, clock, idleTimeoutMs } = options;
    this.#options = options;
    this.#watch = new IdleWatch(
      clock,
      idleTimeoutMs,
      () => new StoreError("aborted", "the client does not read"),
    );
    response.on("drain", this.#onDrain);
    response.on("finish", this.#onFinish);
    response.on("close", this.#onClose);
  }

  /**
   * Resolves when the next piece may follow; throws StoreError "aborted". The bytes are the sink's
   * from then on, as they may be read over with others once they were sent.
   */
  async write(view: Uint8Array): Promise<void> {
    const { response, pace, onSent, clock } = this.#options;
    for (let at = 0; at < view.byteLength; ) {
      const piece = view.subarray(at, at + this.#pieceBytes);
      at += piece.byteLength;
      if (pace !== undefined) await pace(piece.byteLength);
      if (response.destroyed) throw new StoreError("aborted", "the client went away");
      const beganMs = clock.monotonicMs();
      const hasRoom = response.write(piece, (error) => {
        // The system has it: nobody reads these bytes here again.
        if (!(error instanceof Error)) giveBackRead(piece);
      });
      onSent(piece.byteLength);
      if (hasRoom) continue;
      await this.#until("drain");
      const isQuick = clock.monotonicMs() - beganMs < QUICK_MS;
      this.#pieceBytes = isQuick ? QUICK_PIECE_BYTES : PIECE_BYTES;
    }
  }

  /** Resolves when everything was handed to the system. */
  async end(): Promise<void> {
    const finished = this.#until("finish");
    this.#options.response.end();
    await finished;
  }

  close(): void {
    const { response } = this.#options;
    this.#watch.close();
    response.off("drain", this.#onDrain);
    response.off("finish", this.#onFinish);
    response.off("close", this.#onClose);
  }

  #until(event: "drain" | "finish"): Promise<void> {
    if (this.#isGone || this.#options.response.destroyed) {
      return Promise.reject(new StoreError("aborted", "the client went away"));
    }
    const happened = deferred<void>();
    this.#waiting = { event, happened };
    return this.#watch.over(() => happened.promise);
  }

  #happened(event: "drain" | "finish"): void {
    if (this.#waiting?.event !== event) return;
    this.#waiting.happened.resolve();
    this.#waiting = undefined;
  }

  readonly #onDrain = (): void => this.#happened("drain");
  readonly #onFinish = (): void => this.#happened("finish");

  readonly #onClose = (): void => {
    this.#isGone = true;
    this.#waiting?.happened.reject(new StoreError("aborted", "the client went away"));
    this.#waiting = undefined;
  };
}
