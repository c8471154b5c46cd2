// gRPC between processes, the serving side. A handler's requests end normally only where the caller
// ended them, told by a mark of our own: a caller that died or cancelled is an error, so that half
// an upload never looks like a whole one. With TLS nobody is heard without a certificate of the
// cluster, and each method only by the roles that may call it.
import { timingSafeEqual } from "node:crypto";
import { Server as NetServer } from "node:net";
import {
  logVerbosity,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { deferred } from "../base/bounded.ts";
import { asBuffer, equalBytes } from "../base/bytes.ts";
import { StoreError, toStoreError } from "../base/errors.ts";
import { RPC_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import type { PeerRole } from "../base/peer-identity.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { RPC_ACCESS, type RpcAccess } from "../ports/rpc-access.ts";
import { type Tracing, traceCarrier } from "../ports/tracing.ts";
import type { CallContext, RpcServer } from "../ports/transport.ts";
import { releaseCellMessage } from "./cell-codec.ts";
import { widenConnections } from "./flow-windows.ts";
import { callerOf, ServerTls } from "./grpc-identity.ts";
import { closeDistrusted } from "./grpc-sessions.ts";
import { clusterToken, END_MARK, REQUEST_ID_KEY, SECRET_KEY, toStatus } from "./grpc-status.ts";
import { KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS } from "./grpc-transport.ts";
import { limitHandshakes } from "./handshakes.ts";
import type { InternalTls } from "./internal-tls.ts";
import { callerGaveUp } from "./rpc-codec.ts";
import {
  acceptRequestId,
  type BoundMethod,
  bindService,
  type RawServerCall,
} from "./rpc-dispatch.ts";

const STREAMS_PER_CONNECTION_MAX = 4096;

export interface GrpcServerOptions {
  readonly log: Log;
  readonly random: Random;
  /** Callers must prove that they know it; without it everybody is served. */
  readonly clusterSecret?: string;
  /** Callers need a certificate of the same cluster. Plain text when left out. */
  readonly tls?: InternalTls;
  /** Who may call what, with TLS; of the cluster's own services when left out. */
  readonly access?: RpcAccess;
  /** Calls of traced requests become spans of their trace. */
  readonly tracing?: Tracing | undefined;
}

type StreamCall = ServerDuplexStream<Buffer, Buffer>;
type UnaryCall = ServerUnaryCall<Buffer, Buffer>;
type AnyCall = Pick<UnaryCall, "metadata" | "cancelled" | "getPeer"> & NodeJS.EventEmitter;

interface Shared {
  readonly random: Random;
  readonly token: Buffer | undefined;
  readonly tls: InternalTls | undefined;
  readonly access: RpcAccess;
  readonly tracing: Tracing | undefined;
  /** One for each running call. */
  readonly running: Set<AbortController>;
}

export function createGrpcServer(options: GrpcServerOptions): RpcServer {
  const server = new Server({
    "grpc.max_receive_message_length": RPC_MESSAGE_BYTES_MAX,
    "grpc.max_send_message_length": RPC_MESSAGE_BYTES_MAX,
    "grpc.max_concurrent_streams": STREAMS_PER_CONNECTION_MAX,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    // With channelz off grpc-js 1.14 keeps no list of connections, and forceShutdown closes none.
    "grpc.enable_channelz": 1,
  });
  widenConnections();
  // Failures reach our own log as errors; grpc-js would repeat them on the console.
  setLogVerbosity(logVerbosity.NONE);
  const { clusterSecret, random, log, tls, access = RPC_ACCESS } = options;
  const token = clusterSecret === undefined ? undefined : Buffer.from(clusterToken(clusterSecret));
  const { tracing } = options;
  const shared: Shared = { random, token, tls, access, tracing, running: new Set() };
  const endings: (() => void)[] = [];
  return {
    add(service, handlers): void {
      const methods = bindService(service, handlers, log);
      if (tls !== undefined) for (const { path } of methods) rolesFor(path, access);
      server.addService(definitionOf(methods), implementationOf(methods, shared));
    },
    async listen(address) {
      if (tls === undefined) return bind(server, address, ServerCredentials.createInsecure());
      const how = new ServerTls(tls);
      const bound = await bind(server, address, how);
      const servers = serversOf(server);
      endings.push(limitHandshakes(servers), closeDistrusted(servers, tls), () => how.close());
      return bound;
    },
    close(graceMs) {
      for (const end of endings) end();
      return closeServer(server, shared.running, graceMs);
    },
  };
}

/** Every method that is served has its row. Throws "invalid". */
function rolesFor(path: string, access: RpcAccess): readonly PeerRole[] {
  const roles = access.get(path);
  if (roles === undefined) throw new StoreError("invalid", `no rule says who may call ${path}`);
  return roles;
}

/** The listening servers inside, which grpc-js has no name for. */
function serversOf(server: Server): readonly NetServer[] {
  const inner: unknown = Reflect.get(server, "http2Servers");
  if (!(inner instanceof Map)) return [];
  return [...inner.keys()].filter((one): one is NetServer => one instanceof NetServer);
}

function definitionOf(methods: readonly BoundMethod[]): ServiceDefinition {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const entries = methods.map(({ method, path }) => {
    const isStream = method.methodKind !== "unary";
    const row = {
      path,
      requestStream: isStream,
      responseStream: isStream,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    return [method.localName, row];
  });
  return Object.fromEntries(entries);
}

/** Streams of every kind are served as two-way streams: on the wire they are the same. */
function implementationOf(
  methods: readonly BoundMethod[],
  shared: Shared,
): UntypedServiceImplementation {
  const entries = methods.map((bound) => {
    const serve =
      bound.method.methodKind === "unary"
        ? (call: UnaryCall, answer: sendUnaryData<Buffer>): void =>
            void serveUnary(bound, shared, { call, answer })
        : (call: StreamCall): void => void serveStream(bound, shared, call);
    return [bound.method.localName, serve];
  });
  return Object.fromEntries(entries);
}

async function serveUnary(
  bound: BoundMethod,
  shared: Shared,
  { call, answer }: { call: UnaryCall; answer: sendUnaryData<Buffer> },
): Promise<void> {
  const { context, leave } = enter(call, shared);
  let response: Uint8Array | undefined;
  try {
    await run(bound, shared, {
      call,
      context: admit(call, { context, path: bound.path }, shared),
      requests: only(call.request),
      async send(bytes: Uint8Array): Promise<void> {
        response = bytes;
      },
    });
    answer(null, asBuffer(response ?? new Uint8Array(0)));
  } catch (error) {
    answer(toStatus(toStoreError(error)));
  } finally {
    leave();
  }
}

async function serveStream(bound: BoundMethod, shared: Shared, call: StreamCall): Promise<void> {
  const { context, leave } = enter(call, shared);
  readOneAhead(call);
  try {
    await run(bound, shared, {
      call,
      context: admit(call, { context, path: bound.path }, shared),
      requests: requestsOf(call),
      send: createSender(call, bound.method, context.signal),
    });
    call.end();
  } catch (error) {
    if (!context.signal.aborted) call.emit("error", toStatus(toStoreError(error)));
  } finally {
    leave();
  }
}

/** Within a span of its own, where the caller was within one. */
async function run(
  bound: BoundMethod,
  { tracing }: Shared,
  { call, ...raw }: RawServerCall & { readonly call: AnyCall },
): Promise<void> {
  if (tracing === undefined) return bound.run(raw);
  const carrier = traceCarrier((name) => call.metadata.get(name)[0]);
  if (Object.keys(carrier).length === 0) return bound.run(raw);
  const attributes = { "rpc.system": "grpc", "dolium.request_id": raw.context.requestId };
  const name = bound.path.slice(1);
  await tracing.serve({ name, carrier, attributes }, () => bound.run(raw));
}

/** The call's context; `leave` when its handler has ended. */
function enter(
  call: AnyCall,
  { random, running }: Shared,
): { context: CallContext; leave: () => void } {
  const controller = new AbortController();
  running.add(controller);
  call.on("cancelled", () => controller.abort(callerGaveUp(undefined)));
  if (call.cancelled) controller.abort(callerGaveUp(undefined));
  const [claimed] = call.metadata.get(REQUEST_ID_KEY);
  const requestId = acceptRequestId(typeof claimed === "string" ? claimed : undefined, random);
  const context = { signal: controller.signal, requestId, peer: call.getPeer() };
  return { context, leave: () => running.delete(controller) };
}

/** What the handler of `path` is told of the call. Throws "denied" for who may not call it. */
function admit(
  call: AnyCall,
  { context, path }: { readonly context: CallContext; readonly path: string },
  { token, tls, access }: Shared,
): CallContext {
  checkToken(call.metadata, token);
  if (tls === undefined) return context;
  const caller = callerOf(call, tls.identity.cluster);
  if (!rolesFor(path, access).includes(caller.role)) {
    throw new StoreError("denied", `a ${caller.role} may not call ${path}`);
  }
  return { ...context, caller };
}

function checkToken(metadata: Metadata, token: Buffer | undefined): void {
  if (token === undefined) return;
  const [given] = metadata.get(SECRET_KEY);
  const claimed = Buffer.from(typeof given === "string" ? given : "");
  // Tokens are digests of one length, so the length gives nothing away.
  if (claimed.byteLength !== token.byteLength || !timingSafeEqual(claimed, token)) {
    throw new StoreError("denied", "the caller does not know the cluster's secret");
  }
}

async function* only(request: Buffer): AsyncGenerator<Uint8Array> {
  yield plainView(request);
}

function plainView(message: Buffer): Uint8Array {
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
}

/**
 * grpc-js reads sixteen messages ahead, of any size, and has no setting for it. Node keeps the
 * number in the stream's state; where it is not found there, only memory is wasted.
 */
function readOneAhead(call: StreamCall): void {
  const state: unknown = Reflect.get(call, "_readableState");
  if (typeof state === "object" && state !== null) Reflect.set(state, "highWaterMark", 1);
}

/** Requests up to the end mark; without it the caller vanished, whatever HTTP/2 says. */
async function* requestsOf(call: StreamCall): AsyncGenerator<Uint8Array> {
  try {
    for await (const message of call.iterator({ destroyOnReturn: false })) {
      if (equalBytes(message, END_MARK)) return;
      yield plainView(message);
    }
  } catch (error) {
    throw callerGaveUp(error);
  }
  throw callerGaveUp(undefined);
}

/** Sends one message while the next is made: a send waits for the one before it to be taken. */
function createSender(
  call: StreamCall,
  { output }: BoundMethod["method"],
  signal: AbortSignal,
): (bytes: Uint8Array) => Promise<void> {
  let before: Promise<void> = Promise.resolve();
  return async (bytes) => {
    await before;
    if (signal.aborted || call.destroyed) throw callerGaveUp(signal.reason);
    const flush = deferred<void>();
    const settle = (): void => {
      signal.removeEventListener("abort", settle);
      flush.resolve();
    };
    signal.addEventListener("abort", settle, { once: true });
    call.write(asBuffer(bytes), () => {
      settle();
      // grpc-js has framed the message in a buffer of its own, or will never look at it.
      releaseCellMessage(output, bytes);
    });
    before = flush.promise;
  };
}

function bind(server: Server, address: string, how: ServerCredentials): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, how, (error, port) => {
      if (error === null) resolve(address.replace(/:[0-9]+$/, `:${port}`));
      else reject(new StoreError("io", `listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}

async function closeServer(
  server: Server,
  running: ReadonlySet<AbortController>,
  graceMs: number,
): Promise<void> {
  const drained = deferred<void>();
  server.tryShutdown(() => drained.resolve());
  const timer = setTimeout(() => {
    // Connections first: no handler's last word may reach a caller as an ordinary answer.
    server.forceShutdown();
    for (const controller of running) {
      controller.abort(new StoreError("aborted", "the server stops"));
    }
    drained.resolve();
  }, graceMs);
  await drained.promise;
  clearTimeout(timer);
}
