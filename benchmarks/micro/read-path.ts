// What reading a body costs in processor time between the disk and the HTTP socket: storage
// service, transport, reader and the gateway's sending half together, without the S3 around them:
// `node benchmarks/micro/read-path.ts [folder [MiB [rounds]]]` (the system's folder of temporary
// files, 64, 12). The floor sends the body from memory. Who reads the bytes is a process of its own
// and not counted; both halves of gRPC are. Medians, as rates wander with what the neighbours do.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { create } from "@bufbuild/protobuf";
import { writeAnswer } from "../../services/gateway/response-writer.ts";
import { present } from "../../services/lib/base/assert.ts";
import { BodyReader } from "../../services/lib/clients/body-reader.ts";
import { ShardClient } from "../../services/lib/clients/shard-client.ts";
import { createErasureCompute } from "../../services/lib/erasure/compute.ts";
import {
  chunkSizes,
  cutStripe,
  DEFAULT_CELL_BYTES,
  shardBytes,
  stripeBytes,
} from "../../services/lib/erasure/geometry.ts";
import {
  type Chunk,
  ChunkSchema,
  type Manifest,
  ManifestSchema,
} from "../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { ShardService } from "../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createGrpcServer } from "../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createLocalNetwork } from "../../services/lib/host/local-transport.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import type { RpcServer, Transport } from "../../services/lib/ports/transport.ts";
import { DiskSet } from "../../services/storage/disk-set.ts";
import { DEFAULT_SETTINGS } from "../../services/storage/settings.ts";
import { createShardHandlers } from "../../services/storage/shard-service.ts";
import { createStorageMetrics } from "../../services/storage/storage-metrics.ts";
import { recordingLog, silentMetrics } from "../../test/sim/observers.ts";
import { median } from "../runner/statistics.ts";

const DISK_ID = 1;
const MIB = 2 ** 20;
const clock = createClock();
const random = createRandom();
const erasure = createErasureCompute();

interface Sides {
  readonly server: RpcServer;
  readonly transport: Transport;
}

interface Setting {
  readonly name: string;
  readonly sides: () => Sides;
  readonly k: number;
  readonly m: number;
  /** Data shards that no disk has. */
  readonly lost: number;
}

const SETTINGS: readonly Setting[] = [
  { name: "one process, 1+0", sides: local, k: 1, m: 0, lost: 0 },
  { name: "gRPC, 4+2", sides: grpc, k: 4, m: 2, lost: 0 },
  { name: "gRPC, 4+2, two shards lost", sides: grpc, k: 4, m: 2, lost: 2 },
];

function local(): Sides {
  const network = createLocalNetwork({ clock, random, log: recordingLog() });
  return { server: network.createServer(), transport: network.createTransport() };
}

function grpc(): Sides {
  const server = createGrpcServer({ log: recordingLog(), random });
  return { server, transport: createGrpcTransport() };
}

/** What the reading process tells of one body. */
interface Reading {
  readonly wallMs: number;
  readonly firstByteMs: number;
}

/** The reading process: for each port it is told it reads an answer of `bytes` bytes. */
function readBodies(bytes: number): void {
  process.on("message", (port) => {
    const beganMs = performance.now();
    let firstByteMs = 0;
    let left = bytes;
    let isHead = true;
    const callback = (length: number, view: Uint8Array): boolean => {
      if (firstByteMs === 0) firstByteMs = performance.now() - beganMs;
      // The head comes whole, in the first piece.
      const head = isHead ? Buffer.from(view.buffer, 0, length).indexOf("\r\n\r\n") + 4 : 0;
      isHead = false;
      left -= length - head;
      if (left > 0) return true;
      process.send?.({ wallMs: performance.now() - beganMs, firstByteMs });
      socket.destroy();
      return false;
    };
    const onread = { buffer: Buffer.allocUnsafeSlow(256 * 1024), callback };
    const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true, onread });
    socket.write("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");
  });
}

async function store(
  { k, m, lost }: Setting,
  { client, address }: { readonly client: ShardClient; readonly address: string },
  body: Uint8Array,
): Promise<Manifest> {
  const scheme = { k, m, cellBytes: DEFAULT_CELL_BYTES };
  const chunks: Chunk[] = [];
  let at = 0;
  for (const size of chunkSizes(body.byteLength)) {
    const chunkId = random.bytes(16);
    const writes = Array.from({ length: k + m }, (_, shardIndex) =>
      client.openWrite({
        target: { diskId: DISK_ID, nodeId: 1, address },
        shard: { chunkId, shardIndex },
        owner: { bucketId: 1, key: Buffer.from("key"), manifestId: chunkId },
        ...{ shardBytes: shardBytes(size, scheme), cellBytes: scheme.cellBytes, begunMs: 1 },
      }),
    );
    const end = at + size;
    for (; at < end; at += stripeBytes(scheme)) {
      const data = cutStripe(body.subarray(at, Math.min(end, at + stripeBytes(scheme))), scheme);
      const length = present(data[0], "a cell").byteLength;
      const parity = Array.from({ length: m }, () => new Uint8Array(length));
      if (m > 0) erasure.encode(data, parity);
      const cells = [...data, ...parity];
      await Promise.all(writes.map((write, index) => write.write(present(cells[index], "cell"))));
    }
    at = end;
    await Promise.all(writes.map((write) => write.finish()));
    const diskIds = writes.map((_, index) => (index < lost ? 0 : DISK_ID));
    chunks.push(create(ChunkSchema, { chunkId, size, diskIds }));
  }
  return create(ManifestSchema, {
    ...{ manifestId: random.bytes(16), key: Buffer.from("key"), size: BigInt(body.byteLength) },
    ...{ dataShards: k, parityShards: m, cellBytes: scheme.cellBytes, chunks },
  });
}

/** Answers every request as a gateway does. */
function serveStream(size: number, read: () => AsyncIterable<Uint8Array>): Server {
  return createServer((_request, response) => {
    const body = { kind: "stream", size, source: read() } as const;
    const options = {
      ...{ response, isHead: false, ids: { requestId: "1", hostId: "1" }, clock },
      ...{ idleTimeoutMs: 60_000, close: false, pace: undefined, lateError: String },
      onHead: () => undefined,
      beforeEnd: async () => undefined,
      onSent: () => undefined,
    };
    writeAnswer({ status: 200, headers: [], body }, options).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      response.destroy();
    });
  });
}

async function measure(
  name: string,
  server: Server,
  { reader, rounds }: { readonly reader: ChildProcess; readonly rounds: number },
): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const cpuMs: number[] = [];
  const readings: Reading[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    // Only `readBodies` answers here.
    const told = new Promise<Reading>((resolve) => {
      reader.once("message", (message) => resolve(message as Reading));
    });
    reader.send(present(port, "port"));
    readings.push(await told);
    const { user, system } = process.cpuUsage(before);
    cpuMs.push((user + system) / 1000);
  }
  server.close();
  const wallMs = median(readings.map((reading) => reading.wallMs));
  const firstByteMs = median(readings.map((reading) => reading.firstByteMs));
  const figures = [median(cpuMs), wallMs, firstByteMs].map((ms) => ms.toFixed(1).padStart(8));
  process.stdout.write(`${name.padEnd(28)} ${figures.join(" ")}\n`);
}

async function measureSetting(
  setting: Setting,
  body: Buffer,
  how: { readonly folder: string; readonly reader: ChildProcess; readonly rounds: number },
): Promise<void> {
  const { server, transport } = setting.sides();
  const metrics = createStorageMetrics(silentMetrics());
  const ports = { disk: createDisk(), clock, random, log: recordingLog() };
  const deps = { ...ports, metrics, kvFactory: createKvFactory() };
  const folder = join(how.folder, String(SETTINGS.indexOf(setting)));
  const disks = await DiskSet.open(deps, [folder], { ...DEFAULT_SETTINGS, reserveFraction: 0.01 });
  disks.assignIds([DISK_ID]);
  server.add(
    ShardService,
    createShardHandlers(() => disks, clock),
  );
  const address = await server.listen("127.0.0.1:0");
  const client = new ShardClient(transport);
  const manifest = await store(setting, { client, address }, body);
  const disk = { diskId: DISK_ID, nodeId: 1, address };
  const reader = new BodyReader({
    view: {
      addressOf: (diskId) => (diskId === DISK_ID ? disk : undefined),
      preferred: () => true,
      suspect: () => undefined,
    },
    ...{ shards: client, erasure, clock, onDamage: () => undefined },
  });
  const manifests = [{ manifest, offset: 0 }];
  const request = { bucketId: 1, manifests, firstByte: 0, lastByte: body.byteLength - 1 };
  let at = 0;
  for await (const view of reader.read(request)) {
    const written = body.subarray(at, at + view.byteLength);
    if (!written.equals(view)) throw new Error("other bytes came than were written");
    at += view.byteLength;
  }
  await measure(
    setting.name,
    serveStream(body.byteLength, () => reader.read(request)),
    how,
  );
  await transport.close();
  await server.close(0);
  await disks.close();
}

async function main(root: string, bytes: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(root, "dolium-bench-"));
  const reader = fork(import.meta.filename, ["reader", String(bytes)]);
  try {
    const body = Buffer.from(random.bytes(bytes));
    const header = ["processor", "wall", "1st byte"].map((text) => text.padStart(8)).join(" ");
    process.stdout.write(`${`ms for ${bytes / MIB} MiB`.padEnd(28)}${header}\n`);
    const floor = createServer((_request, response) => {
      response.writeHead(200, { "Content-Length": bytes }).end(body);
    });
    await measure("floor", floor, { reader, rounds });
    for (const setting of SETTINGS) await measureSetting(setting, body, { folder, reader, rounds });
  } finally {
    reader.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

const [first = tmpdir(), size = "64", rounds = "12"] = process.argv.slice(2);
if (first === "reader") readBodies(Number(size));
else await main(first, Number(size) * MIB, Number(rounds));
