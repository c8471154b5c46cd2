// Keys of canaries: bodies whose shards may be damaged on purpose, to see that damage is found and
// repaired. They begin with bytes that are no UTF-8, and the keys of S3 objects are UTF-8, so that
// no client's object can ever have one.
import { equalBytes, utf8 } from "./bytes.ts";

const PREFIX: Uint8Array = Uint8Array.of(0xff, 0xfe, ...utf8("canary/"));

/** `name`: any text. */
export function canaryKey(name: string): Uint8Array {
  return Buffer.concat([PREFIX, utf8(name)]);
}

/** True for what `canaryKey` made, and for nothing that a client can name. */
export function isCanaryKey(key: Uint8Array): boolean {
  return (
    key.byteLength > PREFIX.byteLength && equalBytes(key.subarray(0, PREFIX.byteLength), PREFIX)
  );
}
