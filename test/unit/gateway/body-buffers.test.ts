// Bodies from a real disk to HTTP clients, over memory that is used again as soon as the system has
// the bytes: clients that read together, stop reading for a while or go away get no other's bytes.
import assert from "node:assert/strict";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { writeAnswer } from "../../../services/gateway/response-writer.ts";
import { BodyReader } from "../../../services/lib/clients/body-reader.ts";
import { ShardClient } from "../../../services/lib/clients/shard-client.ts";
import { createErasureCompute } from "../../../services/lib/erasure/compute.ts";
import { DEFAULT_CELL_BYTES } from "../../../services/lib/erasure/geometry.ts";
import { ManifestSchema } from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { ShardService } from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import { DiskSet } from "../../../services/storage/disk-set.ts";
import { createShardHandlers } from "../../../services/storage/shard-service.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { seededBytes, sha256Hex } from "../../support/seeded-bytes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { createSimKvFactory } from "../storage/sim-kv.ts";
import { SMALL } from "../storage/store-fixture.ts";

const MIB = 2 ** 20;
const BODY_BYTES = 6 * MIB;
const BODIES = 4;
const STALLED = 40;
const STALLED_STEP_BYTES = 36 * 1024;
const folder = temporaryFolder("dolium-buffers-");
const clock = createClock();
const random = createRandom();
const network = createLocalNetwork({ clock, random, log: recordingLog() });
const storage = network.createServer();
const client = new ShardClient(network.createTransport());
const bodies = Array.from({ length: BODIES }, (_, at) => seededBytes(`body ${at}`, BODY_BYTES));
/** Memory that large reads went into. */
const filled = new Set<ArrayBufferLike>();
let reads = 0;
let disks: DiskSet;
let address: string;

function watched(disk: Disk): Disk {
  return {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return {
        ...file,
        read: (into, offset) => {
          if (into.byteLength >= DEFAULT_CELL_BYTES) {
            filled.add(into.buffer);
            reads += 1;
          }
          return file.read(into, offset);
        },
      };
    },
  };
}

const server = createServer((request, response) => {
  const [number = 0, firstByte = 0] = (request.url ?? "").slice(1).split("/").map(Number);
  answer({ number, firstByte }, response).catch(() => response.destroy());
});

interface Wanted {
  readonly number: number;
  readonly firstByte: number;
}

function answer({ number, firstByte }: Wanted, response: ServerResponse): Promise<void> {
  const chunk = { chunkId: chunkIdOf(number), size: BODY_BYTES, diskIds: [1] };
  const manifest = create(ManifestSchema, {
    ...{ dataShards: 1, parityShards: 0, cellBytes: DEFAULT_CELL_BYTES },
    ...{ size: BigInt(BODY_BYTES), chunks: [chunk] },
  });
  const disk = { diskId: 1, nodeId: 1, address };
  const view = { addressOf: () => disk, preferred: () => true, suspect: () => undefined };
  const erasure = createErasureCompute();
  const onDamage = (): void => assert.fail("nothing is damaged");
  const reader = new BodyReader({ view, shards: client, erasure, clock, onDamage });
  const manifests = [{ manifest, offset: 0 }];
  const range = { firstByte, lastByte: BODY_BYTES - 1 };
  const source = reader.read({ bucketId: 1, manifests, ...range });
  const body = { kind: "stream", size: BODY_BYTES - firstByte, source } as const;
  return writeAnswer(
    { status: 200, headers: [], body },
    {
      ...{ response, isHead: false, ids: { requestId: "1", hostId: "1" }, clock },
      ...{ idleTimeoutMs: 120_000, close: false, pace: undefined, lateError: String },
      onHead: () => undefined,
      beforeEnd: async () => undefined,
      onSent: () => undefined,
    },
  );
}

function chunkIdOf(number: number): Uint8Array {
  return new Uint8Array(16).fill(number + 1);
}

before(async () => {
  const disk = watched(createDisk());
  const metrics = createStorageMetrics(silentMetrics());
  const kvFactory = createSimKvFactory(disk);
  const deps = { disk, clock, random, log: recordingLog(), metrics, kvFactory };
  const settings = { ...SMALL, segmentBytes: 64 * MIB, reserveFraction: 0.001, reserveBytesMax: 0 };
  disks = await DiskSet.open(deps, [join(folder.path, "disk")], settings);
  disks.assignIds([1]);
  storage.add(
    ShardService,
    createShardHandlers(() => disks, clock),
  );
  address = await storage.listen("storage:1");
  for (const [number, body] of bodies.entries()) {
    const write = client.openWrite({
      target: { diskId: 1, nodeId: 1, address },
      shard: { chunkId: chunkIdOf(number), shardIndex: 0 },
      owner: { bucketId: 1, key: Buffer.from("k"), manifestId: chunkIdOf(number) },
      ...{ shardBytes: BODY_BYTES, cellBytes: DEFAULT_CELL_BYTES, begunMs: 1 },
    });
    for (let at = 0; at < BODY_BYTES; at += DEFAULT_CELL_BYTES) {
      await write.write(body.subarray(at, at + DEFAULT_CELL_BYTES));
    }
    await write.finish();
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await storage.close(0);
  await disks.close();
  folder.remove();
});

async function open(number: number, firstByte = 0): Promise<IncomingMessage> {
  const bound = server.address();
  const port = typeof bound === "object" ? bound?.port : undefined;
  const path = `/${number}/${firstByte}`;
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent: false }, resolve).on("error", reject);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return sha256Hex(Buffer.concat(pieces));
}

test("bodies read one after the other go through the same memory, in reads of a mebibyte", async () => {
  filled.clear();
  reads = 0;
  for (const [number, body] of bodies.entries()) {
    assert.equal(await readAll(await open(number)), sha256Hex(body));
  }
  // Of a body: 128, 256 and 512 KiB, five times one MiB, and what is left.
  assert.equal(reads, BODIES * 9);
  assert.ok(filled.size <= reads / 2, `${filled.size} buffers for ${reads} reads`);
});

test("clients that stall or leave neither get nor give others the wrong bytes", async () => {
  const first = bodies[0] ?? assert.fail("no body");
  // Each is held up by the system's buffers at another place of what was read: also where no more
  // than the last piece of a buffer is still to be sent.
  const starts = Array.from({ length: STALLED }, (_, at) => at * STALLED_STEP_BYTES);
  const stalled = await Promise.all(starts.map((start) => open(0, start)));
  const leaving = await open(1);
  leaving.on("error", () => undefined);
  const readable = new Promise((resolve) => leaving.once("readable", resolve));
  await readable;
  leaving.destroy();
  for (let round = 0; round < 3; round += 1) {
    const sums = await Promise.all([1, 2, 3, 2].map(async (at) => readAll(await open(at))));
    const expected = [1, 2, 3, 2].map((at) => sha256Hex(bodies[at] ?? assert.fail("no body")));
    assert.deepEqual(sums, expected);
  }
  for (const [at, response] of stalled.entries()) {
    assert.equal(await readAll(response), sha256Hex(first.subarray(starts[at])));
  }
});
