// The stream of messages to one peer: connects when there is something to send, waits a little
// longer after each failure, gives up a stream that takes nothing, renews it before its deadline.
// Its queue is bounded and drops the oldest.
import { deferred } from "../base/bounded.ts";
import { isStoreError, StoreError } from "../base/errors.ts";
import type {
  ExchangeRequestSchema,
  ExchangeResponseSchema,
  Route,
} from "../gen/dolium/raft/v1/raft_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { ClientStream } from "../ports/transport.ts";
import type { Envelope } from "./types.ts";

/** As `Envelope`, in the shape the generated code takes. */
interface FrameEnvelope {
  groupId: number;
  messages: Uint8Array[];
}

type Stream = ClientStream<typeof ExchangeRequestSchema, typeof ExchangeResponseSchema>;

export interface PeerLinkDeps {
  readonly clock: Clock;
  readonly logger: Log;
  readonly route: Route;
  /** Opens a stream; undefined when the peer's address is not known. */
  readonly connect: (signal: AbortSignal, deadlineMs: number) => Stream | undefined;
  readonly dropped: (messages: number) => void;
  readonly unreachable: () => void;
}

export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const FRAME_BYTES_MAX = 512 * 1024;
const STREAM_LIFE_MS = 10 * 60 * 1000;
/** Time before the deadline at which a stream is exchanged for a new one. */
const STREAM_RENEWAL_MS = 60 * 1000;
const STALL_MS = 5000;
const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 1000;

interface Queued {
  readonly groupId: number;
  readonly message: Uint8Array;
}

export class PeerLink {
  readonly #deps: PeerLinkDeps;
  readonly #controller = new AbortController();
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #wakeUp: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #reported = false;

  constructor(deps: PeerLinkDeps) {
    this.#deps = deps;
  }

  push(envelopes: readonly Envelope[]): void {
    for (const { groupId, messages } of envelopes) {
      for (const message of messages) {
        this.#queue.push({ groupId, message });
        this.#queuedBytes += message.byteLength;
      }
    }
    this.#dropOldest(QUEUE_BYTES_MAX);
    this.#wakeUp?.();
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#controller.abort(new StoreError("aborted", "the link was closed"));
    this.#wakeUp?.();
    await this.#running;
  }

  #dropOldest(bytesMax: number): void {
    let count = 0;
    while (this.#queuedBytes > bytesMax && count < this.#queue.length) {
      this.#queuedBytes -= this.#queue[count]?.message.byteLength ?? 0;
      count += 1;
    }
    if (count === 0) return;
    this.#queue.splice(0, count);
    this.#deps.dropped(count);
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    let backoffMs = BACKOFF_MS_MIN;
    while (!signal.aborted) {
      await this.#something();
      if (signal.aborted) return;
      try {
        if (await this.#stream()) backoffMs = BACKOFF_MS_MIN;
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
        await this.#pause(backoffMs);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX);
      }
    }
  }

  /** Sends over one stream until its time is up (true) or it fails. */
  async #stream(): Promise<boolean> {
    const { clock, connect, route } = this.#deps;
    const { signal } = this.#controller;
    const stream = connect(signal, STREAM_LIFE_MS);
    if (stream === undefined)
      throw new StoreError("unavailable", "the peer's address is not known");
    const endMs = clock.monotonicMs() + STREAM_LIFE_MS - STREAM_RENEWAL_MS;
    try {
      await this.#within(stream.write({ route, envelopes: this.#takeFrame() }));
      this.#recovered();
      while (clock.monotonicMs() < endMs) {
        await this.#something();
        if (signal.aborted) throw new StoreError("aborted", "the link was closed");
        await this.#within(stream.write({ envelopes: this.#takeFrame() }));
      }
      await this.#within(stream.finish());
      return true;
    } catch (error) {
      stream.cancel();
      throw error;
    }
  }

  /** Rejects with "timeout" when the peer takes nothing for too long. */
  async #within<T>(work: Promise<T>): Promise<T> {
    const stalled = deferred<never>();
    const timer = this.#deps.clock.after(STALL_MS, () => {
      stalled.reject(new StoreError("timeout", "the peer takes nothing"));
    });
    try {
      return await Promise.race([work, stalled.promise]);
    } finally {
      timer.cancel();
    }
  }

  /** The oldest messages, those of one group together, about one frame full; at least one. */
  #takeFrame(): FrameEnvelope[] {
    const envelopes: FrameEnvelope[] = [];
    let bytes = 0;
    let count = 0;
    for (const { groupId, message } of this.#queue) {
      if (count > 0 && bytes + message.byteLength > FRAME_BYTES_MAX) break;
      bytes += message.byteLength;
      count += 1;
      const last = envelopes.at(-1);
      if (last?.groupId === groupId) last.messages.push(message);
      else envelopes.push({ groupId, messages: [message] });
    }
    this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    return envelopes;
  }

  /** Resolves once something waits to be sent, or the link closes. */
  async #something(): Promise<void> {
    if (this.#queue.length > 0 || this.#controller.signal.aborted) return;
    const { promise, resolve } = deferred<void>();
    this.#wakeUp = resolve;
    await promise;
    this.#wakeUp = undefined;
  }

  /** Ends early, without complaint, when the link closes. */
  async #pause(ms: number): Promise<void> {
    try {
      await this.#deps.clock.sleep(ms, this.#controller.signal);
    } catch (error) {
      if (!isStoreError(error, "aborted")) throw error;
    }
  }

  #failed(error: unknown): void {
    // What waited is old by the time a new stream stands: Raft sends anew.
    this.#dropOldest(0);
    this.#deps.unreachable();
    if (this.#reported) return;
    this.#reported = true;
    this.#deps.logger.warn("lost the stream to a Raft peer", { reason: String(error) });
  }

  #recovered(): void {
    if (!this.#reported) return;
    this.#reported = false;
    this.#deps.logger.info("the stream to a Raft peer stands again");
  }
}
