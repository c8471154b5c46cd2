// Buckets' records: object lock and versioning go together, settings come and go by name, revisions
// grow with changes only; a group learns it by ConfigureBucket. And named keys.
import assert from "node:assert/strict";
import { test } from "node:test";
import { equals, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type BucketRecord,
  BucketRecordSchema,
  type BucketSettingSchema,
  Versioning,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { SETTINGS_BYTES_MAX } from "../../../services/metadata/state/bucket-settings.ts";
import { key, Machine } from "./harness.ts";

type Setting = MessageInitShape<typeof BucketSettingSchema>;

interface Change {
  readonly expectedRevision?: bigint;
  readonly versioning?: Versioning;
  readonly objectLock?: boolean;
  readonly settings?: Setting[];
}

interface Creation {
  readonly name?: string;
  readonly objectLock?: boolean;
  readonly settings?: Setting[];
}

async function rootGroup(t: Parameters<typeof Machine.open>[0]): Promise<Machine> {
  const machine = await Machine.open(t);
  const policy = { name: "p", dataShards: 2, parityShards: 1, failureDomain: "node" };
  const value = {
    clusterId: "c",
    policies: [policy],
    defaultPolicy: "p",
    placementGroupCount: 8,
    indexGroups: [2],
  };
  const reply = await machine.execute({ case: "initCluster", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  return machine;
}

async function make(machine: Machine, more: Creation = {}): Promise<BucketRecord> {
  const value = { name: "books", owner: "ann", region: "r", ...more };
  const reply = await machine.execute({ case: "createBucket", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "createBucket");
  return reply.kind.value.bucket ?? assert.fail();
}

function change(machine: Machine, value: Change): Promise<Reply> {
  return machine.execute({ case: "changeBucket", value: { name: "books", bucketId: 1, ...value } });
}

async function changed(machine: Machine, value: Change): Promise<BucketRecord> {
  const reply = await change(machine, value);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.ok(reply.kind.case === "changeBucket");
  const bucket = reply.kind.value.bucket ?? assert.fail();
  const stored = await machine.query({ case: "getBucket", value: { name: "books" } });
  assert.ok(equals(BucketRecordSchema, stored.bucket ?? assert.fail(), bucket));
  return bucket;
}

const setting = (name: string, text: string) => ({ name, document: key(text) });

test("a bucket made with object lock has versioning, settings stand in order of name", async (t) => {
  const machine = await rootGroup(t);
  const settings = [setting("tagging", "t"), setting("cors", "c"), setting("policy", "")];
  const bucket = await make(machine, { objectLock: true, settings });
  assert.equal(bucket.versioning, Versioning.ENABLED);
  assert.equal(bucket.objectLock, true);
  assert.deepEqual(
    bucket.settings.map(({ name }) => name),
    ["cors", "tagging"],
  );
  const plain = await make(machine, { name: "other" });
  assert.equal(plain.versioning, Versioning.OFF);
  assert.equal(plain.objectLock, false);
});

test("versioning goes on and is suspended, but never off again", async (t) => {
  const machine = await rootGroup(t);
  await make(machine);
  assert.equal((await changed(machine, { versioning: Versioning.OFF })).revision, 1n);
  const on = await changed(machine, { versioning: Versioning.ENABLED });
  assert.equal(on.versioning, Versioning.ENABLED);
  assert.equal(on.revision, 2n);
  assert.equal(
    (await changed(machine, { versioning: Versioning.SUSPENDED })).versioning,
    Versioning.SUSPENDED,
  );
  assert.equal((await change(machine, { versioning: Versioning.OFF })).outcome, Outcome.CONFLICT);
});

test("object lock needs versioning, and then keeps it on", async (t) => {
  const machine = await rootGroup(t);
  await make(machine);
  assert.equal((await change(machine, { objectLock: true })).outcome, Outcome.CONFLICT);
  const both = await changed(machine, { objectLock: true, versioning: Versioning.ENABLED });
  assert.equal(both.objectLock, true);
  const suspended = await change(machine, { versioning: Versioning.SUSPENDED });
  assert.equal(suspended.outcome, Outcome.CONFLICT);
  const still = await changed(machine, { settings: [setting("cors", "c")] });
  assert.equal(still.objectLock, true);
  assert.equal(still.versioning, Versioning.ENABLED);
});

test("settings are replaced and removed by name; only changes make a revision", async (t) => {
  const machine = await rootGroup(t);
  await make(machine);
  await changed(machine, { settings: [setting("cors", "one"), setting("acl", "a")] });
  const again = await changed(machine, { settings: [setting("cors", "one")] });
  assert.equal(again.revision, 2n);
  const other = await changed(machine, { settings: [setting("cors", "two"), setting("acl", "")] });
  assert.equal(other.revision, 3n);
  assert.deepEqual(
    other.settings.map(({ name, document }) => [name, Buffer.from(document).toString()]),
    [["cors", "two"]],
  );
});

test("a change is refused at another revision, of another bucket, or when too large", async (t) => {
  const machine = await rootGroup(t);
  await make(machine);
  assert.equal((await change(machine, { expectedRevision: 2n })).outcome, Outcome.CONFLICT);
  await changed(machine, { expectedRevision: 1n, settings: [setting("cors", "c")] });
  const value = { name: "books", bucketId: 9 };
  const other = await machine.execute({ case: "changeBucket", value });
  assert.equal(other.outcome, Outcome.NO_SUCH_BUCKET);
  const half = "x".repeat(SETTINGS_BYTES_MAX - 100);
  await changed(machine, { settings: [setting("policy", half)] });
  const more = await change(machine, { settings: [setting("website", "y".repeat(200))] });
  assert.equal(more.outcome, Outcome.CONFLICT);
  for (const settings of [
    [setting("cors", "a"), setting("cors", "b")],
    [setting("Bad name", "a")],
    [setting("policy", `${half}${half}`)],
  ]) {
    assert.equal((await change(machine, { settings })).outcome, Outcome.UNSPECIFIED);
  }
});

test("a page of buckets ends before large settings make it too large", async (t) => {
  const machine = await rootGroup(t);
  const settings = [setting("policy", "x".repeat(300_000))];
  for (const name of ["b1", "b2", "b3", "b4", "b5"]) await make(machine, { name, settings });
  const names: string[] = [];
  for (let pages = 1; ; pages += 1) {
    const value = { afterName: names.at(-1) ?? "", limit: 10 };
    const { buckets, truncated } = await machine.query({ case: "listBuckets", value });
    names.push(...buckets.map(({ name }) => name));
    assert.ok(buckets.length <= 3);
    if (!truncated) break;
    assert.ok(pages < 5);
  }
  assert.deepEqual(names, ["b1", "b2", "b3", "b4", "b5"]);
});

test("a group takes a bucket's state in any order and keeps the newest", async (t) => {
  const machine = await Machine.open(t);
  const configure = async (revision: bigint, versioning: Versioning, bucketId = 1) => {
    const value = { bucketId, state: { revision, versioning } };
    return (await machine.execute({ case: "configureBucket", value })).outcome;
  };
  const putId = async () => {
    const version = { body: { case: "inline" as const, value: new Uint8Array(0) } };
    const value = { bucketId: 1, key: key("k"), version };
    const { kind } = await machine.execute({ case: "putObject", value });
    assert.ok(kind.case === "putObject");
    return Buffer.from(kind.value.versionId);
  };
  assert.equal((await putId()).length, 0);
  assert.equal(await configure(5n, Versioning.ENABLED), Outcome.OK);
  assert.equal((await putId()).length, 16);
  assert.equal(await configure(4n, Versioning.OFF), Outcome.OK);
  assert.equal((await putId()).length, 16);
  assert.equal(await configure(6n, Versioning.SUSPENDED), Outcome.OK);
  assert.equal((await putId()).toString(), "null");
  assert.equal(await configure(0n, Versioning.ENABLED), Outcome.UNSPECIFIED);
  await machine.execute({ case: "sealBucket", value: { bucketId: 2 } });
  assert.equal(await configure(7n, Versioning.ENABLED, 2), Outcome.SEALED);
});

test("a named key gains versions, each only once", async (t) => {
  const machine = await rootGroup(t);
  const putKey = (name: string, expectedVersions: number, text = "wrapped") => {
    const value = { name, expectedVersions, wrappedKey: key(text) };
    return machine.execute({ case: "putKmsKey", value });
  };
  assert.equal((await putKey("a", 1)).outcome, Outcome.NO_SUCH_KMS_KEY);
  assert.equal((await putKey("a", 0, "")).outcome, Outcome.UNSPECIFIED);
  assert.equal((await putKey("a", 0, "one")).outcome, Outcome.OK);
  const repeated = await putKey("a", 0, "other");
  assert.equal(repeated.outcome, Outcome.EXISTS);
  assert.ok(repeated.kind.case === "putKmsKey");
  assert.equal(repeated.kind.value.key?.versions.length, 1);
  assert.equal((await putKey("a", 1, "two")).outcome, Outcome.OK);
  assert.equal((await putKey("b", 0)).outcome, Outcome.OK);
  const { keys } = await machine.query({ case: "listKmsKeys", value: {} });
  assert.deepEqual(
    keys.map(({ name, versions }) => [
      name,
      versions.map(({ version, wrappedKey }) => [version, Buffer.from(wrappedKey).toString()]),
    ]),
    [
      [
        "a",
        [
          [1, "one"],
          [2, "two"],
        ],
      ],
      ["b", [[1, "wrapped"]]],
    ],
  );
  const one = await machine.query({ case: "listKmsKeys", value: { name: "b" } });
  assert.deepEqual(
    one.keys.map(({ name }) => name),
    ["b"],
  );
  const none = await machine.query({ case: "listKmsKeys", value: { name: "c" } });
  assert.deepEqual(none.keys, []);
  await machine.audit();
});

test("keys are refused before they outgrow an answer", async (t) => {
  const machine = await rootGroup(t);
  const wrappedKey = Buffer.alloc(1024, 1);
  const outcomes = [];
  const datas = Array.from({ length: 800 }, (_, at) =>
    machine.entry({
      case: "putKmsKey",
      value: { name: `key-${at}`, expectedVersions: 0, wrappedKey },
    }),
  );
  for (const reply of await machine.applyData(datas)) outcomes.push(reply.outcome);
  assert.equal(outcomes[0], Outcome.OK);
  assert.equal(outcomes.at(-1), Outcome.CONFLICT);
});
