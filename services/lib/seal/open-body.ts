// Opens a sealed body, or a span of it, as it streams by. A block is yielded only after its tag was
// found right: what leaves here is what was sealed, at the place where it was, or the iteration
// throws.
import { createDecipheriv, type DecipherGCM } from "node:crypto";
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import {
  BLOCK_BYTES,
  type ByteSpan,
  blockCount,
  blockNonce,
  sealedSpan,
  TAG_BYTES,
} from "./blocks.ts";
import { KEY_BYTES } from "./key-derivation.ts";

export interface BodyOpening {
  /** The one the body was sealed with. */
  readonly key: Uint8Array;
  /** Plain bytes of the whole body. */
  readonly size: number;
  /** Plain bytes that are wanted. */
  readonly span: ByteSpan;
}

/**
 * Yields the plain bytes of `span`, in new memory. `source` yields the sealed bytes of
 * `sealedSpan(span, size)`, exactly; its views are borrowed until the next one is pulled. Throws
 * StoreError "corrupt" when a tag is wrong, or there are fewer or more bytes, and what the source
 * throws.
 */
export async function* openBody(
  source: AsyncIterable<Uint8Array>,
  opening: BodyOpening,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size, span } = opening;
  const { first, last } = sealedSpan(span, size);
  let left = last - first + 1;
  let index = Math.floor(span.first / BLOCK_BYTES);
  let block = new OpenBlock(opening, index);
  for await (const view of source) {
    if (view.byteLength > left) throw new StoreError("corrupt", "a sealed body is too long");
    left -= view.byteLength;
    let rest = view;
    while (rest.byteLength > 0) {
      rest = rest.subarray(block.take(rest));
      if (!block.isFull) continue;
      yield* block.open(span);
      index += 1;
      if (left > 0 || rest.byteLength > 0) block = new OpenBlock(opening, index);
    }
  }
  if (left > 0) throw new StoreError("corrupt", "a sealed body ended too early");
}

/** One block on its way: deciphered as it comes, kept back until its tag is known. */
class OpenBlock {
  readonly #decipher: DecipherGCM;
  readonly #offset: number;
  readonly #bytes: number;
  readonly #plain: Uint8Array[] = [];
  readonly #tag = new Uint8Array(TAG_BYTES);
  #taken = 0;

  constructor({ key, size }: BodyOpening, index: number) {
    assert(key.byteLength === KEY_BYTES, "openBody: a key has 32 bytes");
    const isLast = index === blockCount(size) - 1;
    this.#offset = index * BLOCK_BYTES;
    this.#bytes = Math.min(BLOCK_BYTES, size - this.#offset);
    this.#decipher = createDecipheriv("aes-256-gcm", key, blockNonce(index, isLast), {
      authTagLength: TAG_BYTES,
    });
  }

  get isFull(): boolean {
    return this.#taken === this.#bytes + TAG_BYTES;
  }

  /** Takes bytes of this block from the front of `view`; returns how many. */
  take(view: Uint8Array): number {
    const before = this.#taken;
    if (this.#taken < this.#bytes) {
      const sealed = view.subarray(0, this.#bytes - this.#taken);
      this.#plain.push(this.#decipher.update(sealed));
      this.#taken += sealed.byteLength;
      if (this.#taken < this.#bytes) return sealed.byteLength;
    }
    const done = this.#taken - before;
    const tag = view.subarray(done, done + this.#bytes + TAG_BYTES - this.#taken);
    this.#tag.set(tag, this.#taken - this.#bytes);
    this.#taken += tag.byteLength;
    return this.#taken - before;
  }

  /** What of the block lies in `span`. Throws StoreError "corrupt" unless the tag is right. */
  *open(span: ByteSpan): Generator<Uint8Array, void, undefined> {
    this.#decipher.setAuthTag(this.#tag);
    try {
      this.#decipher.final();
    } catch (cause) {
      const where = `the block at byte ${this.#offset}`;
      throw new StoreError("corrupt", `${where} of a sealed body does not open`, { cause });
    }
    let at = this.#offset;
    for (const piece of this.#plain) {
      const from = Math.max(0, span.first - at);
      const to = Math.min(piece.byteLength, span.last + 1 - at);
      if (from < to) yield piece.subarray(from, to);
      at += piece.byteLength;
    }
  }
}
