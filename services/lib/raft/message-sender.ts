// Who a message of the consensus core says it is from, read from its encoding (eraftpb.Message,
// field 3) without decoding the rest. A field that stands there twice counts as it does for the
// core: the last one.
import { StoreError } from "../base/errors.ts";
import type { RaftId } from "./core.ts";

const FROM_FIELD = 3;
const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;
const FOUR_BYTES = 5;
const VARINT_BYTES_MAX = 10;

/** 0 when it does not say. Throws StoreError "corrupt" for what is no message. */
export function senderOf(message: Uint8Array): RaftId {
  const reader = { bytes: message, at: 0 };
  let from = 0;
  while (reader.at < message.byteLength) {
    const tag = readVarint(reader);
    const type = tag % 8;
    if (type === VARINT) {
      const value = readVarint(reader);
      if (Math.floor(tag / 8) === FROM_FIELD) from = value;
    } else if (type === LENGTH) {
      const length = readVarint(reader);
      reader.at += length;
    } else if (type === EIGHT_BYTES) reader.at += 8;
    else if (type === FOUR_BYTES) reader.at += 4;
    else throw malformed();
  }
  if (reader.at !== message.byteLength) throw malformed();
  return from;
}

/** Beyond 2^53 it is not exact; no id is as large. */
function readVarint(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
    const byte = reader.bytes[reader.at];
    if (byte === undefined) break;
    reader.at += 1;
    value += (byte & 0x7f) * 2 ** (7 * count);
    if (byte < 0x80) return value;
  }
  throw malformed();
}

function malformed(): StoreError {
  return new StoreError("corrupt", "what a peer sent is no message of the consensus core");
}
