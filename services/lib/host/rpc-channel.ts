// The typed half of a client: turns raw calls, which carry bytes, into the four kinds of call of
// the transport port. Both transports use it, so they cannot differ in more than carrying bytes.
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { StoreError } from "../base/errors.ts";
import { pathOf } from "../ports/rpc-access.ts";
import type { BidiStream, CallOptions, Channel, ClientStream } from "../ports/transport.ts";
import { type Frame, type PassedMessage, passable } from "./passed-message.ts";
import { decodeFrame, encodeMessage } from "./rpc-codec.ts";

/** One call on the caller's side. Failures are StoreErrors, the same from every method. */
export interface RawCall {
  /**
   * Hands `bytes` over and resolves when another message may follow; several calls queue in order.
   * Once the call ended well nothing is sent, and nothing is wrong: the answer is waiting.
   */
  send(bytes: Uint8Array): Promise<void>;
  /**
   * Only calls within one process have it: as `send`, but resolves when nobody reads it any more.
   */
  readonly pass?: (message: PassedMessage) => Promise<void>;
  /** Ends the sending side, after what was sent before. */
  end(): void;
  /** The next message, or undefined at a successful end. One at a time. */
  read(): Promise<Frame | undefined>;
  /** Gives up, unless the call has ended. */
  cancel(): void;
}

/** `method` says how many messages go each way. */
export type StartCall = (method: DescMethod, options: CallOptions) => RawCall;

export function createChannel(address: string, start: StartCall): Channel {
  return {
    address,
    unary: (method, request, options) => unary(start, method, request, options),
    serverStream: (method, request, options) => serverStream(start, method, request, options),
    clientStream: (method, options) => clientStream(start, method, options),
    bidi: (method, options) => bidi(start, method, options),
  };
}

async function unary<I extends DescMessage, O extends DescMessage>(
  start: StartCall,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
): Promise<MessageShape<O>> {
  const bytes = encodeMessage(method.input, request);
  const call = start(method, options);
  await sendAll(call, bytes);
  return readOnly(call, method);
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  start: StartCall,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  options: CallOptions,
): AsyncGenerator<MessageShape<O>> {
  const bytes = encodeMessage(method.input, request);
  const call = start(method, options);
  try {
    await sendAll(call, bytes);
    yield* readAll(call, method.output);
  } finally {
    call.cancel();
  }
}

function clientStream<I extends DescMessage, O extends DescMessage>(
  start: StartCall,
  method: DescMethodClientStreaming<I, O>,
  options: CallOptions,
): ClientStream<I, O> {
  const call = start(method, options);
  const { write, end } = createSink(call, method);
  return {
    write,
    async finish(): Promise<MessageShape<O>> {
      end();
      return readOnly(call, method);
    },
    cancel: () => call.cancel(),
  };
}

function bidi<I extends DescMessage, O extends DescMessage>(
  start: StartCall,
  method: DescMethodBiDiStreaming<I, O>,
  options: CallOptions,
): BidiStream<I, O> {
  const call = start(method, options);
  const { write, end } = createSink(call, method);
  const responses = abandonable(call, method.output);
  return { write, responses, end, cancel: () => call.cancel() };
}

/** Ending twice is once; writing after the end is refused with "invalid". */
function createSink<I extends DescMessage>(call: RawCall, method: DescMethod & { input: I }) {
  let ended = false;
  return {
    async write(message: MessageInitShape<I>): Promise<void> {
      if (ended) throw new StoreError("invalid", `${pathOf(method)}: written after the end`);
      const passed = call.pass === undefined ? undefined : passable(method.input, message);
      if (call.pass !== undefined && passed !== undefined) await call.pass(passed);
      else await call.send(encodeMessage(method.input, message));
    },
    end(): void {
      if (!ended) call.end();
      ended = true;
    },
  };
}

async function sendAll(call: RawCall, bytes: Uint8Array): Promise<void> {
  await call.send(bytes);
  call.end();
}

/** The single answer, once the call has ended well. */
async function readOnly<O extends DescMessage>(
  call: RawCall,
  method: DescMethod & { readonly output: O },
): Promise<MessageShape<O>> {
  const bytes = await call.read();
  if (bytes === undefined) throw new StoreError("corrupt", `${pathOf(method)}: no answer`);
  if ((await call.read()) !== undefined) {
    call.cancel();
    throw new StoreError("corrupt", `${pathOf(method)}: more than one answer`);
  }
  return decodeFrame(method.output, bytes, "corrupt");
}

async function* readAll<O extends DescMessage>(
  call: RawCall,
  schema: O,
): AsyncGenerator<MessageShape<O>> {
  for (;;) {
    const bytes = await call.read();
    if (bytes === undefined) return;
    yield decodeFrame(schema, bytes, "corrupt");
  }
}

/** Responses whose reader, by leaving early, gives the call up. */
async function* abandonable<O extends DescMessage>(
  call: RawCall,
  schema: O,
): AsyncGenerator<MessageShape<O>> {
  try {
    yield* readAll(call, schema);
  } finally {
    call.cancel();
  }
}
