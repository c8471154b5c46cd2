// Incremental checksums behind one interface: CRC32 by zlib, CRC32C, CRC64NVME and the xxHashes by
// hash-wasm, SHA and MD5 by node:crypto. Digests are big-endian bytes, as S3 writes them in base64.
// One WebAssembly engine per algorithm serves all hashers: its state is small and moves on a
// switch. Source: Amazon S3 user guide, "Checking object integrity"; xxHash specification.
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  createCRC32,
  createCRC64,
  createXXHash3,
  createXXHash64,
  createXXHash128,
  type IHasher,
} from "hash-wasm";
import { assert, present, unreachable } from "../base/assert.ts";
import type { BackgroundHash, HashCompute } from "../ports/compute.ts";

/** The algorithms a client may choose, as S3 spells them. */
export const CHECKSUM_ALGORITHMS = [
  "CRC32",
  "CRC32C",
  "CRC64NVME",
  "SHA1",
  "SHA256",
  "SHA512",
  "MD5",
  "XXHASH64",
  "XXHASH3",
  "XXHASH128",
] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];
/** MD5 also makes entity tags and checks Content-MD5. */
export type HashName = ChecksumAlgorithm;

/** Reflected Castagnoli polynomial. */
const CRC32C_POLYNOMIAL = 0x82f63b78;
/** Reflected polynomial of the NVM Express base specification. */
const CRC64NVME_POLYNOMIAL = "9a6c9329ac4bc9b5";

export interface Hasher {
  /** `view` is borrowed for the call only. */
  update(view: Uint8Array): void;
  /** Ends the hash; nothing may be called afterwards. */
  digest(): Uint8Array;
}

/** Bytes of a digest of `name`. */
export function digestBytes(name: HashName): number {
  switch (name) {
    case "CRC32":
    case "CRC32C":
      return 4;
    case "CRC64NVME":
    case "XXHASH64":
    case "XXHASH3":
      return 8;
    case "SHA1":
      return 20;
    case "SHA256":
      return 32;
    case "SHA512":
      return 64;
    case "MD5":
    case "XXHASH128":
      return 16;
    default:
      return unreachable(name);
  }
}

export interface ChecksumFactory {
  create(name: HashName): Hasher;
  /** Where large streams may be hashed beside everything else. */
  readonly background?: HashCompute;
}

/** Compiles the WebAssembly engines; call once at start. It serves any number of hashers. */
export async function loadChecksums(): Promise<ChecksumFactory> {
  const crc32c = new Engine(await createCRC32(CRC32C_POLYNOMIAL));
  const crc64 = new Engine(await createCRC64(CRC64NVME_POLYNOMIAL));
  const xxhash64 = new Engine(await createXXHash64());
  const xxhash3 = new Engine(await createXXHash3());
  const xxhash128 = new Engine(await createXXHash128());
  return {
    create(name: HashName): Hasher {
      switch (name) {
        case "CRC32":
          return new Crc32Hasher();
        case "CRC32C":
          return new EngineHasher(crc32c);
        case "CRC64NVME":
          return new EngineHasher(crc64);
        case "SHA1":
          return new CryptoHasher(createHash("sha1"));
        case "SHA256":
          return new CryptoHasher(createHash("sha256"));
        case "SHA512":
          return new CryptoHasher(createHash("sha512"));
        case "MD5":
          return new CryptoHasher(createHash("md5"));
        case "XXHASH64":
          return new EngineHasher(xxhash64);
        case "XXHASH3":
          return new EngineHasher(xxhash3);
        case "XXHASH128":
          return new EngineHasher(xxhash128);
        default:
          return unreachable(name);
      }
    },
  };
}

/** Digest of one whole buffer. */
export function digestOf(factory: ChecksumFactory, name: HashName, view: Uint8Array): Uint8Array {
  const hasher = factory.create(name);
  hasher.update(view);
  return hasher.digest();
}

class CryptoHasher implements Hasher {
  readonly #hash: Hash;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  update(view: Uint8Array): void {
    this.#hash.update(view);
  }

  digest(): Uint8Array {
    return this.#hash.digest();
  }
}

class Crc32Hasher implements Hasher {
  #value = 0;
  #ended = false;

  update(view: Uint8Array): void {
    assert(!this.#ended, "Crc32Hasher: used after its digest");
    this.#value = crc32(view, this.#value);
  }

  digest(): Uint8Array {
    assert(!this.#ended, "Crc32Hasher: used after its digest");
    this.#ended = true;
    const digest = new Uint8Array(4);
    new DataView(digest.buffer).setUint32(0, this.#value);
    return digest;
  }
}

/** A WebAssembly hash that works for one hasher at a time and parks the state of the others. */
class Engine {
  readonly hasher: IHasher;
  readonly #initialState: Uint8Array;
  #owner: EngineHasher | undefined;

  constructor(hasher: IHasher) {
    this.hasher = hasher;
    hasher.init();
    this.#initialState = hasher.save();
  }

  /** Makes `next` the owner; the state of the owner before goes back to it. */
  take(next: EngineHasher, state: Uint8Array | undefined): void {
    if (this.#owner === next) return;
    this.#owner?.park(this.hasher.save());
    this.hasher.load(state ?? this.#initialState);
    this.#owner = next;
  }

  /** Ends the owner's hash. */
  digest(): Uint8Array {
    const digest = this.hasher.digest("binary");
    // A digest leaves the engine without a state to save; the next owner loads its own.
    this.#owner = undefined;
    return digest;
  }
}

class EngineHasher implements Hasher {
  readonly #engine: Engine;
  #parked: Uint8Array | undefined;
  #ended = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  park(state: Uint8Array): void {
    this.#parked = state;
  }

  update(view: Uint8Array): void {
    assert(!this.#ended, "EngineHasher: used after its digest");
    this.#engine.take(this, this.#parked);
    this.#engine.hasher.update(view);
  }

  digest(): Uint8Array {
    assert(!this.#ended, "EngineHasher: used after its digest");
    this.#engine.take(this, this.#parked);
    this.#ended = true;
    return this.#engine.digest();
  }
}

/** Hashes of node:crypto, by its names; the others are quick, or share an engine. */
const CRYPTO_NAMES: ReadonlyMap<HashName, string> = new Map([
  ["MD5", "md5"],
  ["SHA1", "sha1"],
  ["SHA256", "sha256"],
  ["SHA512", "sha512"],
]);

/**
 * Several hashes over one stream of bytes. A stream that is expected to be long is hashed in the
 * background where the factory can: then `update` may return a promise to wait for, `finish` must
 * be awaited before `digest`, and `abandon` be called in the end.
 */
export class HasherSet {
  readonly #factory: ChecksumFactory;
  readonly #names: readonly HashName[];
  readonly #bytesExpected: number;
  readonly #hashers = new Map<HashName, Hasher>();
  readonly #digests = new Map<HashName, Uint8Array>();
  #background: { readonly hash: BackgroundHash; readonly names: readonly HashName[] } | undefined;
  #isStarted = false;

  /** Names given twice are computed once. `bytesExpected` 0: unknown, all is hashed here. */
  constructor(factory: ChecksumFactory, names: readonly HashName[], bytesExpected = 0) {
    this.#factory = factory;
    this.#names = [...new Set(names)];
    this.#bytesExpected = bytesExpected;
  }

  /** `view` is borrowed until the promise resolves, if there is one. */
  update(view: Uint8Array): Promise<void> | undefined {
    this.#start();
    for (const hasher of this.#hashers.values()) hasher.update(view);
    return this.#background?.hash.update(view);
  }

  /** After the last update. Throws StoreError "internal" where the background failed. */
  async finish(): Promise<void> {
    if (this.#background === undefined) return;
    const { hash, names } = this.#background;
    const digests = await hash.digests();
    for (const [at, name] of names.entries()) {
      this.#digests.set(name, present(digests[at], `digest of ${name}`));
    }
  }

  /** Lets go of what runs in the background; harmless after `finish`. */
  abandon(): void {
    this.#background?.hash.abandon();
  }

  /** Digest of one of the names; may be asked again. No update may follow. */
  digest(name: HashName): Uint8Array {
    this.#start();
    const known = this.#digests.get(name);
    if (known !== undefined) return known;
    const digest = present(this.#hashers.get(name), `hasher of ${name}`).digest();
    this.#digests.set(name, digest);
    return digest;
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { background } = this.#factory;
    const moved = this.#names.filter((name) => CRYPTO_NAMES.has(name));
    const isWorth = background !== undefined && this.#bytesExpected >= background.bytesMin;
    if (isWorth && moved.length > 0) {
      const hash = background.open(moved.map((name) => CRYPTO_NAMES.get(name) ?? ""));
      if (hash !== undefined) this.#background = { hash, names: moved };
    }
    const elsewhere = new Set(this.#background?.names);
    for (const name of this.#names) {
      if (!elsewhere.has(name)) this.#hashers.set(name, this.#factory.create(name));
    }
  }
}
