// What every transport shares: messages to bytes and back, and how errors look on the other side.
// An error crosses with its code, message and leader hint; anything that is not a StoreError is
// logged by the side that threw it and arrives as "internal", without its text.
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { StoreError } from "../base/errors.ts";
import { RPC_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import type { Log } from "../ports/log.ts";
import { adoptCarried, encodeCellMessage } from "./cell-codec.ts";
import { type Frame, PassedMessage } from "./passed-message.ts";

const ERROR_TEXT_MAX = 2000;

/** A fresh copy of everything in `message`. Throws "invalid" over RPC_MESSAGE_BYTES_MAX. */
export function encodeMessage<D extends DescMessage>(
  schema: D,
  message: MessageInitShape<D>,
): Uint8Array {
  const bytes = encodeCellMessage(schema, message) ?? toBinary(schema, create(schema, message));
  if (bytes.byteLength > RPC_MESSAGE_BYTES_MAX) {
    const reason = `${schema.typeName} of ${bytes.byteLength} bytes is too large to send`;
    throw new StoreError("invalid", reason);
  }
  return bytes;
}

/** The message's `bytes` fields are views of `bytes`, which the message owns from here on. */
export function decodeMessage<D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  failure: "invalid" | "corrupt",
): MessageShape<D> {
  try {
    const message = fromBinary(schema, bytes);
    adoptCarried(schema, message, bytes);
    return message;
  } catch (error) {
    throw new StoreError(failure, `malformed ${schema.typeName}`, { cause: error });
  }
}

/** As `decodeMessage`; a message that was passed as it is needs no decoding. */
export function decodeFrame<D extends DescMessage>(
  schema: D,
  frame: Frame,
  failure: "invalid" | "corrupt",
): MessageShape<D> {
  if (frame instanceof PassedMessage) return frame.message(schema);
  return decodeMessage(schema, frame, failure);
}

/** What the caller is told of whatever the handler of `method` threw. */
export function errorForPeer(error: unknown, method: string, log: Log): StoreError {
  if (!(error instanceof StoreError)) {
    log.error("an rpc handler failed unexpectedly", error, { method });
    return new StoreError("internal", `unexpected failure in ${method}`);
  }
  const message = error.message.slice(0, ERROR_TEXT_MAX).toWellFormed();
  const { leaderHint } = error;
  return new StoreError(error.code, message, leaderHint === undefined ? {} : { leaderHint });
}

export function callerGaveUp(reason: unknown): StoreError {
  return new StoreError("aborted", "the caller gave up", { cause: reason });
}

export function deadlinePassed(path: string, deadlineMs: number): StoreError {
  return new StoreError("timeout", `${path}: no answer within ${deadlineMs} ms`);
}
