// The typed half of a server: finds a service's handlers and runs one against a raw call, which
// carries bytes. Both transports use it.
import type { DescMessage, DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { toHex } from "../base/bytes.ts";
import { StoreError } from "../base/errors.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { pathOf } from "../ports/rpc-access.ts";
import type { CallContext, ServiceHandlers } from "../ports/transport.ts";
import { releaseCarried } from "./cell-codec.ts";
import { type Frame, type PassedMessage, passable } from "./passed-message.ts";
import { decodeFrame, encodeMessage, errorForPeer } from "./rpc-codec.ts";

/** One call on the handler's side. */
export interface RawServerCall {
  readonly context: CallContext;
  /** Ends only where the caller ended it; a caller that vanished is a StoreError "aborted". */
  readonly requests: AsyncIterable<Frame>;
  /** Resolves when another message may follow; rejects with "aborted" once nobody listens. */
  send(bytes: Uint8Array): Promise<void>;
  /** Only calls within one process have it: as `send`; the message is the caller's then. */
  readonly pass?: (message: PassedMessage) => Promise<void>;
}

type AnyHandler = (request: unknown, context: CallContext) => unknown;

/** What handlers answer; their own types say which message, the encoder checks it. */
type Init = MessageInitShape<DescMessage>;

export interface BoundMethod {
  readonly method: DescMethod;
  readonly path: string;
  /** Runs the handler to its end; what it throws is a StoreError fit for the caller. */
  run(call: RawServerCall): Promise<void>;
}

/** Pairs every method of `service` with its handler. Throws "invalid" when one is missing. */
export function bindService<S extends DescService>(
  service: S,
  handlers: ServiceHandlers<S>,
  log: Log,
): BoundMethod[] {
  return service.methods.map((method) => {
    const path = pathOf(method);
    const handler: unknown = Reflect.get(handlers, method.localName);
    if (typeof handler !== "function") throw new StoreError("invalid", `no handler for ${path}`);
    // The type of `handlers` ties each function to its method; the loop cannot follow it.
    const call: AnyHandler = (request, context) =>
      Reflect.apply(handler, handlers, [request, context]);
    return {
      method,
      path,
      async run(raw: RawServerCall): Promise<void> {
        try {
          await runHandler(method, call, raw);
        } catch (error) {
          throw errorForPeer(error, path, log.child({ requestId: raw.context.requestId }));
        }
      },
    };
  });
}

async function runHandler(
  method: DescMethod,
  handler: AnyHandler,
  call: RawServerCall,
): Promise<void> {
  const streamsIn =
    method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const streamsOut =
    method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  const request = streamsIn ? decodeAll(method, call) : await decodeOnly(method, call);
  const answer = handler(request, call.context);
  if (!streamsOut) {
    await call.send(encodeMessage(method.output, (await answer) as Init));
    return;
  }
  for await (const message of answer as AsyncIterable<Init>) {
    const passed = call.pass === undefined ? undefined : passable(method.output, message);
    if (call.pass !== undefined && passed !== undefined) await call.pass(passed);
    else {
      const bytes = encodeMessage(method.output, message);
      releaseCarried(method.output, message);
      await call.send(bytes);
    }
  }
}

async function* decodeAll(method: DescMethod, call: RawServerCall): AsyncGenerator<unknown> {
  for await (const bytes of call.requests) yield decodeFrame(method.input, bytes, "invalid");
}

async function decodeOnly(method: DescMethod, call: RawServerCall): Promise<unknown> {
  for await (const bytes of call.requests) return decodeFrame(method.input, bytes, "invalid");
  throw new StoreError("invalid", `${pathOf(method)}: no request`);
}

/** The caller's request id if it is fit for a log line, else a fresh one. */
export function acceptRequestId(claimed: string | undefined, random: Random): string {
  return isRequestId(claimed) ? claimed : toHex(random.bytes(8));
}

export function isRequestId(text: string | undefined): text is string {
  return text !== undefined && /^[\x21-\x7e]{1,128}$/.test(text);
}
