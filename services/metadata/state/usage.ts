// What a group has of each bucket, kept exact: a batch of commands changes it in memory, and the
// batch's write carries it. A bucket of which the group has nothing has no record, so that the
// records depend on the state alone and not on how it came about.
import { create } from "@bufbuild/protobuf";
import { assert } from "../../lib/base/assert.ts";
import { type BucketUsage, BucketUsageSchema } from "../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { Part, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { usageKey } from "./keys.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";

/** What is added; negative: taken away. */
export interface UsageChange {
  readonly objects?: number;
  readonly versions?: number;
  readonly bytes?: bigint;
  readonly uploadBytes?: bigint;
}

export function readUsage(reader: StateReader, bucketId: number): BucketUsage {
  return readRecord(reader, BucketUsageSchema, usageKey(bucketId)) ?? create(BucketUsageSchema);
}

/** Changes `usage`. */
export function addUsage(usage: BucketUsage, change: UsageChange): void {
  usage.objects += BigInt(change.objects ?? 0);
  usage.versions += BigInt(change.versions ?? 0);
  usage.bytes += change.bytes ?? 0n;
  usage.uploadBytes += change.uploadBytes ?? 0n;
}

export function isNothing(usage: BucketUsage): boolean {
  const { objects, versions, bytes, uploadBytes } = usage;
  return objects === 0n && versions === 0n && bytes === 0n && uploadBytes === 0n;
}

/** 1 for a current version that clients see, 0 for a delete marker or nothing. */
export function objectCount(head: Version | undefined): number {
  return head === undefined || head.deleteMarker ? 0 : 1;
}

export function partBytes(parts: readonly Part[]): bigint {
  return parts.reduce((sum, { size }) => sum + size, 0n);
}

/** The usage of buckets while a batch is applied. */
export class UsageLedger {
  readonly #reader: StateReader;
  readonly #usage = new Map<number, BucketUsage>();
  readonly #changed = new Set<number>();

  constructor(reader: StateReader) {
    this.#reader = reader;
  }

  of(bucketId: number): Readonly<BucketUsage> {
    return this.#known(bucketId);
  }

  add(bucketId: number, change: UsageChange): void {
    const usage = this.#known(bucketId);
    addUsage(usage, change);
    this.#changed.add(bucketId);
  }

  /** Writes what changed since the last time. */
  write(writer: StateWriter): void {
    for (const bucketId of this.#changed) {
      const record = this.#known(bucketId);
      const { objects, versions, bytes, uploadBytes } = record;
      assert(objects >= 0n && versions >= objects, `usage of bucket ${bucketId}: objects`);
      assert(bytes >= 0n && uploadBytes >= 0n, `usage of bucket ${bucketId}: bytes below zero`);
      const key = usageKey(bucketId);
      if (isNothing(record)) writer.delete(key);
      else putRecord(writer, BucketUsageSchema, { key, record });
    }
    this.#changed.clear();
  }

  #known(bucketId: number): BucketUsage {
    const known = this.#usage.get(bucketId);
    if (known !== undefined) return known;
    const usage = readUsage(this.#reader, bucketId);
    this.#usage.set(bucketId, usage);
    return usage;
  }
}
