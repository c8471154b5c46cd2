// Calls between services as a port: gRPC in production, direct calls in one process, a simulated
// network in tests. Methods are named by their generated protobuf-es descriptors.
//
// Every call has a deadline. Failures arrive as StoreError with the code the handler threw; what
// the transport itself finds out is "unavailable" (no connection: nothing happened), "timeout"
// (deadline) or "aborted" (signal).

import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { PeerIdentity } from "../base/peer-identity.ts";
import type { TraceCarrier } from "./tracing.ts";

export interface CallOptions {
  /** Milliseconds from now for the whole call. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Crosses process borders into the other side's log lines. */
  readonly requestId?: string;
  /** The trace that the call belongs to. */
  readonly trace?: TraceCarrier;
}

/** Sending half of a stream. A message's payload must not be changed until `write` resolves. */
export interface MessageSink<I extends DescMessage> {
  /** Resolves when the stream can take more (backpressure); rejects once the call failed. */
  write(message: MessageInitShape<I>): Promise<void>;
}

export interface ClientStream<I extends DescMessage, O extends DescMessage> extends MessageSink<I> {
  /** Ends the sending side and resolves with the answer. */
  finish(): Promise<MessageShape<O>>;
  /** Gives up; the handler sees "aborted". */
  cancel(): void;
}

export interface BidiStream<I extends DescMessage, O extends DescMessage> extends MessageSink<I> {
  readonly responses: AsyncIterable<MessageShape<O>>;
  /** Ends the sending side; responses may still arrive. */
  end(): void;
  cancel(): void;
}

export interface Channel {
  readonly address: string;
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>>;
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): AsyncIterable<MessageShape<O>>;
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    options: CallOptions,
  ): ClientStream<I, O>;
  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    options: CallOptions,
  ): BidiStream<I, O>;
}

export interface Transport {
  /** The channel to `address` (host:port); cheap, cached, connects on first use and reconnects. */
  channel(address: string): Channel;
  close(): Promise<void>;
}

export interface CallContext {
  /** Fires when the caller gave up, its deadline passed, or the server stops. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** Address of the caller as the transport sees it. */
  readonly peer: string;
  /** Whose certificate the caller showed; undefined where there is no TLS. */
  readonly caller?: PeerIdentity;
}

type Handler<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            context: CallContext,
          ) => Promise<MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageShape<I>>,
              context: CallContext,
            ) => AsyncIterable<MessageInitShape<O>>
          : never;

/** One async function per method of `S`, by its local name. */
export type ServiceHandlers<S extends DescService> = {
  [K in keyof S["method"]]: Handler<S["method"][K]>;
};

export interface RpcServer {
  /** Adds a service; before `listen`. */
  add<S extends DescService>(service: S, handlers: ServiceHandlers<S>): void;
  /** Binds `host:port` (port 0 picks one) and resolves with the bound address. */
  listen(address: string): Promise<string>;
  /** Takes no new calls, lets running ones end for at most `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}
