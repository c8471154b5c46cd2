// Object lock at apply time: default retention, what deletes and changes it refuses, who may bypass
// it, and what a bucket without it refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ChangeVersionSchema,
  Outcome,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketStateSchema } from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import {
  ObjectLock_Mode,
  type ObjectLockSchema,
  type Version,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

type Lock = MessageInitShape<typeof ObjectLockSchema>;
type State = Exclude<MessageInitShape<typeof BucketStateSchema>, { readonly $typeName: string }>;
type Change = NonNullable<MessageInitShape<typeof ChangeVersionSchema>["change"]>;

const { GOVERNANCE, COMPLIANCE, MODE_UNSPECIFIED } = ObjectLock_Mode;
const DAY_MS = 86_400_000;
const LOCKING: State = { versioning: Versioning.ENABLED, objectLock: true };

async function lockBucket(t: Parameters<typeof Machine.open>[0], state: State = {}) {
  const machine = await Machine.open(t);
  await machine.configure({ ...LOCKING, ...state });
  return machine;
}

function tryPut(machine: Machine, lock?: Lock) {
  const body = { case: "inline" as const, value: key("x") };
  const version = { size: 1n, etag: "e", body, ...(lock === undefined ? {} : { lock }) };
  return machine.execute({
    case: "putObject",
    value: { bucketId: 1, key: key("k"), version },
  });
}

/** Puts a version and gives its id. */
async function put(machine: Machine, lock?: Lock): Promise<Uint8Array> {
  const reply = await tryPut(machine, lock);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "putObject");
  return reply.kind.value.versionId;
}

async function read(
  machine: Machine,
  versionId: Uint8Array = new Uint8Array(0),
): Promise<Version | undefined> {
  const value = { bucketId: 1, key: key("k"), versionId };
  return (await machine.query({ case: "getObject", value })).version;
}

async function remove(
  machine: Machine,
  versionId: Uint8Array,
  { bypassGovernance = false, lifecycle = false } = {},
) {
  const targets = [{ key: key("k"), versionId, bypassGovernance }];
  const value = { bucketId: 1, targets, lifecycle };
  const reply = await machine.execute({ case: "deleteObjects", value });
  assert.ok(reply.kind.case === "deleteObjects");
  return reply.kind.value.results[0] ?? assert.fail();
}

async function alter(machine: Machine, change: Change, versionId: Uint8Array = new Uint8Array(0)) {
  const value = { bucketId: 1, key: key("k"), versionId, change };
  return (await machine.execute({ case: "changeVersion", value })).outcome;
}

const retain = (mode: ObjectLock_Mode, until: number, bypassGovernance = false): Change => ({
  case: "retention",
  value: { mode, retainUntilMs: BigInt(until), bypassGovernance },
});

test("new versions get the bucket's default retention, from their own time on", async (t) => {
  const machine = await lockBucket(t, { defaultMode: GOVERNANCE, defaultDays: 3 });
  const id = await put(machine);
  const { lock, modifiedMs } = (await read(machine, id)) ?? assert.fail();
  assert.equal(lock?.mode, GOVERNANCE);
  assert.equal(lock?.retainUntilMs, modifiedMs + BigInt(3 * DAY_MS));
  assert.equal(lock?.legalHold, false);
  const own = await put(machine, { mode: COMPLIANCE, retainUntilMs: 1_900_000_000_000n });
  assert.equal((await read(machine, own))?.lock?.mode, COMPLIANCE);
  assert.equal((await read(machine, own))?.lock?.retainUntilMs, 1_900_000_000_000n);
  const held = await put(machine, { legalHold: true });
  assert.equal((await read(machine, held))?.lock?.legalHold, true);
  assert.equal((await read(machine, held))?.lock?.mode, GOVERNANCE);
});

test("default years are calendar years", async (t) => {
  const machine = await lockBucket(t, { defaultMode: COMPLIANCE, defaultYears: 1 });
  machine.nowMs = Date.UTC(2028, 1, 29, 12);
  const id = await put(machine);
  const until = Number((await read(machine, id))?.lock?.retainUntilMs);
  assert.equal(new Date(until).toISOString(), "2029-03-01T12:00:00.001Z");
});

test("a bucket without object lock takes no locks, at no door", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ versioning: Versioning.ENABLED });
  assert.equal((await tryPut(machine, { legalHold: true })).outcome, Outcome.CONFLICT);
  await put(machine);
  const on: Change = { case: "legalHold", value: { on: true } };
  assert.equal(await alter(machine, on), Outcome.CONFLICT);
  assert.equal(await alter(machine, retain(GOVERNANCE, 1_900_000_000_000)), Outcome.CONFLICT);
  const upload = { bucketId: 1, key: key("k"), uploadId: idOf(1), lock: { legalHold: true } };
  const begun = await machine.execute({ case: "createUpload", value: { upload } });
  assert.equal(begun.outcome, Outcome.CONFLICT);
  assert.equal((await read(machine))?.lock, undefined);
});

test("governance keeps a version unless bypassed, compliance whatever is asked", async (t) => {
  const machine = await lockBucket(t);
  const until = BigInt(machine.nowMs + 1000);
  const governed = await put(machine, { mode: GOVERNANCE, retainUntilMs: until });
  const complied = await put(machine, { mode: COMPLIANCE, retainUntilMs: until });
  assert.equal((await remove(machine, governed)).outcome, Outcome.LOCKED);
  assert.equal((await remove(machine, governed, { lifecycle: true })).outcome, Outcome.LOCKED);
  assert.equal(
    (await remove(machine, complied, { bypassGovernance: true })).outcome,
    Outcome.LOCKED,
  );
  const refused = await remove(machine, complied);
  assert.equal(refused.outcome, Outcome.LOCKED);
  assert.equal(refused.existed, true);
  assert.deepEqual(Buffer.from(refused.versionId), Buffer.from(complied));
  assert.notEqual(await read(machine, complied), undefined);
  assert.equal((await remove(machine, governed, { bypassGovernance: true })).outcome, Outcome.OK);
  assert.equal(await read(machine, governed), undefined);
  machine.nowMs += 2000;
  assert.equal((await remove(machine, complied)).outcome, Outcome.OK);
  await machine.audit();
});

test("a retention ends by the group's time, which no leader's clock turns back", async (t) => {
  const machine = await lockBucket(t);
  const until = BigInt(machine.nowMs + 50_000);
  const id = await put(machine, { mode: COMPLIANCE, retainUntilMs: until });
  machine.nowMs += 60_000;
  await put(machine);
  machine.nowMs -= 60_000;
  // The group has seen a later time: it does not go back.
  assert.equal((await remove(machine, id)).outcome, Outcome.OK);
});

test("a legal hold keeps a version for ever, and markers may lie over it", async (t) => {
  const machine = await lockBucket(t);
  const id = await put(machine, { legalHold: true });
  assert.equal((await remove(machine, id, { bypassGovernance: true })).outcome, Outcome.LOCKED);
  const marked = await remove(machine, new Uint8Array(0));
  assert.equal(marked.outcome, Outcome.OK);
  assert.equal(marked.deleteMarker, true);
  const off: Change = { case: "legalHold", value: { on: false } };
  assert.equal(await alter(machine, off), Outcome.DELETE_MARKER);
  assert.equal(await alter(machine, off, id), Outcome.OK);
  assert.equal((await read(machine, id))?.lock, undefined);
  assert.equal((await remove(machine, id)).outcome, Outcome.OK);
});

test("a retention that runs is only prolonged in its mode, unless governance is bypassed", async (t) => {
  const machine = await lockBucket(t);
  const now = machine.nowMs;
  const id = await put(machine);
  const set = (...[mode, until, bypass]: [ObjectLock_Mode, number, boolean?]) =>
    alter(machine, retain(mode, until, bypass), id);
  assert.equal(await set(GOVERNANCE, now + 10_000), Outcome.OK);
  assert.equal(await set(GOVERNANCE, now + 20_000), Outcome.OK);
  assert.equal(await set(GOVERNANCE, now + 10_000), Outcome.LOCKED);
  assert.equal(await set(MODE_UNSPECIFIED, 0), Outcome.LOCKED);
  assert.equal(await set(COMPLIANCE, now + 30_000), Outcome.LOCKED);
  assert.equal(await set(GOVERNANCE, now + 10_000, true), Outcome.OK);
  assert.equal(await set(MODE_UNSPECIFIED, 0, true), Outcome.OK);
  assert.equal((await read(machine, id))?.lock, undefined);
  assert.equal(await set(COMPLIANCE, now + 30_000), Outcome.OK);
  assert.equal(await set(COMPLIANCE, now + 20_000, true), Outcome.LOCKED);
  assert.equal(await set(GOVERNANCE, now + 40_000, true), Outcome.LOCKED);
  assert.equal(await set(COMPLIANCE, now + 40_000), Outcome.OK);
  machine.nowMs += 50_000;
  assert.equal(await set(MODE_UNSPECIFIED, 0), Outcome.OK);
  assert.equal(await set(GOVERNANCE, 0), Outcome.UNSPECIFIED);
});

test("a change of retention leaves the legal hold, and the other way about", async (t) => {
  const machine = await lockBucket(t);
  const id = await put(machine, { legalHold: true });
  const until = machine.nowMs + 10_000;
  assert.equal(await alter(machine, retain(GOVERNANCE, until), id), Outcome.OK);
  assert.equal((await read(machine, id))?.lock?.legalHold, true);
  const off: Change = { case: "legalHold", value: { on: false } };
  assert.equal(await alter(machine, off, id), Outcome.OK);
  const { lock } = (await read(machine, id)) ?? assert.fail();
  assert.equal(lock?.legalHold, false);
  assert.equal(lock?.retainUntilMs, BigInt(until));
});

test("a locked null version is not replaced even when the bucket's state says so", async (t) => {
  const machine = await Machine.open(t);
  await put(machine);
  await machine.configure(LOCKING);
  const hold: Change = { case: "legalHold", value: { on: true } };
  assert.equal(await alter(machine, hold, key("null")), Outcome.OK);
  // The root group never says this: it is the second bolt.
  await machine.configure({ ...LOCKING, versioning: Versioning.SUSPENDED });
  assert.equal((await tryPut(machine)).outcome, Outcome.LOCKED);
  assert.equal((await remove(machine, new Uint8Array(0))).outcome, Outcome.LOCKED);
  await machine.configure({ ...LOCKING, versioning: Versioning.OFF });
  assert.equal((await remove(machine, new Uint8Array(0))).outcome, Outcome.LOCKED);
  assert.equal((await read(machine))?.lock?.legalHold, true);
});

test("an upload hands its lock, tags, list and data key to the version", async (t) => {
  const machine = await lockBucket(t, { defaultMode: GOVERNANCE, defaultDays: 1 });
  const uploadId = idOf(3);
  const place = { bucketId: 1, key: key("k"), uploadId };
  const lock = { mode: COMPLIANCE, retainUntilMs: 1_900_000_000_000n };
  const upload = {
    ...place,
    lock,
    acl: { grants: [] },
    tags: [{ name: "a", value: "b" }],
    encryption: { keyName: "pictures" },
  };
  await machine.execute({ case: "createUpload", value: { upload } });
  const id = manifestId(machine.nowMs, 1);
  const manifest = manifestOf({ key: key("k"), id, size: 1016 });
  const part = { partNumber: 1, size: 1000n, manifestId: id, bodyNonce: idOf(9) };
  const added = await machine.execute({ case: "putPart", value: { ...place, part, manifest } });
  assert.equal(added.outcome, Outcome.OK, added.message);
  const value = {
    ...place,
    parts: [{ partNumber: 1, size: 1000n, manifestId: id }],
    version: { size: 1000n, etag: "m" },
  };
  const reply = await machine.execute({ case: "completeUpload", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  const asked = { bucketId: 1, key: key("k"), withBody: true };
  const { version, partList } = await machine.query({ case: "getObject", value: asked });
  assert.equal(version?.lock?.mode, COMPLIANCE);
  assert.equal(version?.tags[0]?.value, "b");
  assert.equal(version?.encryption?.keyName, "pictures");
  assert.notEqual(version?.acl, undefined);
  assert.deepEqual(Buffer.from(partList?.parts[0]?.bodyNonce ?? ""), Buffer.from(idOf(9)));
});

test("tags and list change beside a version, current or not; what is not there is told", async (t) => {
  const machine = await lockBucket(t);
  const tags: Change = { case: "tags", value: { tags: [{ name: "a", value: "b" }] } };
  assert.equal(await alter(machine, tags), Outcome.NO_SUCH_KEY);
  const old = await put(machine);
  const before = await read(machine, old);
  await put(machine);
  assert.equal(await alter(machine, tags, old), Outcome.OK);
  const after = (await read(machine, old)) ?? assert.fail();
  assert.equal(after.tags[0]?.name, "a");
  assert.equal(after.modifiedMs, before?.modifiedMs);
  assert.equal((await read(machine))?.tags.length, 0);
  const acl: Change = {
    case: "acl",
    value: { grants: [{ grantee: { case: "user", value: "bob" }, permission: 4 }] },
  };
  assert.equal(await alter(machine, acl), Outcome.OK);
  assert.equal((await read(machine))?.acl?.grants.length, 1);
  assert.equal(await alter(machine, tags, idOf(77)), Outcome.NO_SUCH_VERSION);
  assert.equal(await alter(machine, { case: undefined }), Outcome.UNSPECIFIED);
  await machine.audit();
});
