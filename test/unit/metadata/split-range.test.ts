// SplitRange: a bucket's ranges stay in order and without a gap whatever is cut, each cut is made
// once, and a cut by an old map is refused.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RANGES_MAX } from "../../../services/lib/base/limits.ts";
import type { BucketRecord } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { type CommandKind, key, Machine } from "./harness.ts";

const NAME = "books";

async function withBucket(t: TestContext): Promise<Machine> {
  const machine = await Machine.open(t);
  const policies = [{ name: "standard", dataShards: 1, parityShards: 0, failureDomain: "node" }];
  const value = { clusterId: "one", policies, defaultPolicy: "standard", indexGroups: [2, 3] };
  await machine.execute({ case: "initCluster", value });
  await machine.execute({ case: "createBucket", value: { name: NAME, owner: "ann" } });
  return machine;
}

interface Cut {
  readonly name?: string;
  readonly bucketId?: number;
  readonly rangeEpoch?: bigint;
}

function cutAt(at: string | Uint8Array, more: Cut = {}): CommandKind {
  const where = typeof at === "string" ? key(at) : at;
  return { case: "splitRange", value: { name: NAME, bucketId: 1, at: where, ...more } };
}

async function bucketOf(machine: Machine): Promise<BucketRecord> {
  const { bucket } = await machine.query({ case: "getBucket", value: { name: NAME } });
  assert.ok(bucket !== undefined);
  return bucket;
}

/** As `start-end epoch`. */
function shown({ ranges }: BucketRecord): string[] {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
  return ranges.map(({ start, end, epoch }) => `${text(start)}-${text(end)} ${epoch}`);
}

function outcomeOf({ outcome }: Reply): string | undefined {
  return Object.entries(Outcome).find(([, value]) => value === outcome)?.[0];
}

test("a cut makes two ranges of one, in the same group, with an epoch of their own", async (t) => {
  const machine = await withBucket(t);
  const before = await bucketOf(machine);
  const reply = await machine.execute(cutAt("m", { rangeEpoch: 1n }));
  assert.ok(reply.outcome === Outcome.OK && reply.kind.case === "splitRange", reply.message);
  const after = await bucketOf(machine);
  assert.ok(reply.kind.value.bucket !== undefined);
  assert.deepEqual(shown(reply.kind.value.bucket), shown(after));
  assert.deepEqual(shown(after), ["-m 2", "m- 2"]);
  await machine.execute(cutAt("c", { rangeEpoch: 2n }));
  assert.deepEqual(shown(await bucketOf(machine)), ["-c 3", "c-m 3", "m- 2"]);
  const [groupId] = before.ranges.map((range) => range.groupId);
  for (const range of (await bucketOf(machine)).ranges) assert.equal(range.groupId, groupId);
  // Nothing that groups know of a bucket changed.
  assert.equal((await bucketOf(machine)).revision, before.revision);
  await machine.audit();
});

test("the same cut again changes nothing, by another command and an old epoch too", async (t) => {
  const machine = await withBucket(t);
  await machine.execute(cutAt("m", { rangeEpoch: 1n }));
  const once = await bucketOf(machine);
  assert.equal(outcomeOf(await machine.execute(cutAt("m", { rangeEpoch: 1n }))), "OK");
  assert.deepEqual(await bucketOf(machine), once);
});

test("a cut by an old map, of another bucket or at no key is refused", async (t) => {
  const machine = await withBucket(t);
  await machine.execute(cutAt("m"));
  const once = await bucketOf(machine);
  const refused: [CommandKind, string][] = [
    [cutAt("c", { rangeEpoch: 1n }), "CONFLICT"],
    [cutAt("c", { bucketId: 2 }), "NO_SUCH_BUCKET"],
    [cutAt("c", { name: "films" }), "NO_SUCH_BUCKET"],
    [cutAt(""), "UNSPECIFIED"],
    [cutAt(new Uint8Array(1025)), "UNSPECIFIED"],
    [cutAt("c", { name: "" }), "UNSPECIFIED"],
  ];
  for (const [kind, outcome] of refused) {
    assert.equal(outcomeOf(await machine.execute(kind)), outcome, JSON.stringify(kind.case));
    assert.deepEqual(await bucketOf(machine), once);
  }
});

test("a bucket has so many ranges and no more; the borders are bounded too", async (t) => {
  const machine = await withBucket(t);
  const names = Array.from({ length: RANGES_MAX - 1 }, (_, at) => String(at).padStart(4, "0"));
  const replies = await machine.applyData(names.map((name) => machine.entry(cutAt(name))));
  assert.ok(replies.every(({ outcome }) => outcome === Outcome.OK));
  assert.equal((await bucketOf(machine)).ranges.length, RANGES_MAX);
  assert.equal(outcomeOf(await machine.execute(cutAt("z"))), "CONFLICT");
  const other = await withBucket(t);
  const long = (at: number): Uint8Array => Buffer.alloc(1024, String(at).padStart(4, "0"));
  const outcomes: (string | undefined)[] = [];
  for (let at = 0; at < 70; at += 1) outcomes.push(outcomeOf(await other.execute(cutAt(long(at)))));
  assert.deepEqual(new Set(outcomes), new Set(["OK", "CONFLICT"]));
  assert.equal((await bucketOf(other)).ranges.length, 65);
});

test("cuts in any order leave ranges in order, without a gap, each epoch once a cut", async (t) => {
  const machine = await withBucket(t);
  const seed = Date.now() % 1_000_000;
  let state = seed;
  const letters = Array.from({ length: 60 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Buffer.of(1 + (state % 255), (state >> 8) % 256);
  });
  for (const at of letters) await machine.execute(cutAt(at));
  const { ranges } = await bucketOf(machine);
  const borders = [...new Set(letters.map((at) => at.toString("hex")))].sort();
  const starts = ranges.map(({ start }) => Buffer.from(start).toString("hex"));
  const ends = ranges.map(({ end }) => Buffer.from(end).toString("hex"));
  assert.deepEqual(starts, ["", ...borders], `seed ${seed}`);
  assert.deepEqual(ends, [...borders, ""], `seed ${seed}`);
  const times = new Map<bigint, number>();
  for (const { epoch } of ranges) times.set(epoch, (times.get(epoch) ?? 0) + 1);
  assert.ok(
    [...times.values()].every((count) => count <= 2),
    `seed ${seed}`,
  );
});
