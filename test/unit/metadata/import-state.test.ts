// Backups at the level of a group's state: exported entries come back the same, only into a group
// that holds nothing, in order, under their checksums; the cluster map comes last and frozen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterMapSchema } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { ImportMarkSchema } from "../../../services/lib/gen/dolium/record/v1/group_pb.ts";
import { TABLE } from "../../../services/metadata/state/keys.ts";
import { readSnapshot } from "../../../services/metadata/state/snapshot-stream.ts";
import { testRecord } from "./golden.ts";
import { idOf, key, Machine, manifestId, manifestOf } from "./harness.ts";

interface Entry {
  readonly key: Uint8Array;
  readonly stored: Uint8Array;
}

const IMPORT = idOf(7, 7);
const OTHER = idOf(8, 8);
const LOCAL = new Set<number>([TABLE.reply, TABLE.replyAge, TABLE.importMark, TABLE.meta]);

testRecord([
  "import-mark",
  ImportMarkSchema,
  { importId: "AAECAwQFBgcICQoLDA0ODw==", nextBatch: "3", entries: "4", finished: true },
]);

testRecord([
  "cluster-map-frozen",
  ClusterMapSchema,
  { epoch: "9", clusterId: "one", garbageFreeze: { reason: "restored", sinceMs: "1700000000000" } },
]);

async function exported(machine: Machine): Promise<Entry[]> {
  const snapshot = await machine.state.snapshot();
  try {
    const entries: Entry[] = [];
    const walk = readSnapshot(snapshot.chunks());
    for await (const [name, stored] of walk) entries.push({ key: name, stored });
    return entries;
  } finally {
    await snapshot.close();
  }
}

interface Batch {
  readonly batch: number;
  readonly entries: readonly Entry[];
  readonly last?: boolean;
  readonly count?: number;
  readonly importId?: Uint8Array;
  readonly fenceMs?: number;
}

function bring(machine: Machine, given: Batch): Promise<Reply> {
  const { batch, entries, last = false, count = entries.length, importId = IMPORT } = given;
  return machine.execute({
    case: "importState",
    value: {
      importId,
      batch: BigInt(batch),
      entries: [...entries],
      last,
      entryCount: BigInt(count),
      fenceMs: BigInt(given.fenceMs ?? 0),
    },
  });
}

async function filled(machine: Machine): Promise<void> {
  for (const number of [1, 2, 3]) {
    const id = manifestId(machine.nowMs, number);
    const name = key(`object ${number}`);
    const manifest = manifestOf({ key: name, id });
    const version = { size: manifest.size, body: { case: "manifestId", value: id } } as const;
    const value = { bucketId: 1, key: name, manifest, version };
    const reply = await machine.execute({ case: "putObject", value });
    assert.equal(reply.outcome, Outcome.OK, reply.message);
  }
  const targets = [{ key: key("object 2") }];
  await machine.execute({ case: "deleteObjects", value: { bucketId: 1, targets } });
}

function comparable(entries: readonly Entry[]): string[] {
  return entries
    .filter((entry) => !LOCAL.has(entry.key[0] ?? 0))
    .map(({ key: name, stored }) => Buffer.concat([name, stored]).toString("hex"));
}

function nextOf(reply: Reply): bigint | undefined {
  return reply.kind.case === "importState" ? reply.kind.value.nextBatch : undefined;
}

test("a group's entries come back byte for byte, with its counters, behind a raised fence", async (t) => {
  const source = await Machine.open(t);
  await filled(source);
  const entries = await exported(source);
  const target = await Machine.open(t);
  const fenceMs = source.nowMs + 5;
  const half = Math.floor(entries.length / 2);
  const first = await bring(target, { batch: 0, entries: entries.slice(0, half), fenceMs });
  assert.deepEqual([first.outcome, nextOf(first)], [Outcome.OK, 1n]);
  const rest = {
    batch: 1,
    entries: entries.slice(half),
    last: true,
    count: entries.length,
    fenceMs,
  };
  assert.equal((await bring(target, rest)).outcome, Outcome.OK);
  assert.deepEqual(comparable(await exported(target)), comparable(entries));
  const before = await source.query({ case: "groupStats", value: {} });
  const after = await target.query({ case: "groupStats", value: {} });
  assert.deepEqual({ ...after, fenceMs: 0n }, { ...before, fenceMs: 0n });
  assert.equal(after.fenceMs, BigInt(fenceMs));
  await target.audit();
  // What began before the import can not be committed any more.
  const id = manifestId(fenceMs - 1, 9);
  const manifest = manifestOf({ key: key("late"), id });
  const version = { size: manifest.size, body: { case: "manifestId", value: id } } as const;
  const value = { bucketId: 1, key: key("late"), manifest, version };
  const late = await target.execute({ case: "putObject", value });
  assert.equal(late.outcome, Outcome.FENCED);
});

test("only an empty group takes a backup, and only one", async (t) => {
  const source = await Machine.open(t);
  await filled(source);
  const entries = await exported(source);
  const used = await bring(source, { batch: 0, entries, last: true });
  assert.equal(used.outcome, Outcome.NOT_EMPTY);
  const target = await Machine.open(t);
  await bring(target, { batch: 0, entries: entries.slice(0, 1) });
  const other = await bring(target, { batch: 0, entries, last: true, importId: OTHER });
  assert.equal(other.outcome, Outcome.CONFLICT);
});

test("batches come in order and once; the end must have come whole", async (t) => {
  const source = await Machine.open(t);
  await filled(source);
  const entries = await exported(source);
  const target = await Machine.open(t);
  const early = await bring(target, { batch: 1, entries: [] });
  assert.deepEqual([early.outcome, nextOf(early)], [Outcome.CONFLICT, 0n]);
  const some = { batch: 0, entries: entries.slice(0, 3) };
  await bring(target, some);
  assert.deepEqual(nextOf(await bring(target, some)), 1n);
  const count = entries.length;
  const short = { batch: 1, entries: entries.slice(4), last: true, count };
  assert.equal((await bring(target, short)).outcome, Outcome.CONFLICT);
  const whole = { batch: 1, entries: entries.slice(3), last: true, count };
  assert.equal((await bring(target, whole)).outcome, Outcome.OK);
  assert.equal((await bring(target, whole)).outcome, Outcome.OK);
  assert.equal((await bring(target, { batch: 2, entries: [] })).outcome, Outcome.CONFLICT);
});

test("an entry under a wrong checksum, or under another key, is refused", async (t) => {
  const source = await Machine.open(t);
  await filled(source);
  const entries = await exported(source);
  const target = await Machine.open(t);
  const [one, two] = entries;
  assert.ok(one !== undefined && two !== undefined);
  const moved = { key: one.key, stored: two.stored };
  const rotten = { key: two.key, stored: Buffer.from(two.stored) };
  rotten.stored[rotten.stored.length - 1] = (rotten.stored.at(-1) ?? 0) ^ 1;
  for (const wrong of [moved, rotten]) {
    const reply = await bring(target, { batch: 0, entries: [wrong] });
    assert.equal(reply.outcome, Outcome.UNSPECIFIED);
    assert.match(reply.message, /checksum/);
  }
  assert.equal(await target.recordsOf(TABLE.importMark), 0);
});

test("the cluster map comes last: frozen, its epoch and next ids raised", async (t) => {
  const source = await Machine.open(t);
  const policies = [{ name: "standard", dataShards: 2, parityShards: 1, failureDomain: "node" }];
  const value = { clusterId: "one", policies, defaultPolicy: "standard", indexGroups: [2] };
  await source.execute({ case: "initCluster", value });
  const entries = await exported(source);
  const map = entries.filter(({ key: name }) => name[0] === TABLE.cluster);
  const rest = entries.filter(({ key: name }) => name[0] !== TABLE.cluster);
  const target = await Machine.open(t);
  const early = await bring(target, { batch: 0, entries: map });
  assert.equal(early.outcome, Outcome.CONFLICT);
  await bring(target, { batch: 0, entries: rest });
  const count = entries.length;
  await bring(target, { batch: 1, entries: map, last: true, count });
  const former = await source.query({ case: "getClusterMap", value: {} });
  const restored = await target.query({ case: "getClusterMap", value: {} });
  assert.ok(former.map !== undefined && restored.map !== undefined);
  assert.equal(former.map.garbageFreeze, undefined);
  assert.match(restored.map.garbageFreeze?.reason ?? "", /restored from a backup/);
  assert.equal(restored.map.clusterId, "one");
  assert.ok(restored.map.epoch > former.map.epoch + 1000n);
  assert.ok(restored.map.nextNodeId > former.map.nextNodeId + 1000);
  assert.ok(restored.map.nextDiskId > former.map.nextDiskId + 1000);
});

test("a freeze keeps its reason and time until it is released", async (t) => {
  const machine = await Machine.open(t);
  const freeze = (frozen: boolean, reason: string) =>
    machine.execute({ case: "setGarbageFreeze", value: { frozen, reason } });
  assert.equal((await freeze(true, "early")).outcome, Outcome.CONFLICT);
  const value = { clusterId: "one", policies: [], defaultPolicy: "", indexGroups: [2] };
  const policies = [{ name: "p", dataShards: 1, parityShards: 0, failureDomain: "node" }];
  await machine.execute({ case: "initCluster", value: { ...value, policies, defaultPolicy: "p" } });
  const map = async () => (await machine.query({ case: "getClusterMap", value: {} })).map;
  assert.equal((await freeze(true, "")).outcome, Outcome.UNSPECIFIED);
  assert.equal((await freeze(true, "first")).outcome, Outcome.OK);
  const frozen = await map();
  assert.equal((await freeze(true, "second")).outcome, Outcome.OK);
  assert.deepEqual(await map(), frozen);
  assert.equal(frozen?.garbageFreeze?.reason, "first");
  assert.equal((await freeze(false, "")).outcome, Outcome.OK);
  const released = await map();
  assert.equal(released?.garbageFreeze, undefined);
  assert.ok((released?.epoch ?? 0n) > (frozen?.epoch ?? 0n));
});
