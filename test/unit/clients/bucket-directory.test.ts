// The cache of buckets: who asks together asks once, nobody gets what is older than promised, and
// an invalidated name is asked for anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { deferred } from "../../../services/lib/base/bounded.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { BucketDirectory } from "../../../services/lib/clients/bucket-directory.ts";
import type { MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import {
  type BucketRecord,
  BucketRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { SimClock } from "../../sim/clock.ts";

function rig() {
  const clock = new SimClock();
  const questions: ReturnType<typeof deferred<{ bucket: BucketRecord | undefined }>>[] = [];
  const query = () => {
    const question = deferred<{ bucket: BucketRecord | undefined }>();
    questions.push(question);
    return question.promise;
  };
  // Only queries are asked.
  const metadata = { query } as unknown as MetadataClient;
  const answer = (at: number, bucketId: number): void => {
    const bucket = create(BucketRecordSchema, { bucketId, name: "photos" });
    questions[at]?.resolve({ bucket });
  };
  return { clock, questions, answer, directory: new BucketDirectory(metadata, clock) };
}

test("a hundred requests for a bucket that is not cached are one question", async () => {
  const { directory, questions, answer } = rig();
  const asked = Array.from({ length: 100 }, () => directory.get("photos"));
  void directory.get("other");
  assert.equal(questions.length, 2);
  answer(0, 7);
  const found = await Promise.all(asked);
  assert.ok(found.every((bucket) => bucket?.bucketId === 7));
  assert.equal(directory.known("photos")?.bucketId, 7);
  await directory.get("photos");
  assert.equal(questions.length, 2);
});

test("what is two seconds old is asked for again, and is not known meanwhile", async () => {
  const { directory, questions, answer, clock } = rig();
  const first = directory.get("photos");
  answer(0, 7);
  await first;
  await clock.run(clock.monotonicMs() + 2001);
  assert.equal(directory.known("photos"), undefined);
  const second = directory.get("photos");
  assert.equal(questions.length, 2);
  answer(1, 8);
  assert.equal((await second)?.bucketId, 8);
});

test("nobody joins a question that is slow, or one from before an invalidation", async () => {
  const { directory, questions, answer, clock } = rig();
  const slow = directory.get("photos");
  await clock.run(clock.monotonicMs() + 500);
  const other = directory.get("photos");
  assert.equal(questions.length, 2);
  directory.invalidate("photos");
  const last = directory.get("photos");
  assert.equal(questions.length, 3);
  for (const at of [0, 1, 2]) answer(at, at);
  const ids = (await Promise.all([slow, other, last])).map((bucket) => bucket?.bucketId);
  assert.deepEqual(ids, [0, 1, 2]);
});

test("a question that fails fails all who joined it, and the next one asks anew", async () => {
  const { directory, questions, answer } = rig();
  const asked = [directory.get("photos"), directory.get("photos")];
  questions[0]?.reject(new StoreError("unavailable", "nobody answers"));
  for (const one of asked) await assert.rejects(one, { code: "unavailable" });
  const again = directory.get("photos");
  assert.equal(questions.length, 2);
  answer(1, 9);
  assert.equal((await again)?.bucketId, 9);
});

test("an abort of the first caller does not end the question of the others", async () => {
  const { directory, answer } = rig();
  const controller = new AbortController();
  const first = directory.get("photos", { signal: controller.signal });
  const second = directory.get("photos");
  controller.abort();
  answer(0, 7);
  assert.equal((await second)?.bucketId, 7);
  assert.equal((await first)?.bucketId, 7);
});
