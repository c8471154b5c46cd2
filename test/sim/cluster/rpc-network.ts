// Calls between simulated processes: messages are encoded, travel over the simulated network and
// are decoded, with the manners of gRPC. A process that is gone refuses connections; one that goes
// takes its calls down, and whoever called it cannot know what it did ("timeout"). A call across a
// cut link is noticed only when keep-alive pings fail.
import { StoreError, toStoreError } from "../../../services/lib/base/errors.ts";
import { createChannel, type RawCall } from "../../../services/lib/host/rpc-channel.ts";
import { callerGaveUp, deadlinePassed } from "../../../services/lib/host/rpc-codec.ts";
import {
  acceptRequestId,
  type BoundMethod,
  bindService,
} from "../../../services/lib/host/rpc-dispatch.ts";
import type { Timer } from "../../../services/lib/ports/clock.ts";
import type { Log } from "../../../services/lib/ports/log.ts";
import { pathOf } from "../../../services/lib/ports/rpc-access.ts";
import type {
  CallOptions,
  Channel,
  RpcServer,
  Transport,
} from "../../../services/lib/ports/transport.ts";
import type { Life } from "./life.ts";
import { Inbox } from "./rpc-inbox.ts";
import { Lane, type LaneDeps } from "./rpc-lane.ts";

/** How long until an end notices that the other one does not answer any more. */
const KEEPALIVE_MS = 2000;

interface Listener {
  readonly life: Life;
  readonly methods: Map<string, BoundMethod>;
}

export interface RpcNetworkDeps extends LaneDeps {
  /** Number of a process in the network, by its address. */
  readonly numberOf: (address: string) => number;
  /** Told of every call as it starts and ends; part of the trace. */
  readonly trace: (event: string) => void;
}

export class RpcNetwork {
  readonly deps: RpcNetworkDeps;
  readonly listeners = new Map<string, Listener>();

  constructor(deps: RpcNetworkDeps) {
    this.deps = deps;
  }

  createServer(life: Life, log: Log): RpcServer {
    const methods = new Map<string, BoundMethod>();
    return {
      add: (service, handlers) => {
        for (const bound of bindService(service, handlers, log)) methods.set(bound.path, bound);
      },
      listen: async (address) => {
        this.listeners.set(address, { life, methods });
        life.onEnd(() => this.listeners.delete(address));
        return address;
      },
      close: async () => {
        this.listeners.delete(life.address);
      },
    };
  }

  createTransport(life: Life): Transport {
    const channels = new Map<string, Channel>();
    return {
      channel: (address) => {
        const known =
          channels.get(address) ??
          createChannel(address, (method, options) => {
            return new SimCall(this, { life, address, path: pathOf(method), options });
          });
        channels.set(address, known);
        return known;
      },
      close: async () => undefined,
    };
  }
}

interface CallParts {
  readonly life: Life;
  readonly address: string;
  readonly path: string;
  readonly options: CallOptions;
}

/** The caller's side of one call. */
class SimCall implements RawCall {
  readonly #network: RpcNetwork;
  readonly #parts: CallParts;
  readonly #requests = new Inbox();
  readonly #responses = new Inbox();
  readonly #there: Lane;
  readonly #timer: Timer;
  readonly #onAbort: () => void;
  readonly #forget: () => void;
  readonly #server: ServerSide;
  #sends: Promise<void> = Promise.resolve();
  #failure: StoreError | undefined;
  #isEnded = false;

  constructor(network: RpcNetwork, parts: CallParts) {
    this.#network = network;
    this.#parts = parts;
    const { life, address, path, options } = parts;
    const { numberOf } = network.deps;
    const ends = [numberOf(life.address), numberOf(address)] as const;
    const broken = (): void => this.#lineBroke();
    this.#there = new Lane(network.deps, ends, broken);
    const back = new Lane(network.deps, [ends[1], ends[0]], broken);
    this.#server = new ServerSide(network, {
      ...parts,
      requests: this.#requests,
      answer: {
        message: (bytes) => back.send(() => this.#responses.push(bytes)),
        end: (error) => back.send(() => this.#end(error)),
        room: () => this.#responses.reserve(),
      },
    });
    const deadlineMs = Math.max(0, options.deadlineMs);
    this.#timer = life.clock.after(deadlineMs, () =>
      this.#giveUp(deadlinePassed(path, options.deadlineMs)),
    );
    this.#onAbort = () => this.#giveUp(callerGaveUp(options.signal?.reason));
    this.#forget = life.onEnd(() => this.#died());
    if (options.signal?.aborted === true) queueMicrotask(this.#onAbort);
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#there.send(() => this.#server.open());
  }

  send(bytes: Uint8Array): Promise<void> {
    const turn = this.#sends.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isEnded) return;
      const room = this.#requests.reserve();
      this.#there.send(() => this.#requests.push(bytes));
      await room;
      if (this.#failure !== undefined) throw this.#failure;
    });
    // The queue goes on after a failure: each later send reports the same failure itself.
    this.#sends = turn.catch(() => undefined);
    return turn;
  }

  end(): void {
    this.#sends = this.#sends.then(() => {
      if (!this.#isEnded) this.#there.send(() => this.#requests.finish(undefined));
    });
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#responses.read();
  }

  cancel(): void {
    this.#giveUp(callerGaveUp(undefined));
  }

  #giveUp(error: StoreError): void {
    if (this.#isEnded) return;
    this.#there.send(() => this.#server.cut(callerGaveUp(error)));
    this.#end(error);
  }

  /** The caller's process ended: its peer sees the connection reset. */
  #died(): void {
    this.#timer.cancel();
    this.#isEnded = true;
    this.#there.send(() => this.#server.cut(callerGaveUp("the caller's process ended")));
  }

  /** Nothing arrives any more in one direction: both ends learn it from missing pings. */
  #lineBroke(): void {
    const { clock } = this.#network.deps;
    clock.after(KEEPALIVE_MS, () => {
      this.#server.cut(callerGaveUp("the connection broke"));
      this.#end(new StoreError("timeout", `${this.#parts.path}: the connection broke`));
    });
  }

  #end(error: StoreError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = error;
    this.#timer.cancel();
    this.#forget();
    this.#parts.options.signal?.removeEventListener("abort", this.#onAbort);
    this.#responses.finish(error);
    this.#requests.abandon();
    const { life, address, path } = this.#parts;
    this.#network.deps.trace(`rpc ${life.address} ${address}${path} ${error?.code ?? "ok"}`);
  }
}

interface ServerParts extends CallParts {
  readonly requests: Inbox;
  /** The way back to the caller. */
  readonly answer: {
    message(bytes: Uint8Array): void;
    end(error: StoreError | undefined): void;
    room(): Promise<void>;
  };
}

/** The handler's side: begins when the call arrives at a process that lives. */
class ServerSide {
  readonly #network: RpcNetwork;
  readonly #parts: ServerParts;
  readonly #handler = new AbortController();
  #isOver = false;
  #forget: () => void = () => undefined;

  constructor(network: RpcNetwork, parts: ServerParts) {
    this.#network = network;
    this.#parts = parts;
  }

  open(): void {
    const { address, path, answer, options, life } = this.#parts;
    const { random } = this.#network.deps;
    if (this.#isOver) return;
    const listener = this.#network.listeners.get(address);
    const bound = listener?.methods.get(path);
    if (listener === undefined || bound === undefined) {
      this.#isOver = true;
      answer.end(new StoreError("unavailable", `nobody listens on ${address}`));
      return;
    }
    this.#forget = listener.life.onEnd(() => {
      this.#isOver = true;
      answer.end(new StoreError("timeout", `${path}: the connection dropped`));
    });
    const requestId = acceptRequestId(options.requestId, random);
    const context = { signal: this.#handler.signal, requestId, peer: life.address };
    void this.#run(bound, context);
  }

  /** The caller is gone: the handler sees "aborted". */
  cut(error: StoreError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forget();
    this.#parts.requests.finish(error);
    this.#handler.abort(error);
  }

  async #run(bound: BoundMethod, context: Parameters<BoundMethod["run"]>[0]["context"]) {
    const { requests, answer } = this.#parts;
    try {
      await bound.run({
        context,
        requests,
        send: async (bytes) => {
          if (this.#isOver) throw callerGaveUp("nobody listens");
          const room = answer.room();
          answer.message(bytes);
          await room;
          if (this.#isOver) throw callerGaveUp("nobody listens");
        },
      });
      this.#finish(undefined);
    } catch (error) {
      this.#finish(toStoreError(error));
    }
  }

  #finish(error: StoreError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forget();
    this.#parts.answer.end(error);
  }
}
