// A key of 32 bytes sealed with another one, as sealed-bytes.ts seals: 81 bytes.
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Random } from "../ports/random.ts";
import { KEY_BYTES } from "./key-derivation.ts";
import { openBytes, SEALED_EXTRA_BYTES, sealBytes, type Wrapping } from "./sealed-bytes.ts";

export const WRAPPED_KEY_BYTES = KEY_BYTES + SEALED_EXTRA_BYTES;

/** Seals `key` (32 bytes); the result is new memory of 81 bytes. */
export function wrapKey(wrapping: Wrapping, key: Uint8Array, random: Random): Uint8Array {
  assert(key.byteLength === KEY_BYTES, "wrapKey: a key has 32 bytes");
  const wrapped = sealBytes(wrapping, key, random);
  assert(wrapped.byteLength === WRAPPED_KEY_BYTES, "wrapKey: a wrapped key of another length");
  return wrapped;
}

/**
 * The key in `wrapped`, or undefined when it was not sealed with this key and binding. Throws
 * StoreError "corrupt" for what is no wrapped key.
 */
export function unwrapKey(wrapping: Wrapping, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.byteLength !== WRAPPED_KEY_BYTES) {
    throw new StoreError("corrupt", `not a wrapped key: ${wrapped.byteLength} bytes`);
  }
  return openBytes(wrapping, wrapped);
}
