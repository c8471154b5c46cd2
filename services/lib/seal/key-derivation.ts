// Keys derived from keys: HKDF with SHA-256 (RFC 5869). Every purpose has an `info` of its own, so
// that a key that serves two purposes never yields the same derived key for both.
import { hkdfSync } from "node:crypto";
import { assert } from "../base/assert.ts";

export const KEY_BYTES = 32;
/** Of a body's nonce, in its record. */
export const BODY_NONCE_BYTES = 16;

const DOMAIN = "dolium.seal.1";

/** 32 bytes for `purpose`; `salt` makes them differ from all others of that key and purpose. */
export function deriveKey(key: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  assert(key.byteLength === KEY_BYTES, "deriveKey: a key has 32 bytes");
  assert(salt.byteLength >= BODY_NONCE_BYTES, "deriveKey: a salt of too few bytes");
  return new Uint8Array(hkdfSync("sha256", key, salt, `${DOMAIN} ${purpose}`, KEY_BYTES));
}

/** The key of one body: of the object's data key and the body's own nonce of 16 bytes. */
export function bodyKey(dataKey: Uint8Array, bodyNonce: Uint8Array): Uint8Array {
  assert(bodyNonce.byteLength === BODY_NONCE_BYTES, "bodyKey: a body nonce has 16 bytes");
  return deriveKey(dataKey, bodyNonce, "body");
}
