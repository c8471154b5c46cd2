// Small secrets that a gateway gives to clients to keep: session tokens, sign-ins under way, console
// sessions. Sealed with a key derived from the cluster key, so that every gateway opens what any
// other sealed and nobody else makes one; after a change of the cluster key the former one still
// opens. What it says about time is for the caller to check.
//
// Format, base64url: 1 (version), salt (32), AES-256-GCM ciphertext and tag (16). The GCM key is
// derived from cluster key, salt and purpose, so its nonce may be zero: no key seals twice.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { assert } from "../../lib/base/assert.ts";
import { asBuffer, fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Random } from "../../lib/ports/random.ts";
import { deriveKey } from "../../lib/seal/key-derivation.ts";

const FORMAT = 1;
const SALT_BYTES = 32;
const TAG_BYTES = 16;
const CIPHERTEXT_OFFSET = 1 + SALT_BYTES;
const NONCE = new Uint8Array(12);
const CIPHER = "aes-256-gcm";
const TEXT = /^[A-Za-z0-9_-]+$/;
/** Characters of sealed text that are looked at. */
const SEALED_CHARACTERS_MAX = 32_768;

/** The keys of the cluster, 32 bytes each. */
export interface SealingKeys {
  readonly current: Uint8Array | undefined;
  /** Still open what they sealed. */
  readonly former: readonly Uint8Array[];
}

export type SealPurpose = "session token" | "sign-in" | "console session";

/** Seals `text` for `purpose`. Throws StoreError "denied" without a cluster key. */
export function sealText(
  keys: SealingKeys,
  { purpose, text }: { readonly purpose: SealPurpose; readonly text: string },
  random: Random,
): string {
  if (keys.current === undefined) {
    throw new StoreError("denied", "no cluster key is configured (encryption.clusterKey)");
  }
  const salt = random.bytes(SALT_BYTES);
  const cipher = createCipheriv(CIPHER, deriveKey(keys.current, salt, purpose), NONCE);
  const sealed = Buffer.concat([
    Uint8Array.of(FORMAT),
    salt,
    cipher.update(utf8(text)),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  const written = sealed.toString("base64url");
  assert(written.length <= SEALED_CHARACTERS_MAX, "sealText: a text too long to be opened");
  return written;
}

/** The text that was sealed for this purpose; undefined for anything else, whatever it is. */
export function openText(
  keys: SealingKeys,
  purpose: SealPurpose,
  sealed: string,
): string | undefined {
  if (sealed.length > SEALED_CHARACTERS_MAX || !TEXT.test(sealed)) return undefined;
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.toString("base64url") !== sealed) return undefined;
  if (bytes.byteLength < CIPHERTEXT_OFFSET + TAG_BYTES || bytes[0] !== FORMAT) return undefined;
  const all = keys.current === undefined ? keys.former : [keys.current, ...keys.former];
  for (const key of all) {
    const text = openWith(key, purpose, bytes);
    if (text !== undefined) return text;
  }
  return undefined;
}

function openWith(key: Uint8Array, purpose: SealPurpose, bytes: Uint8Array): string | undefined {
  const salt = bytes.subarray(1, CIPHERTEXT_OFFSET);
  const tagOffset = bytes.byteLength - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, deriveKey(key, salt, purpose), NONCE, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(asBuffer(bytes.subarray(tagOffset)));
  const text = decipher.update(asBuffer(bytes.subarray(CIPHERTEXT_OFFSET, tagOffset)));
  try {
    decipher.final();
  } catch {
    // The tag is wrong: another key, another purpose, or changed bytes.
    return undefined;
  }
  return fromUtf8(text);
}
