// Storage nodes for tests of the clients: the shard service over the in-process transport, with
// shards in memory and faults at will (refusing, stalling, wrong bytes). What is durable on real
// disks is tested with the storage service itself.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { toHex } from "../../services/lib/base/bytes.ts";
import { StoreError } from "../../services/lib/base/errors.ts";
import { ClusterView } from "../../services/lib/clients/cluster-view.ts";
import { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../services/lib/clients/shard-client.ts";
import { cellChecksum } from "../../services/lib/erasure/checksum.ts";
import {
  type ClusterMap,
  ClusterMapSchema,
  DiskState,
  NodeState,
} from "../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ReadShardRequest,
  type ReadShardResponseSchema,
  type ShardName,
  ShardService,
  StatShardsResponse_State as ShardState,
  type WriteShardRequest,
} from "../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createLocalNetwork } from "../../services/lib/host/local-transport.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import type { Log } from "../../services/lib/ports/log.ts";
import type { CallContext, ServiceHandlers } from "../../services/lib/ports/transport.ts";

export const SILENT_LOG: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT_LOG,
};

export interface StoredShard {
  readonly cells: Uint8Array[];
  readonly begunMs: bigint;
}

export interface NodeFaults {
  /** Every call fails as if nobody listened. */
  refuse?: boolean;
  /** Writes and reads wait until the caller gives up. */
  stall?: boolean;
  /** The shard arrives, but the end of a write fails. */
  failFinish?: boolean;
  /** Cells are served with a flipped bit: all of them, or the one of this number. */
  rot?: boolean | number;
  /** As nodes of earlier releases: one cell an answer, whatever was asked for. */
  single?: boolean;
}

export interface TestPolicy {
  readonly k: number;
  readonly m: number;
  readonly cellBytes: number;
}

const GIB = 1024n ** 3n;

/** One disk a node; disk ids are node ids. */
export class ShardNodes {
  readonly shards = new Map<string, StoredShard>();
  readonly faults = new Map<number, NodeFaults>();
  /** Answers with cells, of all nodes together. */
  answers = 0;
  readonly client: ShardClient;
  readonly view: ClusterView;
  readonly clock = createClock();
  readonly random = createRandom();
  readonly #shape: MapShape;
  #map: ClusterMap;
  readonly #network = createLocalNetwork({
    clock: this.clock,
    random: this.random,
    log: SILENT_LOG,
  });

  constructor(count: number, policy: TestPolicy) {
    const transport = this.#network.createTransport();
    const ports = { transport, clock: this.clock, random: this.random, log: SILENT_LOG };
    this.client = new ShardClient(transport);
    const metadata = new MetadataClient(ports, { addresses: ["nobody:1"] });
    this.view = new ClusterView(metadata, this.clock, SILENT_LOG);
    this.#shape = { count, policy };
    this.#map = mapOf(this.#shape);
    this.view.adopt(this.#map);
  }

  /** From now on the committed map says that of the node. */
  commit(nodeId: number, state: NodeState): void {
    this.#map.epoch += 1n;
    for (const node of this.#map.nodes) if (node.nodeId === nodeId) node.state = state;
    this.view.adopt(this.#map);
  }

  /** From now on the nodes stand in so many campuses, in turn, each a failure domain. */
  moveToCampuses(campuses: number, down: readonly number[] = []): void {
    this.#map = mapOf({ ...this.#shape, campuses, down, epoch: this.#map.epoch + 1n });
    this.view.adopt(this.#map);
  }

  async listen(count: number): Promise<void> {
    for (let nodeId = 1; nodeId <= count; nodeId += 1) {
      const server = this.#network.createServer();
      server.add(ShardService, this.#handlers(nodeId));
      await server.listen(`node-${nodeId}:1`);
    }
  }

  #handlers(nodeId: number): ServiceHandlers<typeof ShardService> {
    const meet = async (context: CallContext): Promise<void> => {
      const faults = this.faults.get(nodeId) ?? {};
      if (faults.refuse === true) throw new StoreError("unavailable", "refused by the test");
      if (faults.stall === true) await untilAborted(context.signal);
    };
    return {
      writeShard: async (requests, context) => {
        await meet(context);
        const shard = await this.#receive(nodeId, requests);
        if (this.faults.get(nodeId)?.failFinish === true) throw new StoreError("io", "no disk");
        this.shards.set(shard.name, shard.stored);
        return {};
      },
      readShard: (request, context) => this.#read(nodeId, request, () => meet(context)),
      deleteShards: async () => ({ deleted: 0 }),
      statShards: async () => ({ states: [ShardState.PRESENT] }),
      listShards: async () => ({ entries: [] }),
      listBadShards: async () => ({ entries: [] }),
      retryDisk: async () => ({}),
      diskDoubt: async () => ({}),
      damageCanary: async () => ({}),
    };
  }

  async #receive(
    nodeId: number,
    requests: AsyncIterable<WriteShardRequest>,
  ): Promise<{ name: string; stored: StoredShard }> {
    let name = "";
    let begunMs = 0n;
    let declared = 0;
    const cells: Uint8Array[] = [];
    let id: { chunkId: Uint8Array; shardIndex: number } | undefined;
    for await (const { kind } of requests) {
      if (kind.case === "header") {
        id = kind.value.name;
        begunMs = kind.value.begunMs;
        declared = kind.value.shardBytes;
        name = nameOf(nodeId, id);
      } else if (kind.case === "cell" && id !== undefined) {
        const { data, checksum } = kind.value;
        if (cellChecksum(id.chunkId, id.shardIndex, cells.length, data) !== checksum) {
          throw new StoreError("corrupt", "cell arrived wrong");
        }
        cells.push(new Uint8Array(data));
      }
    }
    const length = cells.reduce((sum, cell) => sum + cell.byteLength, 0);
    if (length !== declared) throw new StoreError("invalid", `${length} of ${declared} bytes`);
    return { name, stored: { cells, begunMs } };
  }

  async *#read(
    nodeId: number,
    request: ReadShardRequest,
    meet: () => Promise<void>,
  ): AsyncIterable<MessageInitShape<typeof ReadShardResponseSchema>> {
    await meet();
    const stored = this.shards.get(nameOf(nodeId, request.name));
    if (stored === undefined || request.name === undefined) {
      throw new StoreError("not-found", "no such shard");
    }
    const { single = false } = this.faults.get(nodeId) ?? {};
    const { firstCell, cellCount, runBytes } = request;
    const end = cellCount === 0 ? stored.cells.length : firstCell + cellCount;
    const cellBytes = stored.cells[0]?.byteLength ?? 1;
    const runCells = single || runBytes === 0 ? 1 : Math.max(1, Math.floor(runBytes / cellBytes));
    for (let at = firstCell; at < end; at += runCells) {
      await meet();
      const cells = stored.cells.slice(at, Math.min(end, at + runCells));
      const checksums = cells.map((cell, index) => checksumOf(request.name, at + index, cell));
      const data = new Uint8Array(Buffer.concat(cells));
      this.#spoil(nodeId, data, { firstCell: at, cellBytes });
      this.answers += 1;
      if (single || runBytes === 0) yield { cell: { data, checksum: checksums[0] ?? 0 } };
      else yield { run: { data, cellBytes, checksums } };
    }
  }

  /** Flips a bit of each cell that rotted. */
  #spoil(nodeId: number, data: Uint8Array, run: { firstCell: number; cellBytes: number }): void {
    const { rot = false } = this.faults.get(nodeId) ?? {};
    for (let at = 0; at < data.byteLength; at += run.cellBytes) {
      const isRotten = rot === true || rot === run.firstCell + at / run.cellBytes;
      if (isRotten) data[at] = (data[at] ?? 0) ^ 1;
    }
  }
}

function checksumOf(name: ShardName | undefined, cellIndex: number, cell: Uint8Array): number {
  return name === undefined ? 0 : cellChecksum(name.chunkId, name.shardIndex, cellIndex, cell);
}

export function nameOf(
  nodeId: number,
  name: { chunkId: Uint8Array; shardIndex: number } | undefined,
): string {
  return `${nodeId}/${toHex(name?.chunkId ?? new Uint8Array(0))}/${name?.shardIndex ?? -1}`;
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new StoreError("aborted", "the caller gave up"));
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return promise;
}

interface MapShape {
  readonly count: number;
  readonly policy: TestPolicy;
  readonly epoch?: bigint;
  readonly campuses?: number;
  readonly down?: readonly number[];
}

function mapOf({ count, policy, epoch = 1n, campuses, down = [] }: MapShape) {
  return create(ClusterMapSchema, {
    epoch,
    clusterId: "test",
    defaultPolicy: "standard",
    placementGroupCount: 32,
    indexGroups: [2],
    policies: [
      {
        name: "standard",
        dataShards: policy.k,
        parityShards: policy.m,
        cellBytes: policy.cellBytes,
        failureDomain: campuses === undefined ? "node" : "campus",
      },
    ],
    nodes: Array.from({ length: count }, (_, at) => ({
      nodeId: at + 1,
      name: `node-${at + 1}`,
      address: `node-${at + 1}:1`,
      host: `host-${at + 1}`,
      campus: campuses === undefined ? "" : `campus-${at % campuses}`,
      state: down.includes(at + 1) ? NodeState.DOWN : NodeState.UP,
      disks: [{ diskId: at + 1, weight: GIB, state: DiskState.UP }],
    })),
  });
}
