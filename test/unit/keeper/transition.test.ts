// Transitions between storage classes: bytes go to where the policy of the class wants them, and
// nothing else of a version changes; what cannot be moved stays whole and readable where it was.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BucketCatalog } from "../../../services/keeper/buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { LifecycleTask } from "../../../services/keeper/lifecycle/lifecycle-task.ts";
import { transitionVersion } from "../../../services/keeper/lifecycle/transition.ts";
import { present } from "../../../services/lib/base/assert.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { newManifestId } from "../../../services/lib/clients/body-writer.ts";
import {
  type BucketRecord,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type Manifest,
  ObjectLock_Mode,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { seededBytes } from "../../support/seeded-bytes.ts";
import { NEVER, Rig } from "./rig.ts";

const DAY_MS = 86_400_000;
const STORAGE_CLASSES = { COLD: "mirrored", AWAY: "nowhere" };
const BODY = seededBytes("transition", 100_000);

const rule = (id: string, elements: string): string =>
  `<Rule><ID>${id}</ID><Filter><Prefix>${id}</Prefix></Filter><Status>Enabled</Status>${elements}</Rule>`;
const documentOf = (...rules: readonly string[]): string =>
  `<LifecycleConfiguration>${rules.join("")}</LifecycleConfiguration>`;
const after = (days: number, storageClass = "COLD"): string =>
  `<Transition><Days>${days}</Days><StorageClass>${storageClass}</StorageClass></Transition>`;
const TO_COLD = documentOf(rule("", after(1)));

async function pass(rig: Rig, changes: Partial<KeeperDeps> = {}): Promise<void> {
  const deps = rig.with({ storageClasses: STORAGE_CLASSES, ...changes });
  const lease = {
    note: new Uint8Array(0),
    grantedMs: rig.clock.wallMs(),
    write: async () => undefined,
  };
  await new LifecycleTask(deps, new BucketCatalog(deps)).round(NEVER, lease);
}

function counted(rig: Rig, name: string): number {
  return rig.metrics.values.get(name) ?? 0;
}

const TRANSITIONS = 'lifecycle_actions_total{action="transition"}';

interface Seen {
  readonly version: Version;
  readonly manifests: readonly Manifest[];
}

async function look(rig: Rig, bucket: BucketRecord, key: string): Promise<Seen> {
  const value = { bucketId: bucket.bucketId, key: utf8(key), withBody: true };
  const answer = await rig.query(rig.groupOf(bucket), { case: "getObject", value });
  return { version: present(answer.version, "version"), manifests: answer.manifests };
}

async function garbageCount(rig: Rig, bucket: BucketRecord): Promise<number> {
  const value = { freedBeforeMs: BigInt(rig.clock.wallMs() + DAY_MS), limit: 100 };
  const { entries } = await rig.query(rig.groupOf(bucket), { case: "listGarbage", value });
  return entries.length;
}

async function opened(t: TestContext): Promise<Rig> {
  return Rig.open(t, 3);
}

test("a body moves to the policy of its class when it is due, and only then", async (t) => {
  const rig = await opened(t);
  const bucket = await rig.bucket("one", { lifecycle: TO_COLD });
  await rig.putBody(bucket, "a", BODY);
  await pass(rig);
  const before = await look(rig, bucket, "a");
  assert.equal(before.version.storageClass, "");
  rig.clock.shiftMs += 2 * DAY_MS;
  await pass(rig);
  const { version, manifests } = await look(rig, bucket, "a");
  const { storageClass, body } = version;
  assert.equal(storageClass, "COLD");
  assert.deepEqual(version, { ...before.version, storageClass, body });
  assert.deepEqual(
    manifests.map(({ policy }) => policy),
    ["mirrored"],
  );
  assert.deepEqual(await rig.get(bucket, "a"), Buffer.from(BODY));
  assert.equal(await garbageCount(rig, bucket), 1);
  assert.equal(counted(rig, TRANSITIONS), 1);
  assert.equal(counted(rig, "lifecycle_moved_bytes_total"), BODY.byteLength);
  await pass(rig);
  assert.equal(counted(rig, TRANSITIONS), 1, "what is there already is not moved again");
});

test("small bodies and classes without a policy change the class alone", async (t) => {
  const rig = await opened(t);
  const rules = documentOf(rule("small", after(1)), rule("same", after(1, "STANDARD_IA")));
  const bucket = await rig.bucket("one", { lifecycle: rules });
  await rig.put(bucket, "small");
  await rig.putBody(bucket, "same", BODY);
  const before = await look(rig, bucket, "same");
  rig.clock.shiftMs += 2 * DAY_MS;
  await pass(rig);
  assert.equal((await look(rig, bucket, "small")).version.storageClass, "COLD");
  assert.deepEqual(await rig.get(bucket, "small"), Buffer.from("x"));
  const same = await look(rig, bucket, "same");
  assert.equal(same.version.storageClass, "STANDARD_IA");
  assert.deepEqual(same.manifests, before.manifests);
  assert.equal(counted(rig, "lifecycle_moved_bytes_total"), 0);
});

test("noncurrent and locked versions move; the current one stays", async (t) => {
  const rig = await opened(t);
  const noncurrent =
    "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays>" +
    "<StorageClass>COLD</StorageClass></NoncurrentVersionTransition>";
  const made = await rig.bucket("kept", { lifecycle: documentOf(rule("", noncurrent)) });
  const bucket = await rig.change(made, { versioning: Versioning.ENABLED, objectLock: true });
  await rig.putBody(bucket, "a", BODY);
  const { version: locked } = await look(rig, bucket, "a");
  const retainUntilMs = BigInt(rig.clock.wallMs() + 100 * DAY_MS);
  const change = {
    case: "retention" as const,
    value: { mode: ObjectLock_Mode.COMPLIANCE, retainUntilMs },
  };
  const value = { bucketId: bucket.bucketId, key: utf8("a"), change };
  await rig.execute(rig.groupOf(bucket), { case: "changeVersion", value });
  await rig.putBody(bucket, "a", BODY.subarray(1));
  rig.clock.shiftMs += 3 * DAY_MS;
  await pass(rig);
  assert.equal((await look(rig, bucket, "a")).version.storageClass, "");
  const query = { bucketId: bucket.bucketId, key: utf8("a"), versionId: locked.versionId };
  const { version } = await rig.query(rig.groupOf(bucket), { case: "getObject", value: query });
  assert.equal(version?.storageClass, "COLD");
  assert.equal(version?.lock?.mode, ObjectLock_Mode.COMPLIANCE);
  assert.equal(counted(rig, TRANSITIONS), 1);
});

test("a locked version moves even where it is due to go", async (t) => {
  const rig = await opened(t);
  const noncurrent =
    "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays>" +
    "<StorageClass>COLD</StorageClass></NoncurrentVersionTransition>" +
    "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration>";
  const made = await rig.bucket("kept", { lifecycle: documentOf(rule("", noncurrent)) });
  const bucket = await rig.change(made, { versioning: Versioning.ENABLED, objectLock: true });
  const groupId = rig.groupOf(bucket);
  const { bucketId } = bucket;
  const key = utf8("a");
  await rig.putBody(bucket, "a", BODY);
  const { version: locked } = await look(rig, bucket, "a");
  const change = { case: "legalHold" as const, value: { on: true } };
  await rig.execute(groupId, { case: "changeVersion", value: { bucketId, key, change } });
  await rig.putBody(bucket, "a", BODY);
  await rig.putBody(bucket, "a", BODY);
  rig.clock.shiftMs += 9 * DAY_MS;
  await pass(rig);
  const query = { bucketId, key, versionId: locked.versionId };
  const { version } = await rig.query(groupId, { case: "getObject", value: query });
  assert.equal(version?.storageClass, "COLD");
  assert.equal(counted(rig, 'lifecycle_actions_total{action="remove-version"}'), 1);
  assert.equal(counted(rig, 'lifecycle_kept_total{reason="locked"}'), 1);
});

test("a body in parts moves whole, and goes on after it was cut off in the middle", async (t) => {
  const rig = await opened(t);
  const bucket = await rig.bucket("one");
  const { bucketId } = bucket;
  const groupId = rig.groupOf(bucket);
  const key = utf8("parts");
  const uploadId = newManifestId(rig.clock.wallMs(), rig.deps.random);
  await rig.execute(groupId, {
    case: "createUpload",
    value: { upload: { uploadId, bucketId, key } },
  });
  const parts = [];
  for (const partNumber of [1, 2, 3]) {
    const body = seededBytes(`part ${partNumber}`, 5000);
    const source = (async function* () {
      yield body;
    })();
    const request = { bucketId, key, policy: "standard", size: body.byteLength, source };
    const manifest = await rig.deps.writer.write(request);
    const { manifestId, size } = manifest;
    const part = { partNumber, size, md5: new Uint8Array(16), manifestId };
    await rig.execute(groupId, {
      case: "putPart",
      value: { bucketId, key, uploadId, part, manifest },
    });
    parts.push(part);
  }
  const version = { size: 15_000n, etag: "e-3" };
  const complete = { bucketId, key, uploadId, version, parts };
  await rig.execute(groupId, { case: "completeUpload", value: complete });
  const { versionId } = (await look(rig, bucket, "parts")).version;
  const name = { groupId, bucketId, key, versionId };
  const move = { bucket, name, storageClass: "COLD", signal: NEVER };
  let writes = 0;
  const { writer } = rig.deps;
  const deps = rig.with({
    storageClasses: STORAGE_CLASSES,
    writer: {
      write: async (request) => {
        writes += 1;
        if (writes === 3) throw new Error("cut off");
        return writer.write(request);
      },
    },
  });
  await assert.rejects(transitionVersion(deps, move), /cut off/);
  const between = await look(rig, bucket, "parts");
  assert.equal(between.version.storageClass, "", "not before every part has moved");
  const done = await transitionVersion(deps, move);
  assert.equal(done.kind, "done");
  const { version: moved, manifests } = await look(rig, bucket, "parts");
  assert.equal(moved.storageClass, "COLD");
  assert.deepEqual(
    manifests.map(({ policy }) => policy),
    Array(3).fill("mirrored"),
  );
});

test("a version that was overwritten while it moved is left alone; the copy is garbage", async (t) => {
  const rig = await opened(t);
  const bucket = await rig.bucket("one", { lifecycle: TO_COLD });
  await rig.putBody(bucket, "a", BODY);
  rig.clock.shiftMs += 2 * DAY_MS;
  const { writer } = rig.deps;
  await pass(rig, {
    writer: {
      write: async (request) => {
        const manifest = await writer.write(request);
        await rig.putBody(bucket, "a", BODY.subarray(1));
        return manifest;
      },
    },
  });
  assert.equal(counted(rig, 'lifecycle_kept_total{reason="changed"}'), 1);
  assert.equal(counted(rig, TRANSITIONS), 0);
  assert.equal((await look(rig, bucket, "a")).version.storageClass, "");
  assert.deepEqual(await rig.get(bucket, "a"), Buffer.from(BODY.subarray(1)));
  assert.equal(await garbageCount(rig, bucket), 2, "the former body and the copy");
});

test("a copy that reads back as something else is not used", async (t) => {
  const rig = await opened(t);
  const bucket = await rig.bucket("one", { lifecycle: TO_COLD });
  await rig.putBody(bucket, "a", BODY);
  rig.clock.shiftMs += 2 * DAY_MS;
  const { reader } = rig.deps;
  let reads = 0;
  await pass(rig, {
    reader: {
      read: async function* (request) {
        reads += 1;
        for await (const view of reader.read(request)) {
          yield reads === 2 ? new Uint8Array(view.byteLength) : view;
        }
      },
    },
  });
  assert.equal(reads, 2);
  assert.equal(counted(rig, "lifecycle_errors_total"), 1);
  assert.equal((await look(rig, bucket, "a")).version.storageClass, "");
  assert.deepEqual(await rig.get(bucket, "a"), Buffer.from(BODY));
});

test("classes that are unknown or cannot be placed fail alone", async (t) => {
  const rig = await opened(t);
  const rules = [rule("a", after(1, "AWAY")), rule("b", after(1, "LOST")), rule("c", after(1))];
  const bucket = await rig.bucket("one", { lifecycle: documentOf(...rules) });
  for (const key of ["a", "b", "c"]) await rig.putBody(bucket, key, BODY);
  rig.clock.shiftMs += 2 * DAY_MS;
  await pass(rig);
  const classes = [];
  for (const key of ["a", "b", "c"]) {
    classes.push((await look(rig, bucket, key)).version.storageClass);
  }
  assert.deepEqual(classes, ["", "", "COLD"]);
  assert.equal(counted(rig, "lifecycle_errors_total"), 2);
});

test("a transition keeps to its rate", async (t) => {
  const rig = await opened(t);
  const bucket = await rig.bucket("one", { lifecycle: TO_COLD });
  await rig.putBody(bucket, "a", BODY);
  rig.clock.shiftMs += 2 * DAY_MS;
  const lifecycle = { ...rig.deps.lifecycle, transitionBytesPerSecond: BODY.byteLength * 2 };
  const begunAt = rig.clock.monotonicMs();
  await pass(rig, { lifecycle });
  // Half a second to copy, and half to read back, but for the last view of each.
  assert.ok(rig.clock.monotonicMs() - begunAt > 500);
  assert.equal(counted(rig, TRANSITIONS), 1);
});
