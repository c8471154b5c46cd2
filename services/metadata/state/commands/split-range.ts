// SplitRange: cuts a range of a bucket in two. Both halves stay in the group, so no key changes
// hands, and a gateway that routes by the former map asks the right group: nothing is fenced and
// no write waits.

import { create } from "@bufbuild/protobuf";
import { compareBytes, equalBytes } from "../../../lib/base/bytes.ts";
import { RANGES_BYTES_MAX, RANGES_MAX } from "../../../lib/base/limits.ts";
import {
  BucketRecordSchema,
  type RangeRecord,
  RangeRecordSchema,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type Reply,
  type SplitRange,
  SplitRangeReplySchema,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { bucketNameKey } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function splitRange(view: StateWriter, command: SplitRange): Reply {
  const { name, bucketId, at, rangeEpoch } = command;
  const key = bucketNameKey(name);
  const bucket = readRecord(view, BucketRecordSchema, key);
  if (bucket === undefined || bucket.bucketId !== bucketId) {
    return refused(Outcome.NO_SUCH_BUCKET, `there is no bucket ${name} with id ${bucketId}`);
  }
  const isCut = bucket.ranges.some(({ start }) => equalBytes(start, at));
  if (!isCut) {
    const place = bucket.ranges.findLastIndex(({ start }) => compareBytes(start, at) < 0);
    const range = bucket.ranges[place];
    if (range === undefined) return refused(Outcome.CONFLICT, "no range holds the key");
    if (rangeEpoch !== 0n && range.epoch !== rangeEpoch) {
      return refused(Outcome.CONFLICT, `the range is of epoch ${range.epoch}`);
    }
    bucket.ranges.splice(place, 1, ...halvesOf(range, at, nextEpoch(bucket.ranges)));
    if (bucket.ranges.length > RANGES_MAX || rangesBytes(bucket.ranges) > RANGES_BYTES_MAX) {
      return refused(Outcome.CONFLICT, "the bucket has as many ranges as it may have");
    }
    putRecord(view, BucketRecordSchema, { key, record: bucket });
  }
  const value = create(SplitRangeReplySchema, { bucket });
  return accepted({ case: "splitRange", value });
}

function halvesOf({ start, end, groupId }: RangeRecord, at: Uint8Array, epoch: bigint) {
  return [
    create(RangeRecordSchema, { start, end: at, groupId, epoch }),
    create(RangeRecordSchema, { start: at, end, groupId, epoch }),
  ];
}

function nextEpoch(ranges: readonly RangeRecord[]): bigint {
  let last = 0n;
  for (const { epoch } of ranges) if (epoch > last) last = epoch;
  return last + 1n;
}

function rangesBytes(ranges: readonly RangeRecord[]): number {
  return ranges.reduce((sum, { start, end }) => sum + start.byteLength + end.byteLength, 0);
}
