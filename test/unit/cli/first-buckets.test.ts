// DOLIUM_BUCKETS and MinIO's variable: names that are taken, and what is refused before anything
// starts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../services/cli/command-line.ts";
import { firstBuckets } from "../../../services/cli/first-buckets.ts";

test("buckets are named with commas, each counts once, and blanks do not matter", () => {
  assert.deepEqual(firstBuckets({}), { buckets: [], notice: undefined });
  assert.deepEqual(firstBuckets({ DOLIUM_BUCKETS: "" }).buckets, []);
  const { buckets, notice } = firstBuckets({ DOLIUM_BUCKETS: " photos, logs.2026,,photos," });
  assert.deepEqual(buckets, [{ name: "photos" }, { name: "logs.2026" }]);
  assert.equal(notice, undefined);
});

test("MinIO's variable is taken with a notice, ours goes before it", () => {
  const MINIO_DEFAULT_BUCKETS = "photos:download; logs , open:public";
  const { buckets, notice } = firstBuckets({ MINIO_DEFAULT_BUCKETS });
  assert.deepEqual(buckets, [
    { name: "photos", access: "download" },
    { name: "logs" },
    { name: "open", access: "public" },
  ]);
  assert.match(notice ?? "", /MINIO_DEFAULT_BUCKETS .* DOLIUM_BUCKETS/);
  const both = firstBuckets({ MINIO_DEFAULT_BUCKETS, DOLIUM_BUCKETS: "mine" });
  assert.deepEqual(both, { buckets: [{ name: "mine" }], notice: undefined });
});

test("names that no bucket may have are refused in a sentence", () => {
  const refused = (variables: Record<string, string>, about: RegExp): void => {
    assert.throws(
      () => firstBuckets(variables),
      (error) => error instanceof UsageError && about.test(error.message),
      JSON.stringify(variables),
    );
  };
  refused({ DOLIUM_BUCKETS: "ok-bucket,No_Bucket" }, /DOLIUM_BUCKETS names "No_Bucket"/);
  refused({ DOLIUM_BUCKETS: "192.168.0.1" }, /192\.168\.0\.1/);
  refused({ DOLIUM_BUCKETS: "photos:public" }, /names and commas only/);
  refused({ MINIO_DEFAULT_BUCKETS: "photos:everything" }, /"everything" is none of/);
  refused({ MINIO_DEFAULT_BUCKETS: ":public" }, /names ""/);
});
