// A few bytes sealed with a key: other keys, and secrets that are short. They open only with the
// same key and the same binding (what they are for and to what they belong), so that sealed bytes
// that were moved to another place, or are tried with a wrong key, are recognised.
//
// Format: 1 (version), salt (32), AES-256-GCM ciphertext (as long as the bytes) and tag (16). The
// GCM key is derived from the sealing key and the salt, so its nonce may be zero: no key seals
// twice.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { StoreError } from "../base/errors.ts";
import type { Random } from "../ports/random.ts";
import { TAG_BYTES } from "./blocks.ts";
import { deriveKey } from "./key-derivation.ts";

const FORMAT = 1;
const SALT_BYTES = 32;
const SALT_OFFSET = 1;
const CIPHERTEXT_OFFSET = SALT_OFFSET + SALT_BYTES;

/** How much longer sealed bytes are. */
export const SEALED_EXTRA_BYTES = CIPHERTEXT_OFFSET + TAG_BYTES;

const CIPHER = "aes-256-gcm";
const NONCE = new Uint8Array(12);

/** What sealed bytes are bound to: their purpose, and fields that must be the same on opening. */
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

/** Seals `bytes`; the result is new memory. */
export function sealBytes(wrapping: Wrapping, bytes: Uint8Array, random: Random): Uint8Array {
  const salt = random.bytes(SALT_BYTES);
  const { wrappingKey, binding } = wrapping;
  const derived = deriveKey(wrappingKey, salt, binding.purpose);
  const cipher = createCipheriv(CIPHER, derived, NONCE).setAAD(associatedData(binding));
  return Buffer.concat([
    Uint8Array.of(FORMAT),
    salt,
    cipher.update(bytes),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/**
 * The bytes in `sealed`, or undefined when they were not sealed with this key and binding. Throws
 * StoreError "corrupt" for what nobody sealed.
 */
export function openBytes(wrapping: Wrapping, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.byteLength < SEALED_EXTRA_BYTES || sealed[0] !== FORMAT) {
    throw new StoreError("corrupt", `no sealed bytes: ${sealed.byteLength} bytes`);
  }
  const { wrappingKey, binding } = wrapping;
  const tagOffset = sealed.byteLength - TAG_BYTES;
  const salt = sealed.subarray(SALT_OFFSET, CIPHERTEXT_OFFSET);
  const derived = deriveKey(wrappingKey, salt, binding.purpose);
  const decipher = createDecipheriv(CIPHER, derived, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(binding)).setAuthTag(sealed.subarray(tagOffset));
  const bytes = decipher.update(sealed.subarray(CIPHERTEXT_OFFSET, tagOffset));
  try {
    decipher.final();
  } catch {
    // The tag is wrong: another key, another binding, or changed bytes.
    return undefined;
  }
  return bytes;
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
