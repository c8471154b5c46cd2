// A locked version outlives all background work: repair, moves to another class, lifecycle rules,
// garbage and orphans, attempts to remove its bucket, what replication says of it and lays over it.
// After each of them its bytes, its id and its lock are what they were, and nobody may remove it.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import { collectGarbage } from "../../../services/keeper/garbage/collect-garbage.ts";
import { OrphanSweeper } from "../../../services/keeper/garbage/sweep-orphans.ts";
import { LifecycleTask } from "../../../services/keeper/lifecycle/lifecycle-task.ts";
import { LostDiskSearch } from "../../../services/keeper/repair/lost-disk-search.ts";
import { RepairQueue } from "../../../services/keeper/repair/repair-queue.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import {
  type BucketRecord,
  DiskState,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  type Manifest,
  ObjectLock_Mode,
  Replication_Status,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const DAY_MS = 86_400_000;
const BODY = seededBytes("locked", 150_000);
const KEY = utf8("a");
const EXPIRING =
  "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix></Prefix></Filter>" +
  "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration>" +
  "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays>" +
  "<StorageClass>COLD</StorageClass></NoncurrentVersionTransition>" +
  "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>" +
  "</NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";

const LOCKS = [
  { what: "compliance", mode: ObjectLock_Mode.COMPLIANCE, hold: false },
  { what: "governance", mode: ObjectLock_Mode.GOVERNANCE, hold: false },
  { what: "a legal hold", mode: undefined, hold: true },
] as const;

interface World {
  readonly rig: Rig;
  readonly bucket: BucketRecord;
  readonly groupId: number;
  readonly locked: Version;
}

/** Four nodes; a locked version under a free one, in a bucket whose rule wants both gone. */
async function open(t: TestContext, lock: (typeof LOCKS)[number]): Promise<World> {
  const rig = await Rig.open(t, 4);
  const made = await rig.bucket("kept", { lifecycle: EXPIRING });
  const bucket = await rig.change(made, { versioning: Versioning.ENABLED, objectLock: true });
  const groupId = rig.groupOf(bucket);
  await rig.putBody(bucket, "a", BODY);
  const retainUntilMs = BigInt(rig.clock.wallMs() + 100 * DAY_MS);
  const change = lock.hold
    ? { case: "legalHold" as const, value: { on: true } }
    : { case: "retention" as const, value: { mode: lock.mode, retainUntilMs } };
  const value = { bucketId: bucket.bucketId, key: KEY, change };
  await rig.execute(groupId, { case: "changeVersion", value });
  const found = await rig.query(groupId, {
    case: "getObject",
    value: { bucketId: bucket.bucketId, key: KEY, withBody: true },
  });
  await rig.putBody(bucket, "a", seededBytes("over it", 60_000));
  return { rig, bucket, groupId, locked: present(found.version, "version") };
}

async function look(
  world: World,
): Promise<{ readonly version: Version; readonly manifest: Manifest }> {
  const { rig, bucket, groupId, locked } = world;
  const { versionId } = locked;
  const value = { bucketId: bucket.bucketId, key: KEY, versionId, withBody: true };
  const { version, manifests } = await rig.query(groupId, { case: "getObject", value });
  return {
    version: present(version, "the locked version"),
    manifest: present(manifests[0], "manifest"),
  };
}

/** The version is there, as it was, whole, and stays where somebody asks for its removal. */
async function assertKept(world: World, after: string): Promise<void> {
  const { rig, bucket, groupId, locked } = world;
  const { version, manifest } = await look(world);
  for (const field of ["versionId", "modifiedMs", "etag", "size", "lock"] as const) {
    assert.deepEqual(version[field], locked[field], `${field} after ${after}`);
  }
  const { bucketId } = bucket;
  const pieces: Uint8Array[] = [];
  const lastByte = BODY.byteLength - 1;
  const manifests = [{ manifest, offset: 0 }];
  const read = rig.deps.reader.read({ bucketId, manifests, firstByte: 0, lastByte });
  for await (const piece of read) pieces.push(new Uint8Array(piece));
  assert.ok(Buffer.concat(pieces).equals(Buffer.from(BODY)), `bytes after ${after}`);
  const { versionId } = locked;
  for (const lifecycle of [false, true]) {
    const value = { bucketId, lifecycle, targets: [{ key: KEY, versionId }] };
    const reply = await rig.execute(groupId, { case: "deleteObjects", value });
    assert.equal(reply.kind.case, "deleteObjects");
    if (reply.kind.case !== "deleteObjects") return;
    assert.equal(reply.kind.value.results[0]?.outcome, Outcome.LOCKED, `removal after ${after}`);
  }
}

async function repair({ rig, groupId }: World): Promise<void> {
  rig.clock.shiftMs += 10;
  await new LostDiskSearch(rig.deps).round(groupId, NEVER);
  await new RepairQueue(rig.deps).work([groupId], NEVER);
}

async function loseDiskOf(world: World): Promise<void> {
  const { rig } = world;
  const { manifest } = await look(world);
  const lost = present(manifest.chunks[0]?.diskIds[0], "disk");
  const disks = [{ diskId: lost, state: DiskState.FAILED }];
  await rig.execute(1, { case: "setStates", value: { disks } });
  await rig.view.refresh();
  await repair(world);
  const after = (await look(world)).manifest.chunks[0]?.diskIds;
  assert.ok(after !== undefined && !after.includes(lost), "the shard lies elsewhere");
}

async function lifecycle({ rig }: World): Promise<void> {
  const deps = rig.with({ storageClasses: { COLD: "mirrored" } });
  const note = new Uint8Array(0);
  const lease = { note, grantedMs: rig.clock.wallMs(), write: async () => undefined };
  await new LifecycleTask(deps, new BucketCatalog(deps)).round(NEVER, lease);
}

async function clean({ rig, groupId }: World): Promise<void> {
  const config = { ...rig.deps.config, orphanGraceMs: 60_000, orphanQuarantineMs: 30_000 };
  rig.clock.shiftMs += 1;
  await collectGarbage(rig.deps, groupId, NEVER);
  const sweeper = new OrphanSweeper(rig.with({ config }));
  for (let round = 0; round < 3; round += 1) {
    rig.clock.shiftMs += DAY_MS;
    await sweeper.sweep(NEVER);
  }
  await collectGarbage(rig.deps, groupId, NEVER);
}

async function refuseBucketRemoval({ rig, bucket, groupId }: World): Promise<void> {
  const kind = { case: "sealBucket", value: { bucketId: bucket.bucketId } } as const;
  await assert.rejects(rig.execute(groupId, kind), /sealBucket/);
}

/** All that replication says of the version, and a delete marker of another bucket over it. */
async function replicate({ rig, bucket, groupId, locked }: World): Promise<void> {
  const { bucketId } = bucket;
  const { versionId } = locked;
  const { PENDING, COMPLETED, FAILED } = Replication_Status;
  for (const status of [PENDING, COMPLETED, PENDING, FAILED]) {
    const told = { bucket: "arn:aws:s3:::copies", status, versionId: "" };
    const change = { case: "replicated", value: told } as const;
    const value = { bucketId, key: KEY, versionId, change };
    await rig.execute(groupId, { case: "changeVersion", value });
  }
  const targets = [{ key: KEY, replica: true }];
  await rig.execute(groupId, { case: "deleteObjects", value: { bucketId, targets } });
}

for (const lock of LOCKS) {
  test(`a version under ${lock.what} outlives all background work`, async (t) => {
    const world = await open(t, lock);
    const { rig } = world;
    await assertKept(world, "nothing");
    await loseDiskOf(world);
    await assertKept(world, "a lost disk and its repair");
    await clean(world);
    await assertKept(world, "garbage and orphans");
    rig.clock.shiftMs += 9 * DAY_MS;
    await lifecycle(world);
    assert.equal((await look(world)).version.storageClass, "COLD");
    await assertKept(world, "a move to another class");
    rig.clock.shiftMs += 9 * DAY_MS;
    await lifecycle(world);
    await clean(world);
    await assertKept(world, "rules that want it gone");
    assert.equal(await rig.get(world.bucket, "a"), undefined, "what lay over it has gone");
    await refuseBucketRemoval(world);
    await assertKept(world, "a removal of its bucket");
    await replicate(world);
    await assertKept(world, "marks of replication");
    await loseDiskOf(world);
    await clean(world);
    await assertKept(world, "a second lost disk");
    await refuseBucketRemoval(world);
  });
}
