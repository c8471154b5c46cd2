// ListBuckets: buckets of an owner, or of all, in order of name.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import { compareBytes, fromUtf8, utf8 } from "../../../lib/base/bytes.ts";
import {
  type ListBucketsAnswer,
  ListBucketsAnswerSchema,
  type ListBucketsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  type BucketRecord,
  BucketRecordSchema,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { settingsBytes } from "../bucket-settings.ts";
import {
  bucketNameKey,
  type KeyRange,
  ownedBucketKey,
  ownedBucketPrefix,
  prefixRange,
} from "../keys.ts";
import { readRecord, type StateReader } from "../records.ts";
import { MESSAGE_BYTES } from "./query-limits.ts";

const BUCKETS_MAX = 1000;
/** Of a record besides its settings, generously. */
const BUCKET_BYTES = 512;

export async function listBuckets(
  reader: StateReader,
  query: ListBucketsQuery,
): Promise<ListBucketsAnswer> {
  const limit = Math.min(query.limit, BUCKETS_MAX);
  const range = limit === 0 ? undefined : rangeOf(query);
  if (range === undefined) return create(ListBucketsAnswerSchema);
  const entries = await reader.scan(range, limit + 1);
  const nameOffset = query.owner === "" ? 1 : ownedBucketPrefix(query.owner).byteLength;
  const buckets: BucketRecord[] = [];
  let bytes = 0;
  for (const [key] of entries.slice(0, limit)) {
    const name = present(fromUtf8(key.subarray(nameOffset)), "a bucket's name");
    const bucket = readRecord(reader, BucketRecordSchema, bucketNameKey(name));
    buckets.push(present(bucket, "bucket record"));
    bytes += BUCKET_BYTES + settingsBytes(buckets.at(-1)?.settings ?? []);
    if (bytes > MESSAGE_BYTES) break;
  }
  return create(ListBucketsAnswerSchema, { buckets, truncated: entries.length > buckets.length });
}

function rangeOf({ owner, prefix, afterName }: ListBucketsQuery): KeyRange | undefined {
  const keyOf = (name: string): Uint8Array =>
    owner === "" ? bucketNameKey(name) : ownedBucketKey(owner, name);
  const whole = prefixRange(keyOf(prefix));
  if (afterName === "" || compareBytes(utf8(afterName), utf8(prefix)) < 0) return whole;
  const from = Buffer.concat([keyOf(afterName), Uint8Array.of(0)]);
  const isPast = whole.to !== undefined && compareBytes(from, whole.to) >= 0;
  return isPast ? undefined : { ...whole, from };
}
