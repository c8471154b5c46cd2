// RewriteManifest: a body that one campus acknowledged gets other chunks under the same manifest
// id, once; it waits in the repair queue until then, whatever is repaired meanwhile.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { Outcome, type Reply } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { key, Machine, manifestId, manifestOf } from "./harness.ts";

const K = key("k");

interface World {
  readonly machine: Machine;
  /** As it was committed: following. */
  readonly former: Manifest;
}

const BEGUN_MS = 1_700_000_000_000;
const ID = manifestId(BEGUN_MS, 1);

function manifest(disks: readonly number[], size = 1000): Manifest {
  return manifestOf({ key: K, id: ID, places: [disks], size });
}

async function open(context: TestContext): Promise<World> {
  const machine = await Machine.open(context);
  await machine.configure({});
  const former = { ...manifest([1, 2, 3]), policy: "@a", followPolicy: "wide" };
  const body = { case: "manifestId" as const, value: former.manifestId };
  const version = { size: former.size, etag: "e", body };
  const value = { bucketId: 1, key: K, version, manifest: former };
  assert.equal((await machine.execute({ case: "putObject", value })).outcome, Outcome.OK);
  return { machine, former };
}

function rewrite(machine: Machine, written: Manifest, begunMs = machine.nowMs): Promise<Reply> {
  const value = { bucketId: 1, key: K, manifest: written, begunMs: BigInt(begunMs) };
  return machine.execute({ case: "rewriteManifest", value });
}

async function waiting(machine: Machine): Promise<(readonly [number, boolean])[]> {
  const value = { cursor: new Uint8Array(0), limit: 10 };
  const { entries } = await machine.query({ case: "listRepairs", value });
  return entries.map(({ owed, following }) => [owed, following] as const);
}

async function stored(machine: Machine): Promise<Manifest> {
  const value = { bucketId: 1, key: K, withBody: true };
  return present((await machine.query({ case: "getObject", value })).manifests[0], "manifest");
}

async function freedDisks(machine: Machine): Promise<number[]> {
  const value = { freedBeforeMs: BigInt(machine.nowMs + 10), limit: 100 };
  const { entries } = await machine.query({ case: "listGarbage", value });
  return entries.flatMap(({ shards }) => shards.map(({ diskId }) => diskId));
}

test("a body that follows waits in the queue, and is there no more once it followed", async (t) => {
  const { machine, former } = await open(t);
  assert.deepEqual(await waiting(machine), [[0, true]]);
  const written = { ...manifest([4, 5, 6]), policy: "wide" };
  written.chunks = written.chunks.map((chunk) => ({ ...chunk, chunkId: Buffer.alloc(16, 7) }));
  const reply = await rewrite(machine, written);
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.deepEqual(await waiting(machine), []);
  const after = await stored(machine);
  assert.deepEqual(after.manifestId, former.manifestId);
  assert.equal(after.followPolicy, "");
  assert.deepEqual(after.chunks[0]?.diskIds, [4, 5, 6]);
  assert.deepEqual(await freedDisks(machine), [1, 2, 3]);
  await machine.audit();
  assert.equal((await rewrite(machine, written)).outcome, Outcome.CONFLICT, "it follows no more");
  assert.deepEqual(await freedDisks(machine), [1, 2, 3], "what lies there now is in use");
});

test("a shard that was brought but is owed waits for repair, and follows nothing", async (t) => {
  const { machine } = await open(t);
  const written = { ...manifest([4, 5, 0]), policy: "wide" };
  assert.equal((await rewrite(machine, written)).outcome, Outcome.OK);
  assert.deepEqual(await waiting(machine), [[1, false]]);
});

test("a repair in the first campus leaves it waiting to follow", async (t) => {
  const { machine, former } = await open(t);
  machine.nowMs += 1000;
  const { manifestId: id } = former;
  const chunkId = present(former.chunks[0], "chunk").chunkId;
  const changes = [{ shardIndex: 0, fromDiskId: 1, toDiskId: 9 }];
  const value = {
    ...{ bucketId: 1, key: K, manifestId: id, chunkId, changes },
    ...{ placementGroup: 0, relaxed: false, begunMs: BigInt(machine.nowMs) },
  };
  const reply = await machine.execute({ case: "relocateShards", value });
  assert.equal(reply.outcome, Outcome.OK, reply.message);
  assert.deepEqual(await waiting(machine), [[0, true]]);
});

test("refused: another size, a manifest that is gone, a writing before the fence", async (t) => {
  const { machine, former } = await open(t);
  const other = manifest([4, 5, 6], 7);
  assert.equal((await rewrite(machine, other)).outcome, Outcome.CONFLICT);
  const gone = { ...manifest([4, 5, 6]), manifestId: manifestId(BEGUN_MS, 99) };
  assert.equal((await rewrite(machine, gone)).outcome, Outcome.NO_SUCH_KEY);
  const fenceMs = BigInt(machine.nowMs + 5);
  await machine.execute({ case: "advanceFence", value: { fenceMs } });
  assert.equal((await rewrite(machine, manifest([4, 5, 6]))).outcome, Outcome.FENCED);
  assert.deepEqual((await stored(machine)).chunks[0]?.diskIds, former.chunks[0]?.diskIds);
  assert.deepEqual(await waiting(machine), [[0, true]]);
});

test("never applied: a manifest that follows on, or of another key", async (t) => {
  const { machine, former } = await open(t);
  assert.equal((await rewrite(machine, former)).outcome, Outcome.UNSPECIFIED);
  const other = manifestOf({ key: key("z"), id: former.manifestId, places: [[4, 5, 6]] });
  assert.equal((await rewrite(machine, other)).outcome, Outcome.UNSPECIFIED);
  assert.deepEqual(await waiting(machine), [[0, true]]);
});
