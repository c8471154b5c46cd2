// The verifiers: each finds what it is there to find, asks again before it says so, and counts
// nothing that was deleted or is merely away.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { collectGarbage } from "../../../services/keeper/garbage/collect-garbage.ts";
import { freezeGarbage } from "../../../services/keeper/garbage/freeze.ts";
import { OrphanSweeper } from "../../../services/keeper/garbage/sweep-orphans.ts";
import type { HeldLease } from "../../../services/keeper/leases.ts";
import { DayCount } from "../../../services/keeper/verify/day-count.ts";
import { DoubtfulDisks, SECOND_LOOK_MS } from "../../../services/keeper/verify/doubtful-disks.ts";
import { ManifestAudit } from "../../../services/keeper/verify/manifest-audit.ts";
import { ReadBackTask } from "../../../services/keeper/verify/read-back-task.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import {
  isGood,
  type VersionFindings,
  verifyVersion,
} from "../../../services/lib/clients/verify/version-verifier.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Manifest, Version } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { eventually } from "../../support/eventually.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const BODY = seededBytes("body", 100 * 1024);
const MINUTE_MS = 60_000;

interface Stored {
  readonly version: Version;
  readonly manifest: Manifest;
}

async function open(context: TestContext): Promise<{ rig: Rig; bucket: BucketRecord }> {
  const rig = await Rig.open(context, 3);
  return { rig, bucket: await rig.bucket("one") };
}

async function stored(rig: Rig, bucket: BucketRecord, key: string): Promise<Stored> {
  const value = { bucketId: bucket.bucketId, key: utf8(key), withBody: true };
  const answer = await rig.query(rig.groupOf(bucket), { case: "getObject", value });
  return {
    version: present(answer.version, "version"),
    manifest: present(answer.manifests[0], "manifest"),
  };
}

/** Takes shards of an object's first chunk from their disks, behind everybody's back. */
async function lose(rig: Rig, { manifest }: Stored, indexes: readonly number[]): Promise<void> {
  const chunk = present(manifest.chunks[0], "chunk");
  for (const shardIndex of indexes) {
    const disk = present(rig.view.addressOf(chunk.diskIds[shardIndex] ?? 0), "disk");
    const name = { chunkId: chunk.chunkId, shardIndex };
    const item = { name, manifestId: manifest.manifestId, begunBeforeMs: 0n };
    assert.equal(await rig.shards.delete(disk, [item]), 1);
  }
}

class NoteLease implements HeldLease {
  note: Uint8Array = new Uint8Array(0);
  readonly grantedMs = 0;
  async write(note: Uint8Array): Promise<void> {
    this.note = note;
  }
}

async function repairs(rig: Rig, bucket: BucketRecord): Promise<number> {
  const kind = { case: "listRepairs", value: { limit: 10 } } as const;
  return (await rig.query(rig.groupOf(bucket), kind)).entries.length;
}

async function verify(
  rig: Rig,
  bucket: BucketRecord,
  { key = "one", deep = true }: { readonly key?: string; readonly deep?: boolean } = {},
): Promise<VersionFindings> {
  const { version } = await stored(rig, bucket, key);
  const { versionId } = version;
  const deps = { ...rig.deps, onDamage: () => undefined };
  const { bucketId } = bucket;
  const target = { groupId: rig.groupOf(bucket), bucketId, key: utf8(key), versionId };
  const found = await verifyVersion(deps, target, { deep, signal: NEVER });
  return present(found, "findings");
}

test("the audit finds a missing shard once, queues it, and is due again after its interval", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  await rig.putBody(bucket, "two", BODY);
  const lease = new NoteLease();
  const config = { ...rig.deps.config, verifyIntervalMs: 1_000_000 };
  const audit = new ManifestAudit(rig.with({ config }));
  await audit.round(NEVER, lease);
  assert.deepEqual([audit.report?.looked, audit.report?.problems], [6, 0]);
  await lose(rig, await stored(rig, bucket, "one"), [1]);
  await audit.round(NEVER, lease);
  assert.equal(audit.report?.problems, 0, "not due yet");
  rig.clock.shiftMs += 1_000_001;
  // Another keeper knows from the note when the last pass was, and what it found.
  const other = new ManifestAudit(rig.with({ config }));
  await other.round(NEVER, lease);
  assert.deepEqual([other.report?.looked, other.report?.problems], [6, 1]);
  assert.equal(await repairs(rig, bucket), 1);
});

test("a node that is away, or an object deleted meanwhile, is no problem", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  const seen = await stored(rig, bucket, "one");
  await lose(rig, seen, [0, 1]);
  let isDeleted = false;
  const metadata = {
    ...rig.deps.metadata,
    execute: rig.metadata.execute.bind(rig.metadata),
    query: async (groupId: number, kind: Parameters<Rig["query"]>[1]) => {
      if (kind.case === "getManifest" && !isDeleted) {
        isDeleted = true;
        const value = { bucketId: bucket.bucketId, targets: [{ key: utf8("one") }] };
        await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
      }
      return rig.query(groupId, kind);
    },
  } as KeeperDeps["metadata"];
  const audit = new ManifestAudit(rig.with({ metadata }));
  await audit.round(NEVER, new NoteLease());
  assert.ok(isDeleted);
  assert.equal(audit.report?.problems, 0);
  await rig.putBody(bucket, "two", BODY);
  await rig.stopNode("node-2");
  const again = new ManifestAudit(rig.deps);
  await again.round(NEVER, new NoteLease());
  assert.equal(again.report?.problems, 0);
  assert.equal(await repairs(rig, bucket), 0);
});

/** All that a node's index is made of goes; its segments stay. */
async function loseIndex(rig: Rig, name: string): Promise<void> {
  await rig.stopNode(name);
  const folder = rig.folderOf(name);
  for (const entry of await readdir(folder)) {
    if (entry.startsWith("index-")) await rm(join(folder, entry), { recursive: true });
  }
}

/** Flips a bit in every place of a node's segments that begins like `bytes`. */
async function rotHeaders(rig: Rig, name: string, bytes: Uint8Array): Promise<number> {
  const folder = join(rig.folderOf(name), "segments");
  let flips = 0;
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry);
    const content = await readFile(path);
    for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) {
      content[at] = (content[at] ?? 0) ^ 1;
      flips += 1;
    }
    await writeFile(path, content);
  }
  return flips;
}

test("a disk that left out records when its index was lost is audited at once, and twice", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  const doubts = new DoubtfulDisks(rig.deps);
  const find = (): number => rig.calls.filter((call) => call === "scanManifests").length;
  await doubts.round(NEVER);
  assert.equal(find(), 0, "nobody is in doubt");
  const { manifest } = await stored(rig, bucket, "one");
  const [chunk] = manifest.chunks;
  await loseIndex(rig, "node-2");
  // The chunk's id stands in the header of its record: it is not found any more.
  assert.ok((await rotHeaders(rig, "node-2", present(chunk, "chunk").chunkId)) > 0);
  await rig.startNode("node-2");
  await doubts.round(NEVER);
  assert.equal(await repairs(rig, bucket), 1);
  const looks = find();
  assert.ok(looks > 0);
  await doubts.round(NEVER);
  assert.equal(find(), looks, "the second look is not due");
  rig.clock.shiftMs += SECOND_LOOK_MS;
  await doubts.round(NEVER);
  assert.ok(find() > looks, "uploads under way at the first look are seen");
  const twice = find();
  rig.clock.shiftMs += SECOND_LOOK_MS;
  await doubts.round(NEVER);
  assert.equal(find(), twice, "the doubt is settled");
});

test("a doubt is not settled while a node is silent", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  await loseIndex(rig, "node-1");
  await rig.startNode("node-1");
  let isSilent = true;
  const stat = rig.shards.stat.bind(rig.shards);
  rig.shards.stat = async (...args) => {
    if (isSilent) throw new StoreError("unavailable", "no answer");
    return stat(...args);
  };
  const doubts = new DoubtfulDisks(rig.deps);
  for (let round = 0; round < 3; round += 1) {
    await doubts.round(NEVER);
    rig.clock.shiftMs += SECOND_LOOK_MS;
  }
  const node = present(
    rig.view.map().nodes.find(({ name }) => name === "node-1"),
    "node-1",
  );
  const disk = present(rig.view.addressOf(node.disks[0]?.diskId ?? 0), "disk");
  assert.notEqual(await rig.shards.doubt(disk), 0n);
  isSilent = false;
  await doubts.round(NEVER);
  assert.notEqual(await rig.shards.doubt(disk), 0n, "one look is not enough");
  rig.clock.shiftMs += SECOND_LOOK_MS;
  await doubts.round(NEVER);
  assert.equal(await rig.shards.doubt(disk), 0n);
});

test("silent disks do not keep the others from being asked for doubts", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  await loseIndex(rig, "node-3");
  await rig.startNode("node-3");
  const silence = Promise.withResolvers<void>();
  const doubt = rig.shards.doubt.bind(rig.shards);
  const { nodes } = rig.view.map();
  const doubtful = nodes.find(({ name }) => name === "node-3")?.disks[0]?.diskId;
  const silent = nodes.length - 1;
  let asked = 0;
  rig.shards.doubt = async (disk, settledMs) => {
    if (disk.diskId === doubtful) return doubt(disk, settledMs);
    asked += 1;
    await silence.promise;
    throw new StoreError("timeout", "no answer");
  };
  const round = new DoubtfulDisks(rig.deps).round(NEVER);
  // Asked one after the other, the second would wait for the first.
  await eventually("all are asked", 60_000, async () => asked === silent || undefined).finally(() =>
    silence.resolve(),
  );
  await round;
  assert.ok(rig.calls.includes("scanManifests"), "the disk in doubt is compared all the same");
});

test("a version is verified: good, with a shard missing, and lost", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  const good = await verify(rig, bucket);
  assert.ok(isGood(good));
  assert.deepEqual([good.shards, good.body, good.compared], [3, "good", "md5"]);
  const { version, manifest } = await stored(rig, bucket, "one");
  await lose(rig, { version, manifest }, [2]);
  const damaged = await verify(rig, bucket, { deep: false });
  assert.ok(!isGood(damaged));
  assert.deepEqual(
    [damaged.readable, damaged.body, damaged.chunksQueuedForRepair],
    [true, "not read", 1],
  );
  assert.deepEqual(
    damaged.problems.map(({ shardIndex, condition }) => [shardIndex, condition]),
    [[2, "missing"]],
  );
  assert.equal((await verify(rig, bucket)).body, "good", "it can be read from the others");
  await lose(rig, { version, manifest }, [0]);
  const lost = await verify(rig, bucket);
  assert.deepEqual([lost.readable, lost.body], [false, "unreadable"]);
  await rig.put(bucket, "small");
  const { versionId } = present(
    (
      await rig.query(rig.groupOf(bucket), {
        case: "getObject",
        value: { bucketId: bucket.bucketId, key: utf8("small") },
      })
    ).version,
    "version",
  );
  const target = { groupId: rig.groupOf(bucket), bucketId: bucket.bucketId, key: utf8("small") };
  const deps = { ...rig.deps, onDamage: () => undefined };
  const options = { deep: true, signal: NEVER };
  const inline = await verifyVersion(deps, { ...target, versionId }, options);
  assert.equal(inline?.body, "inline");
  const gone = await verifyVersion(deps, { ...target, key: utf8("never"), versionId }, options);
  assert.equal(gone, undefined);
});

test("what was written a minute ago is read back; other bytes than were written are found", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  const reader = (etag?: string): ReadBackTask => {
    const query = async (groupId: number, kind: Parameters<Rig["query"]>[1]) => {
      const answer = await rig.query(groupId, kind);
      const isWrong = kind.case === "getObject" && etag !== undefined && "version" in answer;
      if (isWrong && answer.version !== undefined) Object.assign(answer.version, { etag });
      return answer;
    };
    const metadata = { ...rig.deps.metadata, query } as KeeperDeps["metadata"];
    const config = { ...rig.deps.config, verifyReadBackMs: MINUTE_MS };
    const deps = rig.with({ metadata, config, random: createRandom() });
    return new ReadBackTask(deps, new BucketCatalog(deps));
  };
  const early = reader();
  await early.round(NEVER);
  assert.equal(early.report, undefined, "too young");
  rig.clock.shiftMs += MINUTE_MS + 30_000;
  const task = reader();
  await task.round(NEVER);
  assert.deepEqual([task.report?.looked, task.report?.problems], [1, 0]);
  const wrong = reader("f".repeat(32));
  await wrong.round(NEVER);
  assert.deepEqual([wrong.report?.looked, wrong.report?.problems], [1, 1]);
  await lose(rig, await stored(rig, bucket, "one"), [0, 2]);
  const unreadable = reader();
  await unreadable.round(NEVER);
  assert.deepEqual([unreadable.report?.looked, unreadable.report?.problems], [1, 1]);
  rig.clock.shiftMs += 10 * MINUTE_MS;
  const late = reader();
  await late.round(NEVER);
  assert.equal(late.report, undefined, "past that age");
});

test("while garbage is frozen nothing goes, and orphans are counted", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "one", BODY);
  const value = { bucketId: bucket.bucketId, targets: [{ key: utf8("one") }] };
  await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
  await rig.deps.writer.write({
    bucketId: bucket.bucketId,
    key: utf8("orphan"),
    policy: "standard",
    size: BODY.byteLength,
    source: (async function* () {
      yield BODY;
    })(),
  });
  const config = { ...rig.deps.config, orphanGraceMs: 1000, orphanQuarantineMs: 0 };
  const deps = rig.with({ config });
  const sweeper = new OrphanSweeper(deps);
  rig.clock.shiftMs += 10_000;
  // The fence stands past the orphan, which was not looked at a first time.
  const fence = { fenceMs: BigInt(rig.clock.wallMs() - 1000) };
  for (const groupId of rig.view.indexGroups()) {
    await rig.execute(groupId, { case: "advanceFence", value: fence });
  }
  await freezeGarbage(deps, "a test");
  assert.equal(await collectGarbage(deps, rig.groupOf(bucket), NEVER), 0);
  for (let pass = 0; pass < 3; pass += 1) assert.equal(await sweeper.sweep(NEVER), 0);
  assert.deepEqual([sweeper.report?.looked, sweeper.report?.problems], [3, 3]);
  assert.equal(await rig.shardCount(), 6);
  await rig.execute(1, { case: "setGarbageFreeze", value: { frozen: false, reason: "" } });
  assert.equal(await collectGarbage(deps, rig.groupOf(bucket), NEVER), 3);
  assert.equal(await sweeper.sweep(NEVER), 0, "the quarantine begins at the release");
  assert.equal(await sweeper.sweep(NEVER), 3);
});

test("garbage that a live manifest names stops all garbage collection", async (t) => {
  const { rig, bucket } = await open(t);
  await rig.putBody(bucket, "alive", BODY);
  await rig.putBody(bucket, "gone", BODY);
  const { manifest } = await stored(rig, bucket, "alive");
  const value = { bucketId: bucket.bucketId, targets: [{ key: utf8("gone") }] };
  await rig.execute(rig.groupOf(bucket), { case: "deleteObjects", value });
  const chunk = present(manifest.chunks[0], "chunk");
  const wrong = {
    sequence: 1n,
    freedMs: 1n,
    bucketId: bucket.bucketId,
    key: utf8("alive"),
    manifestId: manifest.manifestId,
    shards: chunk.diskIds.map((diskId, shardIndex) => ({
      chunkId: chunk.chunkId,
      shardIndex,
      diskId,
    })),
    begunBeforeMs: 0n,
  };
  const query = async (groupId: number, kind: Parameters<Rig["query"]>[1]) => {
    const answer = await rig.query(groupId, kind);
    const isFirst = kind.case === "listGarbage" && kind.value.afterSequence === 0n;
    if (isFirst && "entries" in answer)
      Object.assign(answer, { entries: [wrong, ...answer.entries] });
    return answer;
  };
  const metadata = {
    query,
    execute: rig.metadata.execute.bind(rig.metadata),
  } as KeeperDeps["metadata"];
  rig.clock.shiftMs += 10;
  const trash = new DayCount(rig.clock);
  const deps = { ...rig.with({ metadata }), trash };
  assert.equal(await collectGarbage(deps, rig.groupOf(bucket), NEVER), 0);
  assert.equal(await rig.shardCount(), 6);
  assert.match(rig.view.garbageFreeze()?.reason ?? "", /named by a manifest/);
  assert.equal(trash.report?.problems, 1);
  assert.equal(await collectGarbage(rig.deps, rig.groupOf(bucket), NEVER), 0);
  assert.deepEqual(await rig.get(bucket, "alive"), Buffer.from(BODY));
});

test("a count shows this day and the last one", async (t) => {
  const rig = await Rig.open(t);
  const count = new DayCount(rig.clock);
  const shown = () => [count.report?.looked, count.report?.problems];
  assert.deepEqual(shown(), [undefined, undefined]);
  count.add({ looked: 2, problems: 1 });
  rig.clock.shiftMs += 86_400_000;
  count.add({ looked: 3, problems: 0 });
  assert.deepEqual(shown(), [5, 1]);
  rig.clock.shiftMs += 86_400_000;
  count.add({ looked: 1, problems: 0 });
  assert.deepEqual(shown(), [4, 0]);
});
