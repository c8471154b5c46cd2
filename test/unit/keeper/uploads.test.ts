// Uploads that nobody touches are aborted; what is alive, and what cannot be aborted now, stays.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { abortStaleUploads } from "../../../services/keeper/uploads/abort-stale-uploads.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { newManifestId } from "../../../services/lib/clients/body-writer.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { NEVER, Rig } from "./rig.ts";

const STALE_MS = 604_800_000;

async function open(context: TestContext): Promise<{ rig: Rig; bucket: BucketRecord }> {
  const rig = await Rig.open(context);
  return { rig, bucket: await rig.bucket("one") };
}

async function begin(rig: Rig, bucket: BucketRecord, key: string): Promise<void> {
  const uploadId = newManifestId(rig.clock.wallMs(), rig.deps.random);
  const upload = { uploadId, bucketId: bucket.bucketId, key: utf8(key) };
  await rig.execute(rig.groupOf(bucket), { case: "createUpload", value: { upload } });
}

async function openUploads(rig: Rig, bucket: BucketRecord): Promise<string[]> {
  const value = { bucketId: bucket.bucketId, limit: 1000 };
  const { uploads } = await rig.query(rig.groupOf(bucket), { case: "listUploads", value });
  return uploads.map(({ key }) => Buffer.from(key).toString());
}

test("only what was not touched for the whole time is aborted", async (t) => {
  const { rig, bucket } = await open(t);
  for (const key of ["old-1", "old-2", "old-3"]) await begin(rig, bucket, key);
  rig.clock.shiftMs += STALE_MS / 2;
  await begin(rig, bucket, "young");
  const groupId = rig.groupOf(bucket);
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 0, failed: 0 });
  rig.clock.shiftMs += STALE_MS / 2 + 1;
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 3, failed: 0 });
  assert.deepEqual(await openUploads(rig, bucket), ["young"]);
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 0, failed: 0 });
});

test("an abort that fails is tried again, as often as the setting says", async (t) => {
  const { rig, bucket } = await open(t);
  await begin(rig, bucket, "old");
  rig.clock.shiftMs += STALE_MS + 1;
  let failures = 3;
  rig.fault = (call) => {
    if (call !== "abortUpload" || failures === 0) return;
    failures -= 1;
    throw new StoreError("denied", "not now");
  };
  const groupId = rig.groupOf(bucket);
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 1, failed: 0 });
});

test("past the retries an upload stays for a later round, and others do not wait for it", async (t) => {
  const { rig, bucket } = await open(t);
  for (const key of ["a", "b"]) await begin(rig, bucket, key);
  rig.clock.shiftMs += STALE_MS + 1;
  let calls = 0;
  rig.fault = (call) => {
    if (call !== "abortUpload") return;
    calls += 1;
    if (calls <= 4) throw new StoreError("denied", "not now");
  };
  const groupId = rig.groupOf(bucket);
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 1, failed: 1 });
  assert.deepEqual(await openUploads(rig, bucket), ["a"]);
  assert.deepEqual(await abortStaleUploads(rig.deps, groupId, NEVER), { aborted: 1, failed: 0 });
});

test("aborts run side by side up to the width, one by default", async (t) => {
  const { rig, bucket } = await open(t);
  for (let number = 0; number < 6; number += 1) await begin(rig, bucket, `key-${number}`);
  rig.clock.shiftMs += STALE_MS + 1;
  for (const width of [1, 3]) {
    let running = 0;
    let most = 0;
    const { metadata } = rig;
    const counting = {
      query: metadata.query.bind(metadata),
      execute: async (): Promise<never> => {
        running += 1;
        most = Math.max(most, running);
        await rig.clock.sleep(1);
        running -= 1;
        throw new StoreError("denied", "only counted");
      },
    } as typeof rig.deps.metadata;
    const config = { ...rig.deps.config, staleUploadWidth: width, staleUploadRetries: 0 };
    const deps = rig.with({ metadata: counting, config });
    const round = await abortStaleUploads(deps, rig.groupOf(bucket), NEVER);
    assert.deepEqual([most, round.failed], [width, 6]);
  }
});
