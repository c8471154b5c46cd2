// ReplaceBody: the same bytes in other manifests under another class, by compare-and-swap; nothing
// else of the version changes, and shards end as garbage on whichever side lost. And what a version
// knows of its replicas.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  Encryption_Kind,
  type Manifest,
  ObjectLock_Mode,
  Replication_Status,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

const K = key("k");
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

let manifests = 0;

function newManifest(machine: Machine, disks: readonly number[], size = 1000): Manifest {
  manifests += 1;
  const id = manifestId(machine.nowMs, manifests);
  return manifestOf({ key: K, id, places: [disks], size });
}

async function put(machine: Machine, manifest: Manifest, more: object = {}): Promise<void> {
  const body = { case: "manifestId" as const, value: manifest.manifestId };
  const version = { size: manifest.size, etag: "e", storageClass: "STANDARD", body, ...more };
  const value = { bucketId: 1, key: K, version, manifest };
  assert.equal((await machine.execute({ case: "putObject", value })).outcome, Outcome.OK);
}

async function head(machine: Machine, versionId: Uint8Array = K.subarray(0, 0)): Promise<Version> {
  const value = { bucketId: 1, key: K, versionId, withBody: true };
  return present((await machine.query({ case: "getObject", value })).version, "version");
}

interface Swap {
  readonly former: Uint8Array;
  readonly manifest: Manifest;
}

function replace(
  machine: Machine,
  versionId: Uint8Array,
  swaps: readonly Swap[],
  storageClass = "COLD",
): Promise<Reply> {
  const value = {
    bucketId: 1,
    key: K,
    versionId,
    swaps: swaps.map(({ former, manifest }) => ({ formerManifestId: former, manifest })),
    storageClass,
    event: "LifecycleTransition",
  };
  return machine.execute({ case: "replaceBody", value });
}

/** Disks of the shards that wait to be deleted, by manifest. */
async function garbage(machine: Machine): Promise<Record<string, number[]>> {
  const value = { freedBeforeMs: BigInt(machine.nowMs + 10), limit: 100 };
  const { entries } = await machine.query({ case: "listGarbage", value });
  return Object.fromEntries(
    entries.map((entry) => [hex(entry.manifestId), entry.shards.map(({ diskId }) => diskId)]),
  );
}

const stats = (machine: Machine) => machine.query({ case: "groupStats", value: {} });

async function eventNames(machine: Machine): Promise<string[]> {
  const value = { afterSequence: 0n, limit: 100 };
  const { entries } = await machine.query({ case: "listOutbox", value });
  return entries.map(({ kind }) => (kind.case === "event" ? kind.value.name : ""));
}

test("a body moves and only its class changes; the old shards are garbage", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ versioning: Versioning.ENABLED, objectLock: true, events: true });
  const former = newManifest(machine, [1, 2, 3]);
  const lock = { mode: ObjectLock_Mode.COMPLIANCE, retainUntilMs: BigInt(machine.nowMs + 9999) };
  await put(machine, former, { lock, tags: [{ name: "t", value: "v" }], owner: "ann" });
  const before = await head(machine);
  const counted = await stats(machine);
  const manifest = newManifest(machine, [4, 5, 6]);
  const reply = await replace(machine, before.versionId, [{ former: former.manifestId, manifest }]);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  const after = await head(machine);
  const body = { case: "manifestId", value: manifest.manifestId };
  assert.deepEqual(after, { ...before, storageClass: "COLD", body: { ...before.body, ...body } });
  assert.deepEqual(await garbage(machine), { [hex(former.manifestId)]: [1, 2, 3] });
  const { bytes, versions } = await stats(machine);
  assert.deepEqual([bytes, versions], [counted.bytes, counted.versions]);
  assert.deepEqual(await eventNames(machine), ["LifecycleTransition"]);
  await machine.audit();
});

test("what lost the race is garbage, and the version stays as it is", async (t) => {
  const machine = await Machine.open(t);
  const first = newManifest(machine, [1, 2, 3]);
  await put(machine, first);
  const { versionId } = await head(machine);
  const swap = { former: first.manifestId, manifest: newManifest(machine, [4, 5, 6]) };
  assert.equal((await replace(machine, versionId, [swap])).outcome, Outcome.OK);
  const late = { former: first.manifestId, manifest: newManifest(machine, [7, 8, 9]) };
  assert.equal((await replace(machine, versionId, [late])).outcome, Outcome.CONFLICT);
  assert.deepEqual((await garbage(machine))[hex(late.manifest.manifestId)], [7, 8, 9]);
  const other = { former: swap.manifest.manifestId, manifest: newManifest(machine, [7, 0, 9], 7) };
  assert.equal((await replace(machine, versionId, [other])).outcome, Outcome.CONFLICT, "a size");
  await put(machine, newManifest(machine, [1, 2, 3]));
  const gone = { former: swap.manifest.manifestId, manifest: newManifest(machine, [7, 8, 9]) };
  assert.equal((await replace(machine, versionId, [gone])).outcome, Outcome.NO_SUCH_VERSION);
  assert.deepEqual((await garbage(machine))[hex(gone.manifest.manifestId)], [7, 8, 9]);
  assert.equal((await head(machine)).storageClass, "STANDARD");
  assert.equal((await stats(machine)).repairEntries, 0n, "nothing waits for what is not used");
  await machine.audit();
});

test("a body begun before the fence is refused, and left to the sweeper", async (t) => {
  const machine = await Machine.open(t);
  const former = newManifest(machine, [1, 2, 3]);
  await put(machine, former);
  const { versionId } = await head(machine);
  const manifest = newManifest(machine, [4, 5, 6]);
  machine.nowMs += 1000;
  const fence = { fenceMs: BigInt(machine.nowMs) };
  await machine.execute({ case: "advanceFence", value: fence });
  const reply = await replace(machine, versionId, [{ former: former.manifestId, manifest }]);
  assert.equal(reply.outcome, Outcome.FENCED);
  assert.deepEqual(await garbage(machine), {});
});

test("an inline body changes its class alone; it takes no manifest", async (t) => {
  const machine = await Machine.open(t);
  const body = { case: "inline" as const, value: key("abc") };
  const version = { size: 3n, etag: "e", storageClass: "STANDARD", body };
  await machine.execute({ case: "putObject", value: { bucketId: 1, key: K, version } });
  const before = await head(machine);
  const manifest = newManifest(machine, [1, 2, 3], 3);
  const wrong = await replace(machine, before.versionId, [{ former: idOf(1), manifest }]);
  assert.equal(wrong.outcome, Outcome.CONFLICT);
  assert.equal((await replace(machine, before.versionId, [])).outcome, Outcome.OK);
  assert.deepEqual(await head(machine), { ...before, storageClass: "COLD" });
});

test("parts move a few at a time; the class comes with the last; an older version too", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ versioning: Versioning.ENABLED });
  const uploadId = idOf(1, 5);
  const upload = { uploadId, bucketId: 1, key: K };
  await machine.execute({ case: "createUpload", value: { upload } });
  const parts = [1, 2, 3].map((partNumber) => {
    const manifest = newManifest(machine, [1, 2, 3]);
    const { manifestId: id, size } = manifest;
    return { manifest, part: { partNumber, size, md5: idOf(partNumber), manifestId: id } };
  });
  for (const { part, manifest } of parts) {
    const value = { bucketId: 1, key: K, uploadId, part, manifest };
    await machine.execute({ case: "putPart", value });
  }
  const version = { size: 3000n, etag: "e-3", storageClass: "STANDARD" };
  const complete = { bucketId: 1, key: K, uploadId, version, parts: parts.map(({ part }) => part) };
  await machine.execute({ case: "completeUpload", value: complete });
  const { versionId } = await head(machine);
  await put(machine, newManifest(machine, [1, 2, 3]));
  const swaps = parts.map(({ part }) => ({
    former: part.manifestId,
    manifest: newManifest(machine, [4, 5, 6]),
  }));
  assert.equal((await replace(machine, versionId, swaps.slice(0, 1), "")).outcome, Outcome.OK);
  assert.equal((await head(machine, versionId)).storageClass, "STANDARD");
  assert.equal((await replace(machine, versionId, swaps.slice(1))).outcome, Outcome.OK);
  const value = { bucketId: 1, key: K, versionId, withBody: true };
  const answer = await machine.query({ case: "getObject", value });
  assert.equal(answer.version?.storageClass, "COLD");
  const moved = swaps.map(({ manifest }) => hex(manifest.manifestId));
  assert.deepEqual(
    answer.partList?.parts.map((part) => hex(part.manifestId)),
    moved,
  );
  assert.deepEqual(
    answer.manifests.map((one) => hex(one.manifestId)),
    moved,
  );
  assert.deepEqual(
    answer.partList?.parts.map(({ md5 }) => hex(md5)),
    [1, 2, 3].map((n) => hex(idOf(n))),
  );
  assert.equal(Object.keys(await garbage(machine)).length, 3);
  assert.equal((await head(machine)).storageClass, "STANDARD", "the current version is another");
  await machine.audit();
});

test("malformed replacements are refused", async (t) => {
  const machine = await Machine.open(t);
  const former = newManifest(machine, [1, 2, 3]);
  await put(machine, former);
  const { versionId } = await head(machine);
  const manifest = newManifest(machine, [4, 5, 6]);
  const swap = { former: former.manifestId, manifest };
  for (const [id, swaps] of [
    [key("null"), [swap]],
    [versionId, [swap, swap]],
    [versionId, [{ ...swap, manifest: { ...manifest, key: key("other") } }]],
    [versionId, [swap, { former: idOf(1), manifest }]],
  ] as const) {
    assert.equal((await replace(machine, id, swaps)).outcome, Outcome.UNSPECIFIED);
  }
  assert.equal((await replace(machine, versionId, [swap])).outcome, Outcome.OK);
});

const rule = (destination: string, more: object = {}) => ({ destination, prefix: "k", ...more });
const { COMPLETED, FAILED, PENDING, REPLICA } = Replication_Status;

async function replicating(t: TestContext): Promise<Machine> {
  const machine = await Machine.open(t);
  const tags = [{ name: "t", value: "v" }];
  await machine.configure({
    versioning: Versioning.ENABLED,
    replication: [
      rule("one", { deleteMarkers: true }),
      rule("one", { tags }),
      rule("two", { tags }),
      rule("three", { prefix: "kk" }),
      rule("sealed", { kmsObjects: true, tags: [{ name: "none", value: "" }] }),
    ],
  });
  return machine;
}

async function told(machine: Machine) {
  const value = { afterSequence: 0n, limit: 100 };
  const { entries } = await machine.query({ case: "listOutbox", value });
  return entries.map(({ kind }) => {
    assert.ok(kind.case === "event");
    const { name, replica, replicateTo } = kind.value;
    return [name, replica, replicateTo.join()];
  });
}

const statuses = ({ replication }: Version): string[] => [
  `all ${replication?.status ?? "none"}`,
  ...(replication?.destinations ?? []).map(({ bucket, status }) => `${bucket} ${status}`),
];

test("a version waits for its destinations from the commit that wrote it", async (t) => {
  const machine = await replicating(t);
  const tags = [{ name: "t", value: "v" }];
  const body = { case: "inline" as const, value: key("x") };
  const write = async (name: string, more: object): Promise<string[]> => {
    const version = { size: 1n, etag: "e", body, ...more };
    const value = { bucketId: 1, key: key(name), version, event: "ObjectCreated:Put" };
    assert.equal((await machine.execute({ case: "putObject", value })).outcome, Outcome.OK);
    const query = { bucketId: 1, key: key(name) };
    const answer = await machine.query({ case: "getObject", value: query });
    return statuses(present(answer.version, "version"));
  };
  const pending = `all ${PENDING}`;
  assert.deepEqual(await write("k", {}), [pending, `one ${PENDING}`]);
  assert.deepEqual(await write("k", { tags }), [pending, `one ${PENDING}`, `two ${PENDING}`]);
  assert.deepEqual(await write("other", { tags }), ["all none"]);
  for (const kind of [Encryption_Kind.SSE_C, Encryption_Kind.SSE_KMS]) {
    assert.deepEqual(await write("k", { tags, encryption: { kind } }), ["all none"]);
  }
  const ours = { kind: Encryption_Kind.SSE_S3 };
  assert.deepEqual(await write("k", { encryption: ours }), [pending, `one ${PENDING}`]);
  const replica = { replication: { status: REPLICA } };
  assert.deepEqual(await write("k", { tags, ...replica }), [`all ${REPLICA}`], "no further");
  // Nobody is told of the others: the bucket has no notifications.
  assert.deepEqual(await told(machine), [
    ["ObjectCreated:Put", false, "one"],
    ["ObjectCreated:Put", false, "one,two"],
    ["ObjectCreated:Put", false, "one"],
  ]);
});

test("delete markers go where rules want them; those of the lifecycle and replicas do not", async (t) => {
  const machine = await replicating(t);
  const remove = async (more: object, lifecycle = false): Promise<string[]> => {
    const value = { bucketId: 1, targets: [{ key: K, ...more }], lifecycle };
    await machine.execute({ case: "deleteObjects", value });
    return statuses(await head(machine));
  };
  assert.deepEqual(await remove({}), [`all ${PENDING}`, `one ${PENDING}`]);
  assert.deepEqual(await remove({}, true), ["all none"]);
  assert.deepEqual(await remove({ replica: true }), [`all ${REPLICA}`]);
  assert.deepEqual(await told(machine), [["ObjectRemoved:DeleteMarkerCreated", false, "one"]]);
});

test("a version knows what became of it at each destination, a marker too", async (t) => {
  const machine = await replicating(t);
  await put(machine, newManifest(machine, [1, 2, 3]), { tags: [{ name: "t", value: "v" }] });
  const change = async (made: object, event = ""): Promise<Version> => {
    const value = { bucketId: 1, key: K, event, ...made };
    assert.equal((await machine.execute({ case: "changeVersion", value })).outcome, Outcome.OK);
    return head(machine);
  };
  const mark = (bucket: string, status: Replication_Status, event = "") => {
    const value = { bucket, status, versionId: "v" };
    return change({ change: { case: "replicated" as const, value } }, event);
  };
  assert.equal((await mark("one", COMPLETED)).replication?.status, PENDING);
  assert.equal((await mark("two", FAILED)).replication?.status, FAILED);
  assert.equal((await mark("two", COMPLETED)).replication?.status, COMPLETED);
  const { replication } = await mark("new", PENDING, "ReplicationBegun");
  assert.equal(replication?.status, PENDING);
  assert.equal(replication?.destinations[0]?.versionId, "v");
  const tags = { case: "tags" as const, value: { tags: [] } };
  await change({ change: tags }, "ObjectTagging:Put");
  await change({ change: { case: "acl" as const, value: {} } }, "ObjectAcl:Put");
  await machine.execute({ case: "deleteObjects", value: { bucketId: 1, targets: [{ key: K }] } });
  assert.equal((await mark("one", COMPLETED)).replication?.status, COMPLETED, "a delete marker");
  const replica = { bucketId: 1, targets: [{ key: K, replica: true }] };
  await machine.execute({ case: "deleteObjects", value: replica });
  assert.deepEqual(statuses(await mark("one", COMPLETED)), [`all ${REPLICA}`], "stays one");
  assert.deepEqual(await told(machine), [
    ["ReplicationBegun", false, "new"],
    ["ObjectTagging:Put", false, "one,two,new"],
    ["ObjectAcl:Put", false, "one,two,new"],
    ["ObjectRemoved:DeleteMarkerCreated", false, "one"],
  ]);
});
