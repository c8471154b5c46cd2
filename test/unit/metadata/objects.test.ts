// PutObject and DeleteObjects: conditions, versioning states, the null version, promotion, fences,
// seals, and what becomes garbage or repair work.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ConditionSchema,
  type DeleteObjects_TargetSchema,
  Outcome,
  type Reply,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { key, Machine, manifestId, manifestOf } from "./harness.ts";

type Condition = MessageInitShape<typeof ConditionSchema>;
type Target = MessageInitShape<typeof DeleteObjects_TargetSchema>;

const NULL = Buffer.from("null");
let numbers = 0;

interface PutSpec {
  readonly key?: string;
  readonly etag?: string;
  readonly versioning?: Versioning;
  readonly condition?: Condition;
  readonly places?: readonly (readonly number[])[];
  readonly relaxed?: boolean;
  readonly bucketId?: number;
  readonly id?: Uint8Array;
}

async function put(machine: Machine, spec: PutSpec = {}): Promise<Reply> {
  await machine.setVersioning(spec.versioning ?? Versioning.OFF, spec.bucketId);
  numbers += 1;
  const name = key(spec.key ?? "k");
  const id = spec.id ?? manifestId(machine.nowMs, numbers);
  const { places, relaxed, condition } = spec;
  const manifest = manifestOf({
    key: name,
    id,
    ...(places === undefined ? {} : { places }),
    ...(relaxed === undefined ? {} : { relaxed }),
  });
  const version = {
    size: manifest.size,
    etag: spec.etag ?? "etag",
    body: { case: "manifestId" as const, value: id },
  };
  return machine.execute({
    case: "putObject",
    value: {
      bucketId: spec.bucketId ?? 1,
      key: name,
      version,
      manifest,
      ...(condition === undefined ? {} : { condition }),
    },
  });
}

function putInline(machine: Machine, text: string): Promise<Reply> {
  const body = { case: "inline" as const, value: Buffer.from(text) };
  const version = { size: BigInt(text.length), etag: text, body };
  const value = { bucketId: 1, key: key("k"), version };
  return machine.execute({ case: "putObject", value });
}

async function remove(
  machine: Machine,
  targets: Target[],
  versioning: Versioning = Versioning.OFF,
) {
  await machine.setVersioning(versioning);
  const value = { bucketId: 1, targets };
  const reply = await machine.execute({ case: "deleteObjects", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "deleteObjects");
  return reply.kind.value.results;
}

async function current(machine: Machine, versionId: Uint8Array = new Uint8Array(0)) {
  const value = { bucketId: 1, key: key("k"), versionId, withBody: true };
  return machine.query({ case: "getObject", value });
}

function versionId(reply: Reply): Uint8Array {
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "putObject");
  return reply.kind.value.versionId;
}

const stats = (machine: Machine) => machine.query({ case: "groupStats", value: {} });

async function garbage(machine: Machine) {
  const value = { freedBeforeMs: BigInt(machine.nowMs + 10), limit: 100 };
  return (await machine.query({ case: "listGarbage", value })).entries;
}

test("a version gets an id and a time that grow, even when the leader's clock goes back", async (t) => {
  const machine = await Machine.open(t);
  const first = await put(machine, { versioning: Versioning.ENABLED });
  machine.nowMs -= 100_000;
  const second = await put(machine, { versioning: Versioning.ENABLED });
  assert.ok(first.kind.case === "putObject" && second.kind.case === "putObject");
  assert.ok(Buffer.compare(first.kind.value.versionId, second.kind.value.versionId) < 0);
  assert.equal(second.kind.value.modifiedMs, first.kind.value.modifiedMs);
  const { version } = await current(machine);
  assert.equal(Buffer.compare(version?.versionId ?? NULL, second.kind.value.versionId), 0);
});

test("without versioning an overwrite frees the former body in the same commit", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, {
    places: [
      [1, 2, 3],
      [4, 5, 6],
    ],
  });
  assert.equal((await garbage(machine)).length, 0);
  await put(machine);
  const [freed, ...rest] = await garbage(machine);
  assert.equal(rest.length, 0);
  assert.deepEqual(
    freed?.shards.map((shard) => shard.diskId),
    [1, 2, 3, 4, 5, 6],
  );
  assert.equal(freed?.begunBeforeMs, 0n);
  const { versions, bytes, garbageEntries } = await stats(machine);
  assert.deepEqual([versions, bytes, garbageEntries], [1n, 1000n, 1n]);
  await machine.audit();
});

test("inline bodies come back whole, and go with their version", async (t) => {
  const machine = await Machine.open(t);
  await putInline(machine, "hello");
  const { version } = await current(machine);
  assert.equal(version?.body.case, "inline");
  assert.equal(Buffer.from(version?.body.value ?? "").toString(), "hello");
  await putInline(machine, "");
  assert.equal((await current(machine)).version?.body.value?.length, 0);
  await put(machine);
  assert.equal((await garbage(machine)).length, 0);
  await machine.audit();
});

test("If-None-Match: * lets only the first writer in, and names what is there", async (t) => {
  const machine = await Machine.open(t);
  const condition = { ifAbsent: true };
  assert.equal((await put(machine, { condition, etag: "one" })).outcome, Outcome.OK);
  const second = await put(machine, { condition, etag: "two" });
  assert.equal(second.outcome, Outcome.PRECONDITION_FAILED);
  assert.ok(second.kind.case === "putObject");
  assert.equal(second.kind.value.existingEtag, "one");
  assert.equal((await current(machine)).version?.etag, "one");
  assert.equal((await stats(machine)).versions, 1n);
});

test("If-Match: missing key, other tag, right tag, star", async (t) => {
  const machine = await Machine.open(t);
  const match = (...ifMatch: string[]) => ({ condition: { ifMatch } });
  assert.equal((await put(machine, match("one"))).outcome, Outcome.NO_SUCH_KEY);
  assert.equal((await put(machine, match("*"))).outcome, Outcome.NO_SUCH_KEY);
  await put(machine, { etag: "one" });
  assert.equal((await put(machine, match("two"))).outcome, Outcome.PRECONDITION_FAILED);
  assert.equal((await put(machine, { ...match("two", "one"), etag: "x" })).outcome, Outcome.OK);
  assert.equal((await put(machine, { ...match("*"), etag: "y" })).outcome, Outcome.OK);
  const refusedTags = { condition: { ifNoneMatch: ["y"] } };
  assert.equal((await put(machine, refusedTags)).outcome, Outcome.PRECONDITION_FAILED);
  const otherTags = { condition: { ifNoneMatch: ["z"] } };
  assert.equal((await put(machine, otherTags)).outcome, Outcome.OK);
});

test("a delete marker that is current counts as no key for conditions", async (t) => {
  const machine = await Machine.open(t);
  const versioning = Versioning.ENABLED;
  await put(machine, { versioning, etag: "one" });
  await remove(machine, [{ key: key("k") }], versioning);
  const match = await put(machine, { versioning, condition: { ifMatch: ["*"] } });
  assert.equal(match.outcome, Outcome.NO_SUCH_KEY);
  const absent = await put(machine, { versioning, condition: { ifAbsent: true } });
  assert.equal(absent.outcome, Outcome.OK);
});

test("a refused write changes nothing and its manifest is not committed", async (t) => {
  const machine = await Machine.open(t);
  await put(machine);
  const before = machine.state.mark.digest;
  const id = manifestId(machine.nowMs, 5000);
  await put(machine, { condition: { ifAbsent: true }, id });
  const value = { bucketId: 1, key: key("k"), manifestIds: [id] };
  assert.equal((await machine.query({ case: "getManifest", value })).manifests.length, 0);
  assert.notDeepEqual(machine.state.mark.digest, before, "the reply itself is remembered");
  assert.equal((await stats(machine)).versions, 1n);
});

test("a writer that began before the fence is refused, inline bodies are not", async (t) => {
  const machine = await Machine.open(t);
  const begun = machine.nowMs;
  const value = { fenceMs: BigInt(begun + 1) };
  const moved = await machine.execute({ case: "advanceFence", value });
  assert.ok(moved.kind.case === "advanceFence" && moved.kind.value.fenceMs === value.fenceMs);
  const late = await put(machine, { id: manifestId(begun, 1) });
  assert.equal(late.outcome, Outcome.FENCED);
  assert.equal((await put(machine, { id: manifestId(begun + 1, 2) })).outcome, Outcome.OK);
  assert.equal((await putInline(machine, "x")).outcome, Outcome.OK);
  const back = await machine.execute({ case: "advanceFence", value: { fenceMs: 5n } });
  assert.ok(back.kind.case === "advanceFence" && back.kind.value.fenceMs === value.fenceMs);
});

test("a manifest id is committed once, also after it became garbage", async (t) => {
  const machine = await Machine.open(t);
  const id = manifestId(machine.nowMs, 1);
  await put(machine, { id });
  assert.equal((await put(machine, { id, key: "other" })).outcome, Outcome.CONFLICT);
  await remove(machine, [{ key: key("k") }]);
  assert.equal((await put(machine, { id })).outcome, Outcome.CONFLICT);
});

test("owed shards and relaxed chunks are queued for repair in the same commit", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, {
    places: [
      [1, 2, 3, 4],
      [1, 0, 3, 0],
    ],
  });
  const relaxed = await put(machine, { key: "r", relaxed: true });
  assert.equal(relaxed.outcome, Outcome.OK);
  const { entries } = await machine.query({ case: "listRepairs", value: { limit: 10 } });
  assert.deepEqual(
    entries.map((entry) => [entry.owed, entry.relaxed]),
    [
      [2, false],
      [0, true],
    ],
  );
  const { shardsOwed, repairEntries } = await stats(machine);
  assert.deepEqual([shardsOwed, repairEntries], [2n, 2n]);
  await remove(machine, [{ key: key("k") }, { key: key("r") }]);
  const after = await stats(machine);
  assert.deepEqual([after.shardsOwed, after.repairEntries, after.versions], [0n, 0n, 0n]);
  const shards = (await garbage(machine)).flatMap((entry) => entry.shards.map((s) => s.diskId));
  assert.ok(!shards.includes(0), "owed shards are nowhere and no garbage");
});

test("deleting what is not there is fine and says so", async (t) => {
  const machine = await Machine.open(t);
  const results = await remove(machine, [{ key: key("k") }, { key: key("k"), versionId: NULL }]);
  assert.deepEqual(
    results.map(({ outcome, existed }) => [outcome, existed]),
    [
      [Outcome.OK, false],
      [Outcome.OK, false],
    ],
  );
});

test("a conditional delete holds only against what it names", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, { etag: "one" });
  const seconds = BigInt(Math.floor(machine.nowMs / 1000));
  const target = (condition: Condition): Target => ({ key: key("k"), condition });
  const refusals = [{ ifMatch: ["two"] }, { ifMatchSize: 7n }, { ifMatchModifiedS: seconds - 5n }];
  for (const condition of refusals) {
    const [result] = await remove(machine, [target(condition)]);
    assert.equal(result?.outcome, Outcome.PRECONDITION_FAILED);
  }
  const all = { ifMatch: ["one"], ifMatchSize: 1000n, ifMatchModifiedS: seconds };
  const [result] = await remove(machine, [target(all)]);
  assert.deepEqual([result?.outcome, result?.existed], [Outcome.OK, true]);
  const [again] = await remove(machine, [target(all)]);
  assert.equal(again?.outcome, Outcome.NO_SUCH_KEY);
});

test("with versioning every write keeps the ones before, and ids find them", async (t) => {
  const machine = await Machine.open(t);
  const versioning = Versioning.ENABLED;
  const one = versionId(await put(machine, { versioning, etag: "one" }));
  const two = versionId(await put(machine, { versioning, etag: "two" }));
  assert.equal((await current(machine)).version?.etag, "two");
  assert.equal((await current(machine, one)).version?.etag, "one");
  assert.equal((await current(machine, two)).version?.etag, "two");
  const wrong = Buffer.from(one);
  wrong[15] = (wrong[15] ?? 0) ^ 1;
  assert.equal((await current(machine, wrong)).version, undefined);
  assert.equal((await current(machine, NULL)).version, undefined);
  assert.equal((await garbage(machine)).length, 0);
  assert.equal((await stats(machine)).versions, 2n);
});

test("a delete marker hides the key, its removal brings the version back", async (t) => {
  const machine = await Machine.open(t);
  const versioning = Versioning.ENABLED;
  const one = versionId(await put(machine, { versioning, etag: "one" }));
  const [marked] = await remove(machine, [{ key: key("k") }], versioning);
  assert.deepEqual([marked?.deleteMarker, marked?.existed], [true, true]);
  assert.equal((await current(machine)).version?.deleteMarker, true);
  assert.equal((await current(machine, one)).version?.etag, "one");
  const marker = marked?.versionId ?? new Uint8Array(0);
  const [removed] = await remove(machine, [{ key: key("k"), versionId: marker }], versioning);
  assert.deepEqual([removed?.deleteMarker, removed?.existed], [true, true]);
  assert.equal((await current(machine)).version?.etag, "one");
  await machine.audit();
});

test("removing the current version makes the newest of the others current", async (t) => {
  const machine = await Machine.open(t);
  const versioning = Versioning.ENABLED;
  const ids: Uint8Array[] = [];
  for (const etag of ["a", "b", "c"]) {
    ids.push(versionId(await put(machine, { versioning, etag })));
  }
  const drop = (at: number) =>
    remove(machine, [{ key: key("k"), versionId: ids[at] ?? NULL }], versioning);
  await drop(1);
  assert.equal((await current(machine)).version?.etag, "c");
  await drop(2);
  assert.equal((await current(machine)).version?.etag, "a");
  await drop(0);
  assert.equal((await current(machine)).version, undefined);
  assert.equal((await garbage(machine)).length, 3);
  const { versions, bytes } = await stats(machine);
  assert.deepEqual([versions, bytes], [0n, 0n]);
  await machine.audit();
});

test("suspended versioning replaces the null version, wherever it is", async (t) => {
  const machine = await Machine.open(t);
  await put(machine, { etag: "null-1" });
  const kept = versionId(await put(machine, { versioning: Versioning.ENABLED, etag: "kept" }));
  assert.equal((await current(machine, NULL)).version?.etag, "null-1");
  await put(machine, { versioning: Versioning.SUSPENDED, etag: "null-2" });
  assert.equal((await current(machine, NULL)).version?.etag, "null-2");
  assert.equal((await current(machine)).version?.etag, "null-2");
  assert.equal((await current(machine, kept)).version?.etag, "kept");
  assert.equal((await garbage(machine)).length, 1);
  await put(machine, { versioning: Versioning.SUSPENDED, etag: "null-3" });
  assert.equal((await stats(machine)).versions, 2n);
  const [marked] = await remove(machine, [{ key: key("k") }], Versioning.SUSPENDED);
  assert.deepEqual(Buffer.from(marked?.versionId ?? []), NULL);
  assert.equal((await stats(machine)).versions, 2n);
  const [gone] = await remove(machine, [{ key: key("k"), versionId: NULL }], Versioning.SUSPENDED);
  assert.deepEqual([gone?.deleteMarker, gone?.existed], [true, true]);
  assert.equal((await current(machine)).version?.etag, "kept");
  await machine.audit();
});

test("one command deletes a thousand keys, each with its own result", async (t) => {
  const machine = await Machine.open(t);
  for (let at = 0; at < 20; at += 1) await put(machine, { key: `k${at}` });
  const targets = Array.from({ length: 1000 }, (_, at) => ({ key: key(`k${at}`) }));
  const results = await remove(machine, targets);
  assert.equal(results.length, 1000);
  assert.equal(results.filter(({ existed }) => existed).length, 20);
  assert.equal((await stats(machine)).versions, 0n);
});

test("a sealed bucket takes no writes; a bucket with versions is not sealed", async (t) => {
  const machine = await Machine.open(t);
  const seal = () => machine.execute({ case: "sealBucket", value: { bucketId: 1 } });
  await put(machine);
  await put(machine, { bucketId: 2 });
  assert.equal((await seal()).outcome, Outcome.NOT_EMPTY);
  await remove(machine, [{ key: key("k") }]);
  assert.equal((await seal()).outcome, Outcome.OK);
  assert.equal((await seal()).outcome, Outcome.OK);
  assert.equal((await put(machine)).outcome, Outcome.SEALED);
  const value = { bucketId: 1, targets: [{ key: key("k") }] };
  const deleted = await machine.execute({ case: "deleteObjects", value });
  assert.equal(deleted.outcome, Outcome.SEALED);
  await assert.rejects(current(machine), { code: "sealed" });
  assert.equal((await put(machine, { bucketId: 2 })).outcome, Outcome.OK);
});

test("a bucket with nothing but a delete marker is not empty", async (t) => {
  const machine = await Machine.open(t);
  await remove(machine, [{ key: key("k") }], Versioning.ENABLED);
  const reply = await machine.execute({ case: "sealBucket", value: { bucketId: 1 } });
  assert.equal(reply.outcome, Outcome.NOT_EMPTY);
});

test("keys with any bytes are apart from each other", async (t) => {
  const machine = await Machine.open(t);
  const names = ["a", "a\0", "a\0\0", "a\0\xff", "a\xff", "a\x01"];
  const versioning = Versioning.ENABLED;
  for (const name of names) {
    await put(machine, { key: name, versioning, etag: "old" });
    await put(machine, { key: name, versioning, etag: name });
  }
  for (const name of names) {
    const value = { bucketId: 1, key: key(name) };
    const { version } = await machine.query({ case: "getObject", value });
    assert.equal(version?.etag, name);
    const target = { key: key(name), versionId: version?.versionId ?? NULL };
    await remove(machine, [target], versioning);
    const after = await machine.query({ case: "getObject", value });
    assert.equal(after.version?.etag, "old");
  }
  await machine.audit();
});

test("a write or delete may ask for the very version that is current, markers included", async (t) => {
  const machine = await Machine.open(t);
  const NOBODY = Buffer.alloc(16, 9);
  const none = await put(machine, { condition: { ifVersionId: NULL } });
  assert.equal(none.outcome, Outcome.PRECONDITION_FAILED);
  await put(machine, { etag: "null-1" });
  const byNull = await put(machine, { etag: "null-2", condition: { ifVersionId: NULL } });
  assert.equal(byNull.outcome, Outcome.OK);
  const versioning = Versioning.ENABLED;
  const one = versionId(await put(machine, { versioning, condition: { ifVersionId: NULL } }));
  const late = await put(machine, { versioning, condition: { ifVersionId: NULL } });
  assert.equal(late.outcome, Outcome.PRECONDITION_FAILED);
  const target = (ifVersionId: Uint8Array) => ({ key: key("k"), condition: { ifVersionId } });
  const [other] = await remove(machine, [target(NOBODY)], versioning);
  assert.equal(other?.outcome, Outcome.PRECONDITION_FAILED);
  const [marked] = await remove(machine, [target(one)], versioning);
  const marker = marked?.versionId ?? NULL;
  const [gone] = await remove(machine, [{ ...target(marker), versionId: marker }], versioning);
  assert.equal(gone?.outcome, Outcome.OK);
  assert.equal((await current(machine)).version?.deleteMarker, false);
});
