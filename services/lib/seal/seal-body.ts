// Seals a body as it streams by. Views are enciphered as they come, without being gathered; each is
// done with when the next one is pulled. Nothing of a block depends on later ones.
import { type CipherGCM, createCipheriv } from "node:crypto";
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { BLOCK_BYTES, blockCount, blockNonce, TAG_BYTES } from "./blocks.ts";
import { KEY_BYTES } from "./key-derivation.ts";

export interface BodySealing {
  /** Of this body alone (`bodyKey`): it must never seal another one. */
  readonly key: Uint8Array;
  /** Plain bytes that the source yields, exactly. */
  readonly size: number;
}

/**
 * Yields `sealedSize(size)` bytes in new memory; ends only after the source has ended. Throws
 * StoreError "invalid" when the source yields fewer or more bytes than `size`, and what it throws.
 */
export async function* sealBody(
  source: AsyncIterable<Uint8Array>,
  { key, size }: BodySealing,
): AsyncGenerator<Uint8Array, void, undefined> {
  assert(key.byteLength === KEY_BYTES, "sealBody: a key has 32 bytes");
  const blocks = blockCount(size);
  let cipher: CipherGCM | undefined;
  let sealed = 0;
  for await (const view of source) {
    if (view.byteLength > size - sealed) {
      throw new StoreError("invalid", "the body is longer than its declared length");
    }
    let rest = view;
    while (rest.byteLength > 0) {
      const index = Math.floor(sealed / BLOCK_BYTES);
      const blockEnd = Math.min((index + 1) * BLOCK_BYTES, size);
      cipher ??= createCipheriv("aes-256-gcm", key, blockNonce(index, index === blocks - 1));
      const piece = rest.subarray(0, blockEnd - sealed);
      yield cipher.update(piece);
      sealed += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
      if (sealed === blockEnd) {
        yield tagOf(cipher);
        cipher = undefined;
      }
    }
  }
  if (sealed !== size) {
    throw new StoreError("invalid", "the body ended before its declared length");
  }
}

function tagOf(cipher: CipherGCM): Uint8Array {
  const rest = cipher.final();
  assert(rest.byteLength === 0, "sealBody: GCM kept bytes back");
  const tag = cipher.getAuthTag();
  assert(tag.byteLength === TAG_BYTES, "sealBody: a tag of another length");
  return tag;
}
