// Hashes of large bodies on threads of their own, behind the port: bytes are copied once, into
// shared blocks that are used again, while the thread that serves requests goes on. Bounded: a
// stream has a few blocks and waits for one to be hashed, and beyond so many streams no more are
// taken. Threads start with the first stream and do not keep the process alive. A thread that dies
// fails its streams, and later ones get another.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assert, present } from "../base/assert.ts";
import { type Deferred, deferred } from "../base/bounded.ts";
import { StoreError } from "../base/errors.ts";
import type { BackgroundHash, HashCompute } from "../ports/compute.ts";

export type ToHashThread =
  | { readonly kind: "open"; readonly stream: number; readonly names: readonly string[] }
  | {
      readonly kind: "block";
      readonly stream: number;
      readonly memory: SharedArrayBuffer;
      readonly length: number;
    }
  | { readonly kind: "end"; readonly stream: number }
  | { readonly kind: "drop"; readonly stream: number };

export type FromHashThread =
  | { readonly kind: "hashed"; readonly stream: number }
  | {
      readonly kind: "digests";
      readonly stream: number;
      readonly digests: readonly Uint8Array[];
    };

export interface HashThreads extends HashCompute {
  /** Ends the threads; streams that run fail. */
  close(): Promise<void>;
}

export interface HashThreadsOptions {
  /** Default: as many as there are processors beside one, at most 4. None: nothing is taken. */
  readonly threads?: number;
  /** Streams at a time. */
  readonly streams?: number;
}

const PROGRAM = new URL("./hash-thread.ts", import.meta.url);
const THREADS_MAX = 4;
const STREAMS_MAX = 16;
const BYTES_MIN = 1024 * 1024;
const BLOCK_BYTES = 128 * 1024;
/** One is filled while another is hashed; the third bridges the moment between. */
const BLOCKS_OF_STREAM = 3;
const FREE_BLOCKS_MAX = STREAMS_MAX * BLOCKS_OF_STREAM;
const MEMORY = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 };

export function createHashThreads(options: HashThreadsOptions = {}): HashThreads {
  const { threads = Math.min(THREADS_MAX, availableParallelism() - 1), streams = STREAMS_MAX } =
    options;
  return new Pool(threads, streams);
}

class Pool implements HashThreads {
  readonly bytesMin = BYTES_MIN;
  readonly #threads: (HashThread | undefined)[];
  readonly #streamsMax: number;
  readonly #free: SharedArrayBuffer[] = [];
  #streams = 0;
  #next = 0;

  constructor(threads: number, streamsMax: number) {
    this.#threads = new Array<HashThread | undefined>(threads).fill(undefined);
    this.#streamsMax = streamsMax;
  }

  open(names: readonly string[]): BackgroundHash | undefined {
    const count = this.#threads.length;
    if (count === 0 || this.#streams >= this.#streamsMax) return undefined;
    this.#next += 1;
    const thread = this.#thread(this.#next % count);
    this.#streams += 1;
    return new HashStream(thread, names, {
      take: () => this.#free.pop() ?? new SharedArrayBuffer(BLOCK_BYTES),
      give: (block) => {
        if (this.#free.length < FREE_BLOCKS_MAX) this.#free.push(block);
      },
      ended: () => {
        this.#streams -= 1;
      },
    });
  }

  async close(): Promise<void> {
    const threads = this.#threads.filter((thread) => thread !== undefined);
    await Promise.all(threads.map((thread) => thread.close()));
  }

  #thread(at: number): HashThread {
    const known = this.#threads[at];
    if (known !== undefined) return known;
    const thread = new HashThread(() => {
      if (this.#threads[at] === thread) this.#threads[at] = undefined;
    });
    this.#threads[at] = thread;
    return thread;
  }
}

interface Listener {
  hashed(): void;
  digested(digests: readonly Uint8Array[]): void;
  failed(error: StoreError): void;
}

class HashThread {
  readonly #worker: Worker;
  readonly #listeners = new Map<number, Listener>();
  #last = 0;

  constructor(onEnd: () => void) {
    this.#worker = new Worker(PROGRAM, { resourceLimits: MEMORY, stdin: false });
    this.#worker.unref();
    // Only hash-thread.ts answers here.
    this.#worker.on("message", (message: FromHashThread) => this.#take(message));
    const end = (cause?: unknown): void => {
      onEnd();
      const error = new StoreError("internal", "a hash thread ended", { cause });
      for (const listener of this.#listeners.values()) listener.failed(error);
      this.#listeners.clear();
    };
    this.#worker.on("error", end);
    this.#worker.on("exit", () => end());
  }

  add(listener: Listener): number {
    this.#last += 1;
    this.#listeners.set(this.#last, listener);
    return this.#last;
  }

  remove(stream: number): void {
    this.#listeners.delete(stream);
  }

  send(message: ToHashThread): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(message: FromHashThread): void {
    const listener = this.#listeners.get(message.stream);
    if (message.kind === "hashed") listener?.hashed();
    else listener?.digested(message.digests);
  }
}

interface Blocks {
  readonly take: () => SharedArrayBuffer;
  readonly give: (block: SharedArrayBuffer) => void;
  /** Called once, when nothing of the stream is left. */
  readonly ended: () => void;
}

class HashStream implements BackgroundHash, Listener {
  readonly #thread: HashThread;
  readonly #blocks: Blocks;
  readonly #stream: number;
  /** At the thread, in the order in which they will be hashed. */
  readonly #sent: SharedArrayBuffer[] = [];
  readonly #digests = deferred<readonly Uint8Array[]>();
  #block: SharedArrayBuffer | undefined;
  #filled = 0;
  #room: Deferred<void> | undefined;
  #failure: StoreError | undefined;
  #state: "open" | "ending" | "dropped" | "ended" = "open";

  constructor(thread: HashThread, names: readonly string[], blocks: Blocks) {
    this.#thread = thread;
    this.#blocks = blocks;
    this.#stream = thread.add(this);
    thread.send({ kind: "open", stream: this.#stream, names });
    // Who gave up does not ask.
    this.#digests.promise.catch(() => undefined);
  }

  update(view: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#state === "open", "HashStream: updated after its end");
    const rest = this.#fill(view);
    return rest.byteLength === 0 ? undefined : this.#fillLater(rest);
  }

  async digests(): Promise<readonly Uint8Array[]> {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#state === "open", "HashStream: ended twice");
    this.#state = "ending";
    if (this.#filled > 0) this.#sendBlock();
    this.#thread.send({ kind: "end", stream: this.#stream });
    return this.#digests.promise;
  }

  abandon(): void {
    if (this.#state !== "open") return;
    this.#state = "dropped";
    this.#thread.send({ kind: "drop", stream: this.#stream });
    if (this.#sent.length === 0) this.#end();
  }

  hashed(): void {
    this.#blocks.give(present(this.#sent.shift(), "a block that was sent"));
    this.#room?.resolve();
    this.#room = undefined;
    if (this.#state === "dropped" && this.#sent.length === 0) this.#end();
  }

  digested(digests: readonly Uint8Array[]): void {
    this.#digests.resolve(digests);
    this.#end();
  }

  failed(error: StoreError): void {
    this.#failure = error;
    this.#digests.reject(error);
    this.#room?.reject(error);
    this.#room = undefined;
    this.#end();
  }

  /** What does not fit now. */
  #fill(view: Uint8Array): Uint8Array {
    if (this.#failure !== undefined) throw this.#failure;
    let rest = view;
    while (rest.byteLength > 0) {
      if (this.#block === undefined) {
        if (this.#sent.length >= BLOCKS_OF_STREAM - 1) return rest;
        this.#block = this.#blocks.take();
      }
      const taken = rest.subarray(0, BLOCK_BYTES - this.#filled);
      new Uint8Array(this.#block, this.#filled).set(taken);
      this.#filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (this.#filled === BLOCK_BYTES) this.#sendBlock();
    }
    return rest;
  }

  async #fillLater(view: Uint8Array): Promise<void> {
    let rest = view;
    while (rest.byteLength > 0) {
      this.#room ??= deferred();
      await this.#room.promise;
      rest = this.#fill(rest);
    }
  }

  #sendBlock(): void {
    const memory = present(this.#block, "block");
    const length = this.#filled;
    this.#thread.send({ kind: "block", stream: this.#stream, memory, length });
    this.#sent.push(memory);
    this.#block = undefined;
    this.#filled = 0;
  }

  #end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    if (this.#block !== undefined) this.#blocks.give(this.#block);
    this.#block = undefined;
    this.#thread.remove(this.#stream);
    this.#blocks.ended();
  }
}
