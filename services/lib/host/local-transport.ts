// Calls within one process, with the manners of the network: messages are encoded and decoded, so
// that neither side ever sees the other's memory change (but for cells, see passed-message.ts);
// deadlines, cancellation and backpressure act as over gRPC; and a server that stops takes its
// running calls down with it.
import { assert } from "../base/assert.ts";
import { type Deferred, deferred } from "../base/bounded.ts";
import { StoreError, toStoreError } from "../base/errors.ts";
import type { Clock, Timer } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { pathOf } from "../ports/rpc-access.ts";
import type {
  CallContext,
  CallOptions,
  Channel,
  RpcServer,
  Transport,
} from "../ports/transport.ts";
import type { Frame, PassedMessage } from "./passed-message.ts";
import { createChannel, type RawCall, type StartCall } from "./rpc-channel.ts";
import { callerGaveUp, deadlinePassed } from "./rpc-codec.ts";
import { acceptRequestId, type BoundMethod, bindService } from "./rpc-dispatch.ts";
import { type CallObserver, observedCalls } from "./rpc-observer.ts";

export interface LocalNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LocalSideOptions {
  /** As with gRPC: a server that has one refuses callers without it. */
  readonly clusterSecret?: string;
  /** Of a transport: watch every call that is made. */
  readonly observers?: readonly CallObserver[];
}

/** Servers and callers of one process, found by address. */
export interface LocalNetwork {
  createServer(options?: LocalSideOptions): RpcServer;
  createTransport(options?: LocalSideOptions): Transport;
}

interface Listener {
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly secret: string | undefined;
  readonly calls: Set<LocalCall>;
  /** Called as each call ends. */
  onIdle: (() => void) | undefined;
  closing: boolean;
}

interface Network extends LocalNetworkOptions {
  readonly listeners: Map<string, Listener>;
}

export function createLocalNetwork(options: LocalNetworkOptions): LocalNetwork {
  const network: Network = { ...options, listeners: new Map() };
  return {
    createServer: (side = {}) => createServer(network, side),
    createTransport: (side = {}) => createTransport(network, side),
  };
}

function createServer(network: Network, side: LocalSideOptions): RpcServer {
  const methods = new Map<string, BoundMethod>();
  const listener: Listener = {
    methods,
    secret: side.clusterSecret,
    calls: new Set(),
    onIdle: undefined,
    closing: false,
  };
  return {
    add(service, handlers): void {
      for (const bound of bindService(service, handlers, network.log)) {
        methods.set(bound.path, bound);
      }
    },
    async listen(address: string): Promise<string> {
      const bound = freeAddress(network, address);
      network.listeners.set(bound, listener);
      return bound;
    },
    async close(graceMs: number): Promise<void> {
      listener.closing = true;
      for (const [address, other] of network.listeners) {
        if (other === listener) network.listeners.delete(address);
      }
      await drain(network.clock, listener, graceMs);
    },
  };
}

/** Port 0 picks one; a taken address throws "io", as a socket does. */
function freeAddress({ listeners, random }: Network, address: string): string {
  if (listeners.has(address)) throw new StoreError("io", `listen on ${address}: in use`);
  if (!address.endsWith(":0")) return address;
  for (;;) {
    const picked = `${address.slice(0, -1)}${1024 + random.below(64_512)}`;
    if (!listeners.has(picked)) return picked;
  }
}

async function drain(clock: Clock, listener: Listener, graceMs: number): Promise<void> {
  if (listener.calls.size === 0) return;
  const idle = deferred<void>();
  listener.onIdle = idle.resolve;
  const timer = clock.after(graceMs, () => {
    for (const call of listener.calls) call.cut();
    idle.resolve();
  });
  await idle.promise;
  timer.cancel();
}

function createTransport(network: Network, side: LocalSideOptions): Transport {
  const { clusterSecret, observers = [] } = side;
  const channels = new Map<string, Channel>();
  let closed = false;
  function open(address: string): Channel {
    const start: StartCall = (method, options) => {
      if (closed) throw new StoreError("unavailable", "the transport is closed");
      return new LocalCall(network, {
        address,
        path: pathOf(method),
        secret: clusterSecret,
        options,
      });
    };
    return createChannel(address, observedCalls(address, observers, start));
  }
  return {
    channel(address: string): Channel {
      const known = channels.get(address) ?? open(address);
      channels.set(address, known);
      return known;
    },
    async close(): Promise<void> {
      closed = true;
    },
  };
}

interface LocalCallOptions {
  readonly address: string;
  readonly path: string;
  readonly secret: string | undefined;
  readonly options: CallOptions;
}

/** What a handler finds that reads on after its call ended well; one for all, as few ever look. */
const ENDED = callerGaveUp(undefined);

/** Both sides of one call: what the caller holds, and the handler's run behind it. */
class LocalCall implements RawCall {
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  readonly #requests = new Pipe();
  readonly #responses = new Pipe();
  readonly #handler = new AbortController();
  readonly #timer: Timer;
  readonly #onAbort: () => void;
  #listener: Listener | undefined;
  #sends: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(network: Network, { address, path, secret, options }: LocalCallOptions) {
    this.#path = path;
    this.#signal = options.signal;
    const deadlineMs = Math.max(0, options.deadlineMs);
    this.#timer = network.clock.after(deadlineMs, () =>
      this.#end(deadlinePassed(path, options.deadlineMs)),
    );
    this.#onAbort = () => this.#end(callerGaveUp(options.signal?.reason));
    if (options.signal?.aborted === true) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    const requestId = acceptRequestId(options.requestId, network.random);
    const context = { signal: this.#handler.signal, requestId, peer: "local" };
    queueMicrotask(() =>
      this.#connect(network.listeners.get(address), { secret, context, address }),
    );
  }

  send(bytes: Uint8Array): Promise<void> {
    const turn = this.#sends.then(() => this.#requests.write(bytes));
    // The queue goes on after a failure: each later send reports the same failure itself.
    this.#sends = turn.catch(() => undefined);
    return turn;
  }

  end(): void {
    this.#sends = this.#sends.then(() => this.#requests.end(undefined));
  }

  readonly pass = (message: PassedMessage): Promise<void> => {
    const turn = this.#sends.then(() => this.#requests.lend(message));
    this.#sends = turn.catch(() => undefined);
    return turn;
  };

  read(): Promise<Frame | undefined> {
    return this.#responses.read();
  }

  cancel(): void {
    // Every call is cancelled at last; an error, with its stack, is made only where it is one.
    if (!this.#ended) this.#end(callerGaveUp(undefined));
  }

  /** The server stops: whether the handler acted is not known to the caller. */
  cut(): void {
    this.#end(new StoreError("timeout", `${this.#path}: the connection dropped`));
  }

  #connect(
    listener: Listener | undefined,
    how: { address: string; secret: string | undefined; context: CallContext },
  ): void {
    if (this.#ended) return;
    if (listener === undefined || listener.closing) {
      this.#end(new StoreError("unavailable", `nobody listens on ${how.address}`));
      return;
    }
    this.#listener = listener;
    listener.calls.add(this);
    const bound = listener.methods.get(this.#path);
    if (listener.secret !== undefined && how.secret !== listener.secret) {
      this.#end(new StoreError("denied", "the caller does not know the cluster's secret"));
    } else if (bound === undefined) {
      this.#end(new StoreError("invalid", `${this.#path}: no such method`));
    } else {
      void this.#run(bound, how.context);
    }
  }

  async #run(bound: BoundMethod, context: CallContext): Promise<void> {
    try {
      await bound.run({
        context,
        requests: this.#requests,
        send: (bytes) => this.#responses.write(bytes),
        pass: (message) => this.#responses.write(message),
      });
      this.#end(undefined);
    } catch (error) {
      this.#end(toStoreError(error));
    }
  }

  /**
   * The first end counts. Without an error the answers already given stay readable; with one, both
   * sides see it at once, the handler as "aborted".
   */
  #end(error: StoreError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#responses.end(error);
    // Sends after a good end vanish, as the answer is all that matters then.
    this.#requests.close(error, error === undefined ? ENDED : callerGaveUp(error));
    if (error !== undefined) this.#handler.abort(callerGaveUp(error));
    const listener = this.#listener;
    listener?.calls.delete(this);
    if (listener?.calls.size === 0) listener.onIdle?.();
  }
}

/** What lies in a pipe; `done` is settled when the reader needs the frame no more. */
interface Entry {
  readonly frame: Frame;
  readonly done: Deferred<void> | undefined;
}

/** One direction of a call: at most one message lies in it while writers wait. */
class Pipe implements AsyncIterable<Frame> {
  #entry: Entry | undefined;
  /** Of the frame that the reader has. */
  #lent: Deferred<void> | undefined;
  #room: Deferred<void> | undefined;
  #reader: Deferred<Frame | undefined> | undefined;
  #readEnd: { readonly error: StoreError | undefined } | undefined;
  #writeEnd: { readonly error: StoreError | undefined } | undefined;

  /** Resolves at once where the pipe is empty, else when the message before was taken. */
  async write(frame: Frame): Promise<void> {
    await this.#put({ frame, done: undefined });
  }

  /**
   * Resolves when the reader has come back for the next frame, or the call ended well; rejects when
   * it failed: then the reader may still be at it.
   */
  async lend(frame: Frame): Promise<void> {
    const done = deferred<void>();
    // It fails with the pipe, as the put does; who awaits only the first must not miss the second.
    done.promise.catch(() => undefined);
    if (await this.#put({ frame, done })) await done.promise;
  }

  /** Whether anybody will take it. */
  async #put(entry: Entry): Promise<boolean> {
    while (this.#entry !== undefined && this.#writeEnd === undefined) {
      this.#room ??= deferred();
      await this.#room.promise;
    }
    if (this.#writeEnd !== undefined) {
      if (this.#writeEnd.error !== undefined) throw this.#writeEnd.error;
      return false;
    }
    const reader = this.#reader;
    if (reader === undefined) {
      this.#entry = entry;
      return true;
    }
    this.#reader = undefined;
    this.#lent = entry.done;
    reader.resolve(entry.frame);
    return true;
  }

  read(): Promise<Frame | undefined> {
    assert(this.#reader === undefined, "rpc: two reads at once");
    this.#lent?.resolve();
    this.#lent = undefined;
    // A failure overtakes what lies in the pipe; a good end comes after it.
    if (this.#readEnd?.error !== undefined) return Promise.reject(this.#readEnd.error);
    const entry = this.#entry;
    if (entry !== undefined) {
      this.#entry = undefined;
      this.#lent = entry.done;
      this.#makeRoom();
      return Promise.resolve(entry.frame);
    }
    if (this.#readEnd !== undefined) return Promise.resolve(undefined);
    this.#reader = deferred();
    return this.#reader.promise;
  }

  /** The reader finds the end, or `error`; so do writers. */
  end(error: StoreError | undefined): void {
    this.close(error, error);
  }

  /** Ends the sides differently: what later writes and what reads find. The first end counts. */
  close(writeError: StoreError | undefined, readError: StoreError | undefined): void {
    this.#writeEnd ??= { error: writeError };
    // An error also overtakes an orderly end that nobody has read yet.
    if (this.#readEnd === undefined || readError !== undefined)
      this.#readEnd = { error: readError };
    this.#makeRoom();
    if (readError !== undefined) this.#settleLent(writeError);
    const reader = this.#reader;
    this.#reader = undefined;
    if (readError === undefined) reader?.resolve(undefined);
    else reader?.reject(readError);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Frame> {
    for (;;) {
      const frame = await this.read();
      if (frame === undefined) return;
      yield frame;
    }
  }

  /** Nothing more is read here. */
  #settleLent(error: StoreError | undefined): void {
    for (const done of [this.#lent, this.#entry?.done]) {
      if (error === undefined) done?.resolve();
      else done?.reject(error);
    }
    this.#lent = undefined;
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
