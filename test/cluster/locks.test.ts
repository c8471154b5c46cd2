// Object lock and versions while storage nodes, the metadata leader and the keeper are killed -9
// under load: a locked version outlives deletes, overwrites, lifecycle rules, moves to another
// storage class and the garbage; what was acknowledged is all there, in order.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectLegalHoldCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { LocalCluster } from "../support/local-cluster.ts";
import { seededBytes, sha256Hex } from "../support/seeded-bytes.ts";
import { leaderOf } from "../support/status.ts";

const TIMEOUT_MS = 180_000;
const HOUR_MS = 3_600_000;
const LANES = 3;
/** Of each lane after each version: what is broken meanwhile takes seconds. */
const PAUSE_MS = 100;
const SIZES = [500, 60_000, 700_000];
const POLICY = { failureDomain: "node", cellBytes: 131_072 };
let cluster: LocalCluster;

/** An acknowledged version. */
interface Written {
  readonly Key: string;
  readonly VersionId: string;
  readonly sha256: string;
  readonly isLocked: boolean;
}

const LOCKS: readonly (() => Partial<PutObjectCommandInput>)[] = [
  () => ({ ObjectLockMode: "GOVERNANCE", ObjectLockRetainUntilDate: inAnHour() }),
  () => ({}),
  () => ({ ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: inAnHour() }),
  () => ({}),
  () => ({ ObjectLockLegalHoldStatus: "ON" }),
];

function inAnHour(): Date {
  return new Date(Date.now() + HOUR_MS);
}

/** Lanes that write versions of a few keys, each key by one lane, one version after another. */
class Writers {
  readonly written: Written[] = [];
  /** Removals of locked versions that were answered with success. */
  readonly removed: Written[] = [];
  refusals = 0;
  readonly #bucket: string;
  readonly #locks: boolean;
  readonly #running: Promise<void>[];
  #isOver = false;

  constructor(bucket: string, locks: boolean) {
    this.#bucket = bucket;
    this.#locks = locks;
    this.#running = Array.from({ length: LANES }, (_, lane) => this.#lane(lane));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async grown(by: number): Promise<void> {
    const wanted = this.written.length + by;
    await eventually("writes go on", TIMEOUT_MS, async () =>
      this.written.length >= wanted ? true : undefined,
    );
  }

  async #lane(lane: number): Promise<void> {
    const s3 = cluster.s3(lane % 2, 6);
    for (let number = 0; !this.#isOver; number += 1) {
      const Key = `lane-${lane}/key-${number % 2}`;
      const locked = await this.#write(s3, Key, number);
      if (locked !== undefined) await this.#attack(s3, locked, number);
      await setTimeout(PAUSE_MS);
    }
  }

  /** The version, where it is locked and was acknowledged. */
  async #write(s3: S3Client, Key: string, number: number): Promise<Written | undefined> {
    const lock = this.#locks ? (LOCKS[number % LOCKS.length]?.() ?? {}) : {};
    const seed = `${this.#bucket}/${Key}/${number}`;
    const Body = seededBytes(seed, SIZES[number % SIZES.length] ?? 0);
    try {
      const input = { Bucket: this.#bucket, Key, Body, ...lock };
      const { VersionId = "" } = await s3.send(new PutObjectCommand(input));
      const isLocked = Object.keys(lock).length > 0;
      const written = { Key, VersionId, sha256: sha256Hex(Body), isLocked };
      this.written.push(written);
      return isLocked ? written : undefined;
    } catch {
      // Not acknowledged: it may be there or not.
      return undefined;
    }
  }

  /** Tries to be rid of a locked version, by its id and by a marker over it. */
  async #attack(s3: S3Client, target: Written, number: number): Promise<void> {
    const { Key, VersionId } = target;
    try {
      await s3.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key, VersionId }));
      this.removed.push(target);
    } catch (error) {
      if (error instanceof Error && error.name === "AccessDenied") this.refusals += 1;
    }
    if (number % 4 !== 0) return;
    try {
      await s3.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key }));
    } catch {
      // A marker that was not acknowledged may be there or not; nothing asks for it.
    }
  }
}

async function versionsOf(Bucket: string): Promise<ObjectVersion[]> {
  const found: ObjectVersion[] = [];
  const s3 = cluster.s3(0, 6);
  let markers = {};
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, ...markers }));
    found.push(...(page.Versions ?? []));
    if (page.IsTruncated !== true) return found;
    markers = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

async function assertReadable(Bucket: string, written: readonly Written[]): Promise<void> {
  const s3 = cluster.s3(1, 6);
  for (const { Key, VersionId, sha256 } of written) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array(0);
    assert.equal(sha256Hex(bytes), sha256, `${Key} ${VersionId}`);
  }
}

/** Newest first, as they are listed; what was not acknowledged may stand between. */
function assertOrder(listed: readonly ObjectVersion[], written: readonly Written[]): void {
  for (const key of new Set(written.map(({ Key }) => Key))) {
    const wanted = written.filter(({ Key }) => Key === key).map(({ VersionId }) => VersionId);
    const known = new Set(wanted);
    const found = listed
      .filter(({ Key, VersionId = "" }) => Key === key && known.has(VersionId))
      .map(({ VersionId }) => VersionId);
    assert.deepEqual(found, wanted.toReversed(), key);
  }
}

async function killAndWait(names: readonly string[]): Promise<void> {
  const pids = names.map((name) => cluster.process(name).pid);
  await Promise.all(names.map((name) => cluster.kill(name)));
  await Promise.all(names.map((name, at) => cluster.restarted(name, pids[at] ?? 0, TIMEOUT_MS)));
}

before(async () => {
  cluster = await LocalCluster.start({
    environment: {
      DOLIUM_CLUSTER__POLICIES: JSON.stringify([
        { name: "standard", dataShards: 4, parityShards: 2, ...POLICY },
        { name: "mirrored", dataShards: 1, parityShards: 2, ...POLICY },
      ]),
      DOLIUM_S3__STORAGE_CLASSES: JSON.stringify({ COLD: "mirrored" }),
      DOLIUM_LIFECYCLE__DAY_SECONDS: "2",
      DOLIUM_LIFECYCLE__INTERVAL_MS: "300",
      DOLIUM_KEEPER__INTERVAL_MS: "200",
      DOLIUM_KEEPER__GARBAGE_DELAY_MS: "0",
      DOLIUM_KEEPER__LEASE_MS: "1000",
    },
  });
});

after(async () => {
  await cluster?.stop();
});

test("locked versions and the order of all outlive kills, rules and garbage", async () => {
  const s3 = cluster.s3(0, 6);
  await s3.send(new CreateBucketCommand({ Bucket: "locked", ObjectLockEnabledForBucket: true }));
  await s3.send(new CreateBucketCommand({ Bucket: "kept" }));
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket: "kept", VersioningConfiguration }));
  const Rules = [
    {
      ID: "old",
      Status: "Enabled" as const,
      Filter: { Prefix: "" },
      Expiration: { ExpiredObjectDeleteMarker: true },
      // Storage classes of the settings are names that the SDK does not know.
      NoncurrentVersionTransitions: [{ NoncurrentDays: 0, StorageClass: "COLD" as "GLACIER_IR" }],
      NoncurrentVersionExpiration: { NoncurrentDays: 2 },
    },
  ];
  const LifecycleConfiguration = { Rules };
  await s3.send(
    new PutBucketLifecycleConfigurationCommand({ Bucket: "locked", LifecycleConfiguration }),
  );
  const locked = new Writers("locked", true);
  const kept = new Writers("kept", false);
  try {
    await locked.grown(10);
    await killAndWait(["storage-2", "storage-5", await leaderOf(cluster, 2)]);
    await locked.grown(10);
    await killAndWait([await leaderOf(cluster, 3), "keeper"]);
    await Promise.all([locked.grown(10), kept.grown(10)]);
  } finally {
    await Promise.all([locked.stop(), kept.stop()]);
  }
  assert.deepEqual(locked.removed, [], "a locked version was deleted");
  assert.ok(locked.refusals > 0);
  await assertReadable("kept", kept.written);
  assertOrder(await versionsOf("kept"), kept.written);
  const held = locked.written.filter(({ isLocked }) => isLocked);
  const ids = new Set(held.map(({ VersionId }) => VersionId));
  // Every free version that is not current goes; what is locked and not current moves.
  const left = await eventually("rules have done their work", TIMEOUT_MS, async () => {
    const versions = await versionsOf("locked");
    const free = versions.filter(
      ({ VersionId = "", IsLatest }) => !ids.has(VersionId) && !IsLatest,
    );
    const known = locked.written.filter(({ VersionId }) =>
      free.some((version) => version.VersionId === VersionId),
    );
    if (known.length > 0) throw new Error(`${known.length} free versions are left`);
    const unmoved = versions.filter(
      ({ VersionId = "", IsLatest, StorageClass }) =>
        ids.has(VersionId) && !IsLatest && `${StorageClass}` !== "COLD",
    );
    if (unmoved.length > 0) throw new Error(`${unmoved.length} have not moved`);
    return versions;
  });
  assertOrder(left, held);
  await assertReadable("locked", held);
});

test("a legal hold that ends lets its version go; a governed one stays until bypassed", async () => {
  const s3 = cluster.s3(0, 6);
  const Bucket = "locked";
  const put = (more: Partial<PutObjectCommandInput>) =>
    s3.send(
      new PutObjectCommand({ Bucket, Key: "freed", Body: seededBytes("a", 90_000), ...more }),
    );
  const { VersionId: held } = await put({ ObjectLockLegalHoldStatus: "ON" });
  const governance = {
    ObjectLockMode: "GOVERNANCE",
    ObjectLockRetainUntilDate: inAnHour(),
  } as const;
  const { VersionId: governed } = await put(governance);
  await put({});
  const target = { Bucket, Key: "freed", VersionId: held };
  const LegalHold = { Status: "OFF" } as const;
  await s3.send(new PutObjectLegalHoldCommand({ ...target, LegalHold }));
  await eventually("the freed version expires", TIMEOUT_MS, async () => {
    try {
      await s3.send(new HeadObjectCommand(target));
      return undefined;
    } catch (error) {
      return error instanceof Error && error.name === "NotFound" ? true : undefined;
    }
  });
  const guarded = { Bucket, Key: "freed", VersionId: governed };
  await s3.send(new HeadObjectCommand(guarded));
  await assert.rejects(s3.send(new DeleteObjectCommand(guarded)), { name: "AccessDenied" });
  await s3.send(new DeleteObjectCommand({ ...guarded, BypassGovernanceRetention: true }));
  await assert.rejects(s3.send(new HeadObjectCommand(guarded)), { name: "NotFound" });
});
