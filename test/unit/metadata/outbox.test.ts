// The outbox: what commands tell of, in the same batch and in order; who caused it; log lines; and
// that a full outbox drops events and never stops writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Versioning } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { GroupMetaSchema } from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import { CommandContext } from "../../../services/metadata/state/context.ts";
import {
  addToOutbox,
  OUTBOX_BYTES_MAX,
  OUTBOX_ENTRIES_MAX,
  removeFromOutbox,
} from "../../../services/metadata/state/outbox.ts";
import type { StateWriter } from "../../../services/metadata/state/records.ts";
import { UsageLedger } from "../../../services/metadata/state/usage.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

async function put(machine: Machine, event = "ObjectCreated:Put") {
  const version = { size: 1n, etag: "e", body: { case: "inline" as const, value: key("x") } };
  const value = { bucketId: 1, key: key("k"), version, event };
  const reply = await machine.execute({ case: "putObject", value });
  assert.ok(reply.kind.case === "putObject");
  return reply.kind.value.versionId;
}

async function remove(machine: Machine, more: object = {}, lifecycle = false) {
  const value = { bucketId: 1, targets: [{ key: key("k"), ...more }], lifecycle };
  const reply = await machine.execute({ case: "deleteObjects", value });
  assert.equal(reply.outcome, Outcome.OK);
}

async function entries(machine: Machine, afterSequence = 0n) {
  const value = { afterSequence, limit: 1000 };
  return (await machine.query({ case: "listOutbox", value })).entries;
}

async function events(machine: Machine) {
  return (await entries(machine)).map(({ kind }) => {
    assert.ok(kind.case === "event");
    return kind.value;
  });
}

async function names(machine: Machine): Promise<string[]> {
  return (await events(machine)).map(({ name }) => name);
}

test("nothing is told where the bucket wants no events, or the command names none", async (t) => {
  const machine = await Machine.open(t);
  await put(machine);
  await machine.configure({ events: true });
  await put(machine, "");
  assert.deepEqual(await entries(machine), []);
  await put(machine);
  assert.equal((await entries(machine)).length, 1);
});

test("targets are told that they are set up, each time, where the bucket wants events", async (t) => {
  const machine = await Machine.open(t);
  machine.origin = { principal: "ann", remoteAddress: "::1", requestId: "R", hostId: "H" };
  const configure = (testEvent: boolean) =>
    machine.execute({
      case: "configureBucket",
      value: { bucketId: 1, state: { revision: 1n }, testEvent },
    });
  await machine.configure({});
  await configure(true);
  assert.deepEqual(await names(machine), [], "no events are wanted");
  await machine.configure({ events: true });
  await configure(false);
  assert.deepEqual(await names(machine), []);
  await configure(true);
  await configure(true);
  assert.deepEqual(await names(machine), ["TestEvent", "TestEvent"]);
  const [event] = await events(machine);
  assert.deepEqual([event?.origin?.requestId, event?.key.byteLength], ["R", 0]);
});

test("an event tells what, which version, and who", async (t) => {
  const machine = await Machine.open(t);
  machine.origin = { principal: "ann", remoteAddress: "::1", requestId: "R", hostId: "H" };
  await machine.configure({ events: true, versioning: Versioning.ENABLED });
  const id = await put(machine);
  const [entry] = await entries(machine);
  assert.ok(entry?.kind.case === "event");
  assert.equal(entry.bucketId, 1);
  const event = entry.kind.value;
  assert.equal(event.name, "ObjectCreated:Put");
  assert.equal(hex(event.versionId), hex(id));
  assert.equal(event.nullVersion, false);
  assert.deepEqual([event.size, event.etag], [1n, "e"]);
  assert.equal(event.origin?.principal, "ann");
  assert.equal(event.origin?.requestId, "R");
  await machine.configure({ events: true, versioning: Versioning.SUSPENDED });
  await put(machine);
  const second = (await events(machine))[1] ?? assert.fail();
  assert.deepEqual([second.versionId.byteLength, second.nullVersion], [0, true]);
});

test("in a bucket without versioning events name no version", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ events: true });
  await put(machine);
  await remove(machine);
  await remove(machine);
  const all = await events(machine);
  assert.deepEqual(
    all.map(({ name, versionId, nullVersion }) => [name, versionId.byteLength, nullVersion]),
    [
      ["ObjectCreated:Put", 0, false],
      ["ObjectRemoved:Delete", 0, false],
    ],
  );
});

test("deletes tell a removal from a marker, and a client from lifecycle", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ events: true, versioning: Versioning.ENABLED });
  const id = await put(machine, "");
  await remove(machine);
  await remove(machine, { versionId: id });
  await remove(machine, { versionId: id });
  await remove(machine, {}, true);
  const marker = (await events(machine)).at(-1)?.versionId ?? assert.fail();
  await remove(machine, { versionId: marker }, true);
  assert.deepEqual(await names(machine), [
    "ObjectRemoved:DeleteMarkerCreated",
    "ObjectRemoved:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
    "LifecycleExpiration:Delete",
  ]);
  assert.equal((await events(machine))[0]?.deleteMarker, true);
});

test("what is refused is not told", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ events: true, versioning: Versioning.ENABLED, objectLock: true });
  const id = await put(machine, "");
  const hold = { case: "legalHold" as const, value: { on: true } };
  const place = { bucketId: 1, key: key("k") };
  await machine.execute({ case: "changeVersion", value: { ...place, change: hold } });
  await remove(machine, { versionId: id });
  await remove(machine, { condition: { ifMatch: ["other"] } });
  const version = { body: { case: "inline" as const, value: new Uint8Array(0) } };
  const value = { ...place, version, condition: { ifAbsent: true }, event: "ObjectCreated:Put" };
  await machine.execute({ case: "putObject", value });
  assert.deepEqual(await names(machine), []);
});

test("uploads, appends, renames and changes are told under the names they bring", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ events: true });
  const place = { bucketId: 1, key: key("k"), uploadId: idOf(1) };
  await machine.execute({ case: "createUpload", value: { upload: place } });
  const id = manifestId(machine.nowMs, 1);
  const part = { partNumber: 1, size: 9n, manifestId: id };
  const manifest = manifestOf({ key: key("k"), id, size: 9 });
  await machine.execute({ case: "putPart", value: { ...place, part, manifest } });
  const version = { size: 9n, etag: "m" };
  const event = "ObjectCreated:CompleteMultipartUpload";
  const value = { ...place, parts: [part], version, event };
  await machine.execute({ case: "completeUpload", value });
  const tags = { case: "tags" as const, value: { tags: [] } };
  const changed = { bucketId: 1, key: key("k"), change: tags, event: "ObjectTagging:Put" };
  await machine.execute({ case: "changeVersion", value: changed });
  const renamed = { bucketId: 1, sourceKey: key("k"), targetKey: key("l"), event: "ObjectRenamed" };
  await machine.execute({ case: "renameObject", value: renamed });
  const appended = {
    bucketId: 1,
    key: key("m"),
    version: { size: 1n, body: { case: "inline" as const, value: key("x") } },
    md5: idOf(1),
    event: "ObjectCreated:Put",
  };
  await machine.execute({ case: "appendObject", value: appended });
  const all = await events(machine);
  assert.deepEqual(
    all.map(({ name, key: object }) => [name, Buffer.from(object).toString()]),
    [
      [event, "k"],
      ["ObjectTagging:Put", "k"],
      ["ObjectRenamed", "l"],
      ["ObjectCreated:Put", "m"],
    ],
  );
});

test("entries stay until they are carried out, in order, lines of logs among them", async (t) => {
  const machine = await Machine.open(t);
  await machine.configure({ events: true });
  await put(machine);
  const lines = ["one", "two"];
  const logged = { case: "appendAccessLog" as const, value: { bucketId: 1, log: { lines } } };
  assert.equal((await machine.execute(logged)).outcome, Outcome.OK);
  await put(machine);
  const all = await entries(machine);
  assert.deepEqual(
    all.map(({ kind }) => kind.case),
    ["event", "accessLog", "event"],
  );
  const [first, second, third] = all.map(({ sequence }) => sequence);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.ok(first < second && second < third);
  assert.equal((await entries(machine, first)).length, 2);
  const finish = { case: "finishOutbox" as const, value: { sequences: [first, third, 77n] } };
  assert.equal((await machine.execute(finish)).outcome, Outcome.OK);
  assert.equal((await machine.execute(finish)).outcome, Outcome.OK);
  const left = await entries(machine);
  assert.deepEqual(
    left.map(({ sequence }) => sequence),
    [second],
  );
  const stats = await machine.query({ case: "groupStats", value: {} });
  assert.deepEqual([stats.outboxEntries, stats.outboxDropped], [1n, 0n]);
  await machine.audit();
});

test("log lines are refused when there are none, too many, or the bucket is sealed", async (t) => {
  const machine = await Machine.open(t);
  const append = async (lines: string[], bucketId = 1) => {
    const value = { bucketId, log: { lines } };
    return (await machine.execute({ case: "appendAccessLog", value })).outcome;
  };
  assert.equal(await append([]), Outcome.UNSPECIFIED);
  assert.equal(await append(["x".repeat(600_000)]), Outcome.UNSPECIFIED);
  await machine.execute({ case: "sealBucket", value: { bucketId: 2 } });
  assert.equal(await append(["x"], 2), Outcome.SEALED);
});

/** A state that holds whatever is put. */
function memory(): StateWriter {
  const held = new Map<string, Uint8Array>();
  return {
    get: (name) => held.get(hex(name)),
    put: (name, payload) => void held.set(hex(name), payload),
    insert: (name, payload) => void held.set(hex(name), payload),
    delete: (name) => void held.delete(hex(name)),
    scan: async () => [],
  };
}

test("a full outbox drops and counts, and has room again afterwards", () => {
  const view = memory();
  const meta = create(GroupMetaSchema, { outboxEntries: OUTBOX_ENTRIES_MAX - 1n });
  const stamp = { index: 1, nowMs: 5n, random: Buffer.alloc(8) };
  const context = new CommandContext(stamp, meta, new UsageLedger(view));
  const value = { lines: ["x"] };
  const add = () => addToOutbox(view, context, { bucketId: 1, kind: { case: "accessLog", value } });
  assert.equal(add(), true);
  const kept = meta.lastSequence;
  assert.equal(add(), false);
  assert.equal(meta.outboxDropped, 1n);
  assert.equal(meta.outboxEntries, OUTBOX_ENTRIES_MAX);
  removeFromOutbox(view, context, kept);
  assert.equal(meta.outboxBytes, 0n);
  assert.equal(add(), true);
  removeFromOutbox(view, context, meta.lastSequence);
  meta.outboxBytes = OUTBOX_BYTES_MAX - 5n;
  assert.equal(add(), false);
  assert.equal(meta.outboxDropped, 2n);
});
