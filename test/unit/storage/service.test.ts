// The storage service as gateways and the keeper call it, over the in-process transport and over
// gRPC, and the node's manners towards the cluster: registering, waiting, heartbeats, registering
// again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { ROOT_GROUP } from "../../../services/lib/clients/groups.ts";
import type { CommandKind } from "../../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../../services/lib/clients/shard-client.ts";
import {
  type HeartbeatRequestSchema,
  HeartbeatResponseSchema,
} from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { DiskState } from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type Reply,
  ReplySchema,
} from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import {
  ShardService,
  StatShardsResponse_State as State,
} from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createGrpcServer } from "../../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../../services/lib/host/grpc-transport.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { RpcServer, Transport } from "../../../services/lib/ports/transport.ts";
import { DiskSet } from "../../../services/storage/disk-set.ts";
import { createShardHandlers } from "../../../services/storage/shard-service.ts";
import { createStorageMetrics } from "../../../services/storage/storage-metrics.ts";
import { StorageNode } from "../../../services/storage/storage-node.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimDisk } from "../../sim/disk.ts";
import { recordingLog, silentMetrics } from "../../sim/observers.ts";
import { createSimRandom } from "../../sim/random.ts";
import { createSimKvFactory } from "./sim-kv.ts";
import { cellsOf, codeOf, makeShard, SMALL, type TestShard } from "./store-fixture.ts";

const DISK_ID = 11;

interface Setting {
  readonly server: RpcServer;
  readonly transport: Transport;
}

const SETTINGS: Readonly<Record<string, () => Setting>> = {
  "in process": () => {
    const network = createLocalNetwork({
      clock: createClock(),
      random: createRandom(),
      log: recordingLog(),
    });
    return { server: network.createServer(), transport: network.createTransport() };
  },
  grpc: () => ({
    server: createGrpcServer({ log: recordingLog(), random: createRandom() }),
    transport: createGrpcTransport(),
  }),
};

async function openDisks(disk: SimDisk): Promise<DiskSet> {
  const deps = {
    disk,
    clock: createClock(),
    random: createSimRandom(2),
    log: recordingLog(),
    metrics: createStorageMetrics(silentMetrics()),
    kvFactory: createSimKvFactory(disk),
  };
  return DiskSet.open(deps, ["d"], { ...SMALL, segmentBytes: 4 * 1024 * 1024 });
}

async function send(client: ShardClient, address: string, shard: TestShard): Promise<void> {
  const { owner, shardBytes, cellBytes, begunMs } = shard;
  const write = client.openWrite({
    target: { diskId: DISK_ID, nodeId: 1, address },
    shard: shard.name,
    owner,
    shardBytes,
    cellBytes,
    begunMs,
  });
  try {
    for (const { data } of cellsOf(shard)) await write.write(data);
    await write.finish();
  } catch (error) {
    write.cancel();
    throw error;
  }
}

for (const [name, createSetting] of Object.entries(SETTINGS)) {
  test(`${name}: shards are written, read, asked for, listed and deleted`, async () => {
    const { server, transport } = createSetting();
    const disks = await openDisks(new SimDisk());
    server.add(
      ShardService,
      createShardHandlers(() => disks, createClock()),
    );
    const address = await server.listen("127.0.0.1:0");
    const client = new ShardClient(transport);
    const target = { diskId: DISK_ID, nodeId: 1, address };
    const shards = [1, 2, 3].map((number) => {
      return makeShard(number, { bytes: 700_000 + number, cellBytes: 131_072 });
    });
    const [a, b, c] = shards;
    assert.ok(a && b && c);
    try {
      assert.equal(await codeOf(send(client, address, a)), "unavailable");
      disks.assignIds([DISK_ID]);
      await Promise.all(shards.map((shard) => send(client, address, shard)));
      await send(client, address, a);
      const other = { ...a, body: makeShard(9, { bytes: a.shardBytes }).body };
      assert.equal(await codeOf(send(client, address, other)), "conflict");
      const pieces: Uint8Array[] = [];
      const range = { firstCell: 2, cellCount: 2 };
      for await (const cells of client.readCells(target, a.name, range)) pieces.push(...cells);
      assert.ok(Buffer.concat(pieces).equals(a.body.subarray(2 * 131_072, 4 * 131_072)));
      const runs: Uint8Array[][] = [];
      const whole = { firstCell: 0, cellCount: 0, runBytes: 262_144 };
      for await (const cells of client.readCells(target, a.name, whole)) runs.push([...cells]);
      assert.deepEqual(
        runs.map((cells) => cells.length),
        [1, 2, 2, 1],
        "longer runs as they are read, none longer than was asked for",
      );
      assert.ok(Buffer.concat(runs.flat()).equals(a.body));
      const missing = makeShard(8).name;
      const names = [a.name, missing, c.name];
      assert.deepEqual(await client.stat(target, names, { verify: true }), [
        State.PRESENT,
        State.MISSING,
        State.PRESENT,
      ]);
      const page = await client.list(target, { limit: 2, begunBeforeMs: 0n });
      assert.equal(page.entries.length, 2);
      assert.ok(page.next !== undefined);
      const rest = await client.list(target, { limit: 2, begunBeforeMs: 0n, after: page.next });
      assert.deepEqual([rest.entries.length, rest.next], [1, undefined]);
      const old = await client.list(target, { limit: 9, begunBeforeMs: BigInt(b.begunMs) });
      assert.deepEqual(
        old.entries.map(({ owner, begunMs }) => [Buffer.from(owner.key).toString(), begunMs]),
        [["photos/1.jpg", BigInt(a.begunMs)]],
      );
      const item = { name: b.name, manifestId: b.owner.manifestId };
      const early = BigInt(b.begunMs);
      assert.equal(await client.delete(target, [{ ...item, begunBeforeMs: early }]), 0);
      assert.equal(await client.delete(target, [{ ...item, begunBeforeMs: 0n }]), 1);
      const reading = (async () => {
        for await (const _ of client.readCells(target, b.name, { firstCell: 0, cellCount: 0 })) {
          assert.fail("a deleted shard was read");
        }
      })();
      assert.equal(await codeOf(reading), "not-found");
      assert.deepEqual(await client.listBad(target, 0n, 10), { owners: [], next: 0n });
      const retry = (diskId: number) =>
        transport
          .channel(address)
          .unary(ShardService.method.retryDisk, { diskId }, { deadlineMs: 30_000 });
      await retry(DISK_ID);
      assert.equal(await codeOf(retry(DISK_ID + 1)), "not-found");
    } finally {
      await transport.close();
      await server.close(0);
      await disks.close();
    }
  });

  test(`${name}: writes that break off, lie or come out of order leave nothing`, async () => {
    const { server, transport } = createSetting();
    const disks = await openDisks(new SimDisk());
    disks.assignIds([DISK_ID]);
    server.add(
      ShardService,
      createShardHandlers(() => disks, createClock()),
    );
    const address = await server.listen("127.0.0.1:0");
    const shard = makeShard(1, { bytes: 5000, cellBytes: 1024 });
    const { name: shardName, owner, shardBytes, cellBytes } = shard;
    const value = {
      diskId: DISK_ID,
      name: shardName,
      owner,
      shardBytes,
      cellBytes,
      begunMs: BigInt(shard.begunMs),
    };
    const header = { kind: { case: "header" as const, value } };
    const cells = cellsOf(shard).map((cell) => ({ kind: { case: "cell" as const, value: cell } }));
    const first = cells[0];
    assert.ok(first !== undefined);
    const lie = { kind: { ...first.kind, value: { ...first.kind.value, checksum: 1 } } };
    const call = async (messages: readonly (typeof header | typeof first)[]): Promise<string> => {
      const stream = transport
        .channel(address)
        .clientStream(ShardService.method.writeShard, { deadlineMs: 10_000 });
      return codeOf(
        (async () => {
          for (const message of messages) await stream.write(message);
          await stream.finish();
        })(),
      );
    };
    try {
      assert.equal(await call([]), "invalid");
      assert.equal(await call(cells), "invalid");
      assert.equal(await call([header]), "invalid");
      assert.equal(await call([header, ...cells.slice(1)]), "corrupt");
      assert.equal(await call([header, ...cells.slice(0, -1)]), "invalid");
      assert.equal(await call([header, header]), "invalid");
      assert.equal(await call([header, lie]), "corrupt");
      assert.equal(await call([header, ...cells, first]), "invalid");
      const cut = transport
        .channel(address)
        .clientStream(ShardService.method.writeShard, { deadlineMs: 10_000 });
      await cut.write(header);
      await cut.write(first);
      cut.cancel();
      await codeOf(cut.finish());
      const store = disks.store(DISK_ID);
      assert.equal(store.status.shardCount, 0);
      assert.equal(await call([header, ...cells]), "no error");
      assert.equal(store.status.shardCount, 1);
    } finally {
      await transport.close();
      await server.close(0);
      await disks.close();
    }
  });
}

/** The root group as a node sees it. */
class FakeCluster {
  readonly registrations: CommandKind[] = [];
  readonly heartbeats: MessageInitShape<typeof HeartbeatRequestSchema>[] = [];
  isUp = false;
  forgets = false;

  async execute(groupId: number, kind: CommandKind): Promise<Reply> {
    assert.equal(groupId, ROOT_GROUP);
    if (!this.isUp) throw new StoreError("unavailable", "no leader");
    assert.equal(kind.case, "registerNode");
    this.registrations.push(kind);
    const count = kind.case === "registerNode" ? (kind.value.disks?.length ?? 0) : 0;
    const diskIds = Array.from({ length: count }, (_, index) => 20 + index);
    const value = { nodeId: 7, diskIds, mapEpoch: 1n };
    return create(ReplySchema, { outcome: Outcome.OK, kind: { case: "registerNode", value } });
  }

  async heartbeat(request: MessageInitShape<typeof HeartbeatRequestSchema>) {
    if (!this.isUp) throw new StoreError("timeout", "no answer");
    this.heartbeats.push(request);
    const registerAgain = this.forgets;
    this.forgets = false;
    return create(HeartbeatResponseSchema, { registerAgain });
  }
}

test("a node waits for metadata, registers its disks, reports failed ones, registers again", async () => {
  const disk = new SimDisk();
  const clock = new SimClock();
  const cluster = new FakeCluster();
  const node = new StorageNode(
    {
      disk,
      kvFactory: createSimKvFactory(disk),
      clock,
      random: createSimRandom(5),
      log: recordingLog(),
      metrics: silentMetrics(),
      metadata: cluster,
    },
    {
      name: "s1",
      address: "127.0.0.1:7100",
      campus: "north",
      rack: "r1",
      host: "h1",
      folders: ["d1", "d2"],
      version: "0.1.0",
      settings: { segmentBytes: 32 * 1024, spareBytes: 0 },
    },
  );
  assert.throws(() => node.disks, { code: "unavailable" });
  await node.start();
  const nowMs = (): number => clock.monotonicMs();
  await clock.run(nowMs() + 20_000);
  assert.equal(node.waitingFor, "metadata");
  assert.throws(() => node.disks.store(20), { code: "unavailable" });
  cluster.isUp = true;
  await clock.run(nowMs() + 10_000);
  assert.equal(node.waitingFor, undefined);
  assert.equal(node.nodeId, 7);
  assert.equal(cluster.registrations.length, 1);
  const before = cluster.heartbeats.length;
  disk.fault = ({ kind, path }) => {
    return kind === "datasync" && path.startsWith("d2/segments") ? "io" : undefined;
  };
  const store = node.disks.store(21);
  const shard = makeShard(1);
  const writer = await store.beginWrite(shard).catch((error: unknown) => {
    assert.ok(error instanceof StoreError && error.code === "io");
    return undefined;
  });
  assert.equal(writer, undefined);
  await clock.run(nowMs() + 5000);
  assert.ok(cluster.heartbeats.length >= before + 4, `${cluster.heartbeats.length} heartbeats`);
  assert.deepEqual(
    cluster.heartbeats.at(-1)?.disks?.map(({ diskId, state }) => [diskId, state]),
    [
      [20, DiskState.UP],
      [21, DiskState.FAILED],
    ],
  );
  cluster.forgets = true;
  await clock.run(nowMs() + 5000);
  assert.equal(cluster.registrations.length, 2);
  assert.deepEqual(cluster.registrations[1], cluster.registrations[0]);
  assert.equal(cluster.heartbeats.at(-1)?.leaving, false);
  let hasLeft = false;
  const left = node.leave().then(() => {
    hasLeft = true;
  });
  await clock.run(nowMs() + 500);
  assert.equal(cluster.heartbeats.at(-1)?.leaving, true);
  assert.equal(hasLeft, false, "writers have not seen the map yet");
  await clock.run(nowMs() + 5000);
  await left;
  assert.equal(cluster.heartbeats.at(-1)?.leaving, true, "it still goes");
  await node.stop();
});
