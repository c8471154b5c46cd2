// Quotas of buckets as they are kept, and what index groups are told of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { BucketRecordSchema } from "../../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { bucketStateOf, isPlainBucket } from "../../../../services/lib/s3/settings/bucket-state.ts";
import { parseQuota } from "../../../../services/lib/s3/settings/quota.ts";

const bucketWith = (text: string | undefined) => {
  const document = Buffer.from(text ?? "");
  const settings = text === undefined ? [] : [{ name: "quota", document }];
  return create(BucketRecordSchema, { name: "books", revision: 3n, settings });
};

test("a quota has bytes, objects, both or none", () => {
  const parse = (text: string) => parseQuota(Buffer.from(text));
  assert.deepEqual(parse('{"bytes":5,"objects":7}'), { bytes: 5, objects: 7 });
  assert.deepEqual(parse('{"bytes":0}'), { bytes: 0 });
  assert.deepEqual(parse("{}"), {});
});

test("what is no quota is refused", () => {
  const bad = [
    ...["", "null", "[]", "5", "{", '{"bytes":-1}', '{"bytes":1.5}', '{"bytes":"5"}'],
    ...[
      '{"bytes":9007199254740992}',
      '{"bytes":null}',
      '{"size":5}',
      `{"bytes":1${" ".repeat(300)}}`,
    ],
  ];
  for (const text of bad) {
    assert.throws(() => parseQuota(Buffer.from(text)), { code: "InvalidArgument" }, text);
  }
  assert.throws(() => parseQuota(Uint8Array.of(0xff)), { code: "InvalidArgument" });
});

test("index groups are told of a quota, and of its end", () => {
  const bounded = bucketWith('{"bytes":5}');
  const { quotaBytes, quotaObjects } = bucketStateOf(bounded);
  assert.deepEqual([quotaBytes, quotaObjects], [5n, 0n]);
  assert.equal(isPlainBucket(bounded), false);
  assert.equal(isPlainBucket(bucketWith(undefined)), true);
  assert.equal(bucketStateOf(bucketWith(undefined)).quotaBytes ?? 0n, 0n);
  assert.throws(() => bucketStateOf(bucketWith("{")), { code: "InvalidArgument" });
});
