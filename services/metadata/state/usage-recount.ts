// Usage of buckets counted anew, for stores that an earlier release wrote or sent: what they hold
// is counted once, the records are put right, and the digest with them. A store that kept its usage
// all along is not touched.
import { create, toBinary } from "@bufbuild/protobuf";
import { equalBytes } from "../../lib/base/bytes.ts";
import { type BucketUsage, BucketUsageSchema } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import { PartSchema, VersionSchema } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { Kv, KvEntry, KvOperation } from "../../lib/ports/kv.ts";
import { decodeChecked, encodeChecked } from "./checked-value.ts";
import { Digest } from "./digest.ts";
import { bucketOfKey, TABLE, tableRange, usageKey } from "./keys.ts";
import { decodeRecord } from "./records.ts";
import { markOperation, readMark } from "./replica-mark.ts";
import { addUsage, isNothing, objectCount } from "./usage.ts";

const PAGE = 512;
const COUNTED_TABLES = [TABLE.head, TABLE.version, TABLE.part, TABLE.usage] as const;

/** Counts entries as they pass; knows then which usage records are wrong. */
export class UsageCount {
  readonly #counted = new Map<number, BucketUsage>();
  /** Stored usage records by bucket. */
  readonly #stored = new Map<number, Uint8Array>();

  /** `stored`: a value in its stored form, whose checksum was verified. */
  add([key, stored]: KvEntry): void {
    switch (key[0]) {
      case TABLE.head: {
        const version = decodeRecord(VersionSchema, decodeChecked(key, stored));
        const { size: bytes } = version;
        addUsage(this.#of(key), { objects: objectCount(version), versions: 1, bytes });
        return;
      }
      case TABLE.version: {
        const { size: bytes } = decodeRecord(VersionSchema, decodeChecked(key, stored));
        addUsage(this.#of(key), { versions: 1, bytes });
        return;
      }
      case TABLE.part: {
        const { size: uploadBytes } = decodeRecord(PartSchema, decodeChecked(key, stored));
        addUsage(this.#of(key), { uploadBytes });
        return;
      }
      case TABLE.usage:
        this.#stored.set(bucketOfKey(key), Uint8Array.from(stored));
        return;
      default:
    }
  }

  /** What puts the usage records right; `digest` is changed with them. */
  corrections(digest: Digest): KvOperation[] {
    const operations: KvOperation[] = [];
    const buckets = new Set([...this.#counted.keys(), ...this.#stored.keys()]);
    for (const bucketId of buckets) {
      const key = usageKey(bucketId);
      const usage = this.#counted.get(bucketId);
      const former = this.#stored.get(bucketId);
      const value =
        usage === undefined || isNothing(usage)
          ? undefined
          : encodeChecked(key, toBinary(BucketUsageSchema, usage));
      const isRight =
        value === undefined || former === undefined ? value === former : equalBytes(value, former);
      if (isRight) continue;
      if (former !== undefined) digest.subtract(key, former);
      if (value !== undefined) digest.add(key, value);
      operations.push(value === undefined ? { type: "delete", key } : { type: "put", key, value });
    }
    return operations;
  }

  #of(key: Uint8Array): BucketUsage {
    const bucketId = bucketOfKey(key);
    const known = this.#counted.get(bucketId);
    if (known !== undefined) return known;
    const usage = create(BucketUsageSchema);
    this.#counted.set(bucketId, usage);
    return usage;
  }
}

/**
 * Counts the store's usage, unless it was kept up to the index it stands at. Resolves when that is
 * power-safe. Throws "corrupt".
 */
export async function recountUsage(kv: Kv): Promise<void> {
  const mark = readMark(kv);
  if (mark.usageIndex === mark.index) return;
  const count = new UsageCount();
  for (const table of COUNTED_TABLES) {
    const iterator = kv.iterate(tableRange(table));
    try {
      for (;;) {
        const page = await iterator.next(PAGE);
        if (page.length === 0) break;
        for (const entry of page) count.add(entry);
      }
    } finally {
      await iterator.close();
    }
  }
  const digest = new Digest(mark.digest);
  const operations = count.corrections(digest);
  // The digest as of the last mark was one without these records: no other replica's equals it.
  const unmarked = { markedIndex: 0n, markedDigest: new Uint8Array(0) };
  const counted = { ...mark, ...(operations.length === 0 ? {} : unmarked) };
  const next = { ...counted, usageIndex: mark.index, digest: digest.bytes() };
  await kv.write([...operations, markOperation(next)], { sync: true });
}
