// A state as a stream of bytes, cut into chunks: magic and version; then for each entry the lengths
// of key (u32, little-endian) and stored value (u32), key, value, in byte order of keys; then a key
// length of 0xFFFFFFFF, the number of entries (u64) and the digest of them all (16). Entries local
// to a replica are left out. The receiver checks every value's checksum, the order, the count and
// the digest.
import { assert } from "../../lib/base/assert.ts";
import { compareBytes, copyBytes, equalBytes } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { KvEntry } from "../../lib/ports/kv.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "../../lib/raft/types.ts";
import { decodeChecked } from "./checked-value.ts";
import { DIGEST_BYTES, Digest } from "./digest.ts";
import type { FrozenView } from "./frozen-view.ts";
import { TABLE } from "./keys.ts";

const MAGIC = Buffer.from("DLMSNAP1", "latin1");
const END_MARK = 0xffff_ffff;
const ENTRY_BYTES_MAX = 64 * 1024 * 1024;
const HEAD_BYTES = 8;

/** Streams a frozen state; each value is verified on the way out. Throws "corrupt". */
export async function* snapshotChunks(view: FrozenView): AsyncGenerator<Uint8Array, void> {
  const cutter = new ChunkCutter();
  const digest = new Digest();
  let count = 0n;
  yield* cutter.push(MAGIC);
  for await (const page of view.storedPages({ from: new Uint8Array(0) })) {
    for (const [key, stored] of page) {
      decodeChecked(key, stored);
      if (key[0] === TABLE.local) continue;
      digest.add(key, stored);
      count += 1n;
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32LE(key.byteLength, 0);
      head.writeUInt32LE(stored.byteLength, 4);
      yield* cutter.push(head);
      yield* cutter.push(key);
      yield* cutter.push(stored);
    }
  }
  const end = Buffer.alloc(4 + 8);
  end.writeUInt32LE(END_MARK, 0);
  end.writeBigUInt64LE(count, 4);
  yield* cutter.push(end);
  yield* cutter.push(digest.bytes());
  yield* cutter.end();
}

/** Collects bytes into chunks of full size. */
class ChunkCutter {
  #chunk = Buffer.allocUnsafe(SNAPSHOT_CHUNK_BYTES_MAX);
  #filled = 0;

  *push(bytes: Uint8Array): Generator<Uint8Array, void> {
    let at = 0;
    while (at < bytes.byteLength) {
      const take = Math.min(bytes.byteLength - at, this.#chunk.byteLength - this.#filled);
      this.#chunk.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#chunk.byteLength) {
        yield this.#chunk;
        this.#chunk = Buffer.allocUnsafe(SNAPSHOT_CHUNK_BYTES_MAX);
        this.#filled = 0;
      }
    }
  }

  *end(): Generator<Uint8Array, void> {
    if (this.#filled > 0) yield this.#chunk.subarray(0, this.#filled);
  }
}

/**
 * Reads a stream back (no bytes at all: an empty state); yields entries in order and returns the
 * digest once the end was verified. Throws StoreError "corrupt" when anything is wrong or missing.
 */
export async function* readSnapshot(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<KvEntry, Uint8Array> {
  const reader = new ByteQueue(chunks);
  if (await reader.isEmpty()) return new Digest().bytes();
  if (!equalBytes(await reader.take(MAGIC.byteLength), MAGIC)) throw bad("not a snapshot");
  const digest = new Digest();
  let count = 0n;
  let last: Uint8Array | undefined;
  for (;;) {
    const keyLength = (await reader.take(4)).readUInt32LE(0);
    if (keyLength === END_MARK) break;
    const valueLength = (await reader.take(4)).readUInt32LE(0);
    if (keyLength === 0 || keyLength + valueLength > ENTRY_BYTES_MAX) throw bad("a bad length");
    const key = copyBytes(await reader.take(keyLength));
    const stored = copyBytes(await reader.take(valueLength));
    decodeChecked(key, stored);
    if (last !== undefined && compareBytes(last, key) >= 0) throw bad("keys out of order");
    if (key[0] === TABLE.local) throw bad("a key local to a replica");
    last = key;
    count += 1n;
    digest.add(key, stored);
    yield [key, stored];
  }
  if ((await reader.take(8)).readBigUInt64LE(0) !== count) throw bad("another number of entries");
  const bytes = digest.bytes();
  if (!equalBytes(await reader.take(DIGEST_BYTES), bytes)) throw bad("another digest");
  await reader.expectEnd();
  return bytes;
}

function bad(what: string): StoreError {
  return new StoreError("corrupt", `snapshot: ${what}`);
}

/** Takes exact numbers of bytes off a stream of chunks. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    assert(count >= 0, "ByteQueue: negative count");
    while (this.#held.byteLength < count) {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw bad("it ends early");
      this.#held = this.#held.byteLength === 0 ? wrap(value) : Buffer.concat([this.#held, value]);
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** True when no byte comes at all: the snapshot of an empty state. */
  async isEmpty(): Promise<boolean> {
    while (this.#held.byteLength === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return true;
      this.#held = wrap(value);
    }
    return false;
  }

  async expectEnd(): Promise<void> {
    if (this.#held.byteLength > 0) throw bad("bytes after the end");
    const { value, done } = await this.#chunks.next();
    if (done !== true && value.byteLength > 0) throw bad("bytes after the end");
  }
}

function wrap(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
