// One gRPC call on the caller's side, over grpc-js' channel. It works below grpc-js' stream
// classes, because those read sixteen messages ahead whatever their size: here one message is in
// flight each way, and HTTP/2 flow control carries backpressure to the peer.

import type { DescMethod } from "@bufbuild/protobuf";
import type { ChannelInterface } from "@grpc/grpc-js";
import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { assert } from "../base/assert.ts";
import { type Deferred, deferred } from "../base/bounded.ts";
import { asBuffer } from "../base/bytes.ts";
import type { StoreError } from "../base/errors.ts";
import { pathOf } from "../ports/rpc-access.ts";
import type { CallOptions } from "../ports/transport.ts";
import { releaseCellMessage } from "./cell-codec.ts";
import { END_MARK, fromStatus, REQUEST_ID_KEY, SECRET_KEY } from "./grpc-status.ts";
import type { RawCall } from "./rpc-channel.ts";
import { callerGaveUp } from "./rpc-codec.ts";
import { isRequestId } from "./rpc-dispatch.ts";

/** grpc-js keeps deadlines in 32 bits of milliseconds. */
const DEADLINE_MS_MAX = 2_000_000_000;

type Call = ReturnType<ChannelInterface["createCall"]>;

export interface GrpcCallOptions {
  readonly method: DescMethod;
  readonly token: string | undefined;
  readonly options: CallOptions;
  /** Told once, when the call has ended in whatever way. */
  readonly ended: () => void;
}

export function startGrpcCall(channel: ChannelInterface, how: GrpcCallOptions): RawCall {
  return new GrpcCall(channel, how);
}

class GrpcCall implements RawCall {
  readonly #call: Call;
  readonly #path: string;
  readonly #target: string;
  readonly #kind: DescMethod["methodKind"];
  readonly #input: DescMethod["input"];
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #onEnd: () => void;
  #end: { readonly error: StoreError | undefined } | undefined;
  #reader: Deferred<Uint8Array | undefined> | undefined;
  #ahead: Uint8Array | undefined;
  #answered = false;
  /** Settles the wait for the message in flight. */
  #flush: Deferred<void> | undefined;
  #sends: Promise<void> = Promise.resolve();

  constructor(channel: ChannelInterface, { method, token, options, ended }: GrpcCallOptions) {
    const path = pathOf(method);
    this.#path = path;
    this.#onEnd = ended;
    this.#kind = method.methodKind;
    this.#input = method.input;
    this.#target = channel.getTarget();
    this.#signal = options.signal;
    const deadline = Date.now() + Math.max(0, Math.min(options.deadlineMs, DEADLINE_MS_MAX));
    this.#call = channel.createCall(path, deadline, null, null, null);
    this.#onAbort = () => this.#fail(callerGaveUp(options.signal?.reason));
    this.#call.start(metadataOf(token, options), {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: (message: Buffer) => this.#receive(message),
      onReceiveStatus: (status) => this.#finish(status),
    });
    this.#call.startRead();
    if (options.signal?.aborted === true) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  send(bytes: Uint8Array): Promise<void> {
    const turn = this.#sends.then(() => this.#sendNext(bytes));
    // The queue goes on after a failure: each later send reports the same failure itself.
    this.#sends = turn.catch(() => undefined);
    return turn;
  }

  end(): void {
    const streams = this.#kind === "client_streaming" || this.#kind === "bidi_streaming";
    // A failure meanwhile is what `read` reports.
    if (streams) this.send(END_MARK).catch(() => undefined);
    this.#sends = this.#sends.then(() => {
      if (this.#end === undefined) this.#call.halfClose();
    });
  }

  read(): Promise<Uint8Array | undefined> {
    assert(this.#reader === undefined, "rpc: two reads at once");
    if (this.#end?.error !== undefined) return Promise.reject(this.#end.error);
    const message = this.#ahead;
    if (message !== undefined) {
      this.#ahead = undefined;
      if (this.#end === undefined) this.#call.startRead();
      return Promise.resolve(message);
    }
    if (this.#end !== undefined) return Promise.resolve(undefined);
    this.#reader = deferred();
    return this.#reader.promise;
  }

  cancel(): void {
    this.#fail(callerGaveUp(undefined));
  }

  /** Resolves when the message is on its way: what waits in between is memory nobody counts. */
  async #sendNext(bytes: Uint8Array): Promise<void> {
    if (this.#isOver()) return;
    const flush = deferred<void>();
    this.#flush = flush;
    const callback = (): void => {
      flush.resolve();
      // grpc-js has framed the message in a buffer of its own long before it calls back.
      releaseCellMessage(this.#input, bytes);
      queueMicrotask(() => forgetSent(this.#call));
    };
    this.#call.sendMessageWithContext({ callback }, asBuffer(bytes));
    await flush.promise;
    this.#isOver();
  }

  /** Whether the call has ended well; throws when it failed. */
  #isOver(): boolean {
    if (this.#end?.error !== undefined) throw this.#end.error;
    return this.#end !== undefined;
  }

  /** One message is read ahead, because grpc-js tells the status only to those who read. */
  #receive(message: Buffer): void {
    // A plain view, as fields decoded from it are then plain as well, on either transport.
    const bytes = new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
    this.#answered = true;
    const reader = this.#reader;
    if (reader === undefined) {
      this.#ahead = bytes;
      if (this.#kind === "unary" || this.#kind === "client_streaming") this.#call.startRead();
      return;
    }
    this.#reader = undefined;
    this.#call.startRead();
    reader.resolve(bytes);
  }

  #finish(status: StatusObject): void {
    if (this.#end !== undefined) return;
    const isOk = status.code === Status.OK || (isWriteAfterEnd(status) && this.#hasOnlyAnswer());
    const wasSent = this.#call.getPeer() !== this.#target;
    this.#settle(isOk ? undefined : fromStatus(status, this.#path, wasSent));
  }

  /** The handler has answered in full: whatever went wrong afterwards changes nothing. */
  #hasOnlyAnswer(): boolean {
    return this.#answered && this.#kind === "client_streaming";
  }

  #fail(error: StoreError): void {
    if (this.#end !== undefined) return;
    this.#settle(error);
    this.#call.cancelWithStatus(Status.CANCELLED, error.message);
  }

  #settle(error: StoreError | undefined): void {
    this.#end = { error };
    this.#onEnd();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#flush?.resolve();
    const reader = this.#reader;
    this.#reader = undefined;
    if (error === undefined) reader?.resolve(undefined);
    else reader?.reject(error);
  }
}

/**
 * grpc-js keeps a message that was sent until the next one is sent: a cell for every open upload.
 * It has no setting for it; where its method is not found, only memory is wasted.
 */
function forgetSent(call: Call): void {
  const retrying: unknown = Reflect.get(call, "child");
  if (typeof retrying !== "object" || retrying === null) return;
  const clear: unknown = Reflect.get(retrying, "clearSentMessages");
  if (typeof clear === "function") Reflect.apply(clear, retrying, []);
}

/**
 * The peer ended the stream before our message: grpc-js then forgets the status it had received.
 */
function isWriteAfterEnd({ code, details }: StatusObject): boolean {
  return code === Status.INTERNAL && details.includes("write after end");
}

function metadataOf(token: string | undefined, { requestId, trace }: CallOptions): Metadata {
  const metadata = new Metadata();
  if (trace !== undefined) {
    for (const [name, value] of Object.entries(trace)) metadata.set(name, value);
  }
  if (isRequestId(requestId)) metadata.set(REQUEST_ID_KEY, requestId);
  if (token !== undefined) metadata.set(SECRET_KEY, token);
  return metadata;
}
