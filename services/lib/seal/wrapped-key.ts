// A key of 32 bytes sealed with another one. It opens only with the same key and the same binding
// (what it is for and to what it belongs), so a wrapped key that was moved to another place, or is
// tried with a wrong key, is recognised.
//
// Format, 81 bytes: 1 (version), salt (32), AES-256-GCM ciphertext (32) and tag (16). The GCM key
// is derived from the wrapping key and the salt, so its nonce may be zero: no key seals twice.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import type { Random } from "../ports/random.ts";
import { TAG_BYTES } from "./blocks.ts";
import { deriveKey, KEY_BYTES } from "./key-derivation.ts";

const FORMAT = 1;
const SALT_BYTES = 32;
const SALT_OFFSET = 1;
const CIPHERTEXT_OFFSET = SALT_OFFSET + SALT_BYTES;
const TAG_OFFSET = CIPHERTEXT_OFFSET + KEY_BYTES;

export const WRAPPED_KEY_BYTES = TAG_OFFSET + TAG_BYTES;

const CIPHER = "aes-256-gcm";
const NONCE = new Uint8Array(12);

/** What a wrapped key is bound to: its purpose, and fields that must be the same when it opens. */
export interface KeyBinding {
  readonly purpose: string;
  /** Order and borders of the fields count. */
  readonly fields: readonly (string | number)[];
}

export interface Wrapping {
  /** 32 bytes. */
  readonly wrappingKey: Uint8Array;
  readonly binding: KeyBinding;
}

/** Seals `key` (32 bytes); the result is new memory of 81 bytes. */
export function wrapKey(wrapping: Wrapping, key: Uint8Array, random: Random): Uint8Array {
  assert(key.byteLength === KEY_BYTES, "wrapKey: a key has 32 bytes");
  const salt = random.bytes(SALT_BYTES);
  const { wrappingKey, binding } = wrapping;
  const derived = deriveKey(wrappingKey, salt, binding.purpose);
  const cipher = createCipheriv(CIPHER, derived, NONCE).setAAD(associatedData(binding));
  const wrapped = Buffer.concat([
    Uint8Array.of(FORMAT),
    salt,
    cipher.update(key),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  assert(wrapped.byteLength === WRAPPED_KEY_BYTES, "wrapKey: a wrapped key of another length");
  return wrapped;
}

/**
 * The key in `wrapped`, or undefined when it was not sealed with this key and binding. Throws
 * StoreError "corrupt" for what is no wrapped key.
 */
export function unwrapKey(wrapping: Wrapping, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.byteLength !== WRAPPED_KEY_BYTES || wrapped[0] !== FORMAT) {
    throw new StoreError("corrupt", `not a wrapped key: ${wrapped.byteLength} bytes`);
  }
  const { wrappingKey, binding } = wrapping;
  const salt = wrapped.subarray(SALT_OFFSET, CIPHERTEXT_OFFSET);
  const derived = deriveKey(wrappingKey, salt, binding.purpose);
  const decipher = createDecipheriv(CIPHER, derived, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(binding)).setAuthTag(wrapped.subarray(TAG_OFFSET));
  const key = decipher.update(wrapped.subarray(CIPHERTEXT_OFFSET, TAG_OFFSET));
  try {
    decipher.final();
  } catch {
    // The tag is wrong: another key, another binding, or changed bytes.
    return undefined;
  }
  return key;
}

/** Each field as its length in four bytes and its UTF-8 bytes: no two lists look alike. */
function associatedData({ fields }: KeyBinding): Uint8Array {
  const pieces = fields.flatMap((field) => {
    const bytes = Buffer.from(String(field), "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(pieces);
}
