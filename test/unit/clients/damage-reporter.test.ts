// Damage that readers meet reaches the repair queue of the group that owns the chunk, once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { DamageReporter } from "../../../services/lib/clients/damage-reporter.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { Rig } from "../keeper/rig.ts";

test("every index group is told, and the owner queues the chunk once", async (t) => {
  const rig = await Rig.open(t, 3);
  const bucket = await rig.bucket("one");
  const groupId = rig.groupOf(bucket);
  await rig.putBody(bucket, "a", seededBytes("a", 100_000));
  const { bucketId } = bucket;
  const key = utf8("a");
  const found = { bucketId, key, withBody: true };
  const { manifests } = await rig.query(groupId, { case: "getObject", value: found });
  const { manifestId, chunks } = present(manifests[0], "manifest");
  const { chunkId } = present(chunks[0], "chunk");
  const { metadata, view, clock, log } = rig;
  const reporter = new DamageReporter({ metadata, view, clock, log });
  t.after(() => reporter.close());
  const reason = new StoreError("corrupt", "a cell is wrong");
  const damage = { bucketId, key, manifestId, chunkId, shardIndex: 0, diskId: 1, reason };
  reporter.report(damage);
  reporter.report(damage);
  const queued = await eventually("it is queued", 60_000, async () => {
    const kind = { case: "listRepairs", value: { limit: 10 } } as const;
    const { entries } = await rig.query(groupId, kind);
    return entries.length > 0 ? entries : undefined;
  });
  assert.equal(queued.length, 1);
  assert.deepEqual([...(queued[0]?.chunkId ?? [])], [...chunkId]);
  const told = rig.calls.filter((call) => call === "enqueueRepairs");
  assert.equal(told.length, view.indexGroups().length);
  assert.deepEqual(view.indexGroups(), [2, 3]);
});
