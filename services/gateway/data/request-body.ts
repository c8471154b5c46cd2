// The body of one request as it comes off the socket. Reading starts only when somebody asks for it
// (and only then is `100 Continue` sent), honours backpressure, and is cut when the client stops
// sending or sends too slowly. Time spent waiting for our own side does not count against the
// client.
import { assert } from "../../lib/base/assert.ts";
import { deferred } from "../../lib/base/bounded.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { BytePace } from "../identity/rate-limits.ts";
import { IdleWatch } from "./idle-watch.ts";

const SMALL_BODY_BYTES_MAX = 64 * 1024;

export interface BodyPace {
  readonly idleTimeoutMs: number;
  readonly minimumBytesPerSecond: number;
  readonly rateWindowMs: number;
}

export interface RequestBodyOptions {
  /** Fresh views off the socket; must not destroy the connection when iteration stops early. */
  readonly views: () => AsyncIterator<Uint8Array>;
  /** Content-Length; undefined without one. */
  readonly contentLength: number | undefined;
  /** Transfer-Encoding: chunked. */
  readonly isChunked: boolean;
  /** Called once, before the first byte is read: answers `Expect: 100-continue`. */
  readonly onStart: () => void;
  readonly clock: Clock;
  readonly pace: BodyPace;
}

export class RequestBody {
  readonly contentLength: number | undefined;
  readonly #options: RequestBodyOptions;
  #isStarted = false;
  #isFinished: boolean;
  #receivedBytes = 0;
  #windowBytes = 0;
  #windowMs = 0;
  #views: AsyncIterator<Uint8Array> | undefined;
  #pace: BytePace | undefined;

  constructor(options: RequestBodyOptions) {
    this.#options = options;
    this.contentLength = options.contentLength;
    this.#isFinished = !options.isChunked && (options.contentLength ?? 0) === 0;
    this.isEmpty = this.#isFinished;
  }

  /** The request has no body at all. */
  readonly isEmpty: boolean;

  /** Somebody began to read; the body cannot be read again. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Every byte was taken off the socket, so that the connection can serve another request. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Bytes taken off the socket so far. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** What is read from now on waits for `pace` after each view: a limit of the user. */
  paceBy(pace: BytePace | undefined): void {
    this.#pace = pace;
  }

  /**
   * Yields the body once, as it comes. Throws S3Error RequestTimeout (idle or too slow) and
   * StoreError "aborted" when the client is gone.
   */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    assert(!this.#isStarted, "RequestBody: read twice");
    this.#isStarted = true;
    if (this.isEmpty) return;
    this.#options.onStart();
    this.#views = this.#options.views();
    const { clock, pace } = this.#options;
    const watch = new IdleWatch(clock, pace.idleTimeoutMs, () => new S3Error("RequestTimeout"));
    try {
      for (;;) {
        const result = await this.#next(this.#views, watch);
        if (result.done === true) {
          this.#isFinished = true;
          return;
        }
        this.#receivedBytes += result.value.byteLength;
        if (this.#pace !== undefined) await this.#pace(result.value.byteLength);
        yield result.value;
      }
    } finally {
      watch.close();
    }
  }

  /**
   * Takes what the client still sends off the socket and drops it, until the body ends, `bytesMax`
   * are dropped, `ms` have passed or the client is gone. A socket that is closed with bytes unread
   * is reset, and the client may lose the answer it was just sent.
   */
  async discard(bytesMax: number, ms: number): Promise<void> {
    this.#isStarted = true;
    this.#views ??= this.#options.views();
    const late = deferred<"late">();
    const timer = this.#options.clock.after(ms, () => late.resolve("late"));
    let droppedBytes = 0;
    try {
      while (!this.#isFinished && droppedBytes < bytesMax) {
        const pull = pulled(this.#views).catch(() => "gone" as const);
        const result = await Promise.race([pull, late.promise]);
        if (result === "late" || result === "gone") return;
        if (result.done === true) this.#isFinished = true;
        else droppedBytes += result.value.byteLength;
      }
    } finally {
      timer.cancel();
    }
  }

  async #next(
    views: AsyncIterator<Uint8Array>,
    watch: IdleWatch,
  ): Promise<IteratorResult<Uint8Array>> {
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const result = await watch.over(() => pulled(views));
    this.#checkRate(result, clock.monotonicMs() - startedMs);
    return result;
  }

  #checkRate(result: IteratorResult<Uint8Array>, waitedMs: number): void {
    const { rateWindowMs, minimumBytesPerSecond } = this.#options.pace;
    if (result.done === true) return;
    this.#windowMs += waitedMs;
    this.#windowBytes += result.value.byteLength;
    if (this.#windowMs < rateWindowMs) return;
    if (this.#windowBytes < (minimumBytesPerSecond * this.#windowMs) / 1000) {
      throw new S3Error("RequestTimeout", "The request body arrives too slowly.");
    }
    this.#windowMs = 0;
    this.#windowBytes = 0;
  }
}

async function pulled(views: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await views.next();
  } catch (error) {
    throw new StoreError("aborted", "the client went away in the middle of its body", {
      cause: error,
    });
  }
}

/** The whole of a body of at most 64 KiB. Throws MaxMessageLengthExceeded, and as `read`. */
export async function readSmallBody(body: RequestBody): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const view of body.read()) {
    pieces.push(view);
    if (body.receivedBytes > SMALL_BODY_BYTES_MAX) throw new S3Error("MaxMessageLengthExceeded");
  }
  return Buffer.concat(pieces);
}
