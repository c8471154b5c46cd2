// Bugs planted on purpose, around the product's code, to prove that the checks can fail. Each is
// one that real stores have had. A run with one of them must be caught, and by the check that is
// named beside it.
import type { Clients } from "../../../services/cli/compose/clients.ts";
import type { BodyWriting, MetadataAccess } from "../../../services/gateway/dependencies.ts";
import type { KeeperConfig } from "../../../services/keeper/config.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { BodyWriter } from "../../../services/lib/clients/body-writer.ts";
import type {
  CommandKind,
  ExecuteOptions,
  MetadataClient,
} from "../../../services/lib/clients/metadata-client.ts";
import { ShardClient } from "../../../services/lib/clients/shard-client.ts";
import { StripePool } from "../../../services/lib/clients/stripe-pool.ts";
import type { Disk, DiskFile } from "../../../services/lib/ports/disk.ts";
import { Group } from "../../../services/lib/raft/group.ts";
import type { Fault } from "./nemesis.ts";
import type { Ports, Role } from "./process.ts";

export const PLANTED_BUGS = [
  /** Storage nodes acknowledge shards without syncing them. */
  "skipped-fsync-storage",
  /** The Raft log acknowledges entries without syncing them. */
  "skipped-fsync-raft-log",
  /** Reads are answered from local state, without a read index. */
  "stale-read",
  /** Conditional writes lose their condition. */
  "lost-compare-and-swap",
  /** Shards are judged orphans while their writer may still commit: the fence does not move. */
  "orphan-race",
  /** An overwrite deletes the former shards before it is committed. */
  "garbage-too-early",
  /** A repair writes bytes that are not the lost ones. */
  "repair-wrong-bytes",
  /** A write is acknowledged with k - 1 shards on disks. */
  "wrong-shard-bound",
] as const;
export type PlantedBug = (typeof PLANTED_BUGS)[number];

/** Seeds that find a bug, run by the tests. */
export const PLANTED_SEEDS: Readonly<Partial<Record<PlantedBug, number>>> = {
  "lost-compare-and-swap": 1,
};

/** Faults without which a bug stays asleep. */
const PLANTED_FAULTS: Readonly<Partial<Record<PlantedBug, readonly Fault[]>>> = {
  "skipped-fsync-storage": ["power-cut-of-all"],
  "skipped-fsync-raft-log": ["power-cut-of-all"],
  "stale-read": ["partition", "one-way-cut", "bad-network"],
  "orphan-race": ["slow-disk", "bad-network"],
  "garbage-too-early": ["bad-network", "kill"],
  "repair-wrong-bytes": ["rot", "kill"],
  "wrong-shard-bound": ["kill"],
};

/** The checks that may find each: another one would have found it by accident. */
export const PLANTED_CHECKS: Readonly<Record<string, readonly string[]>> = {
  "skipped-fsync-storage": ["census", "versions", "liveness", "bytes"],
  "skipped-fsync-raft-log": ["linearizable", "versions", "replicas", "answers", "liveness"],
  "stale-read": ["linearizable", "listing"],
  "lost-compare-and-swap": ["linearizable"],
  "orphan-race": ["census", "versions", "liveness"],
  "garbage-too-early": ["census", "versions", "liveness"],
  "repair-wrong-bytes": ["census", "versions", "bytes"],
  "wrong-shard-bound": ["census", "versions", "liveness"],
};

/** The places where a bug can be put in. */
export interface Plants {
  /** `pause`: as long as a sync takes. */
  disk(role: Role, disk: Disk, pause: () => Promise<void>): Disk;
  gateway(
    clients: Clients,
    ports: Ports,
  ): { readonly metadata: MetadataAccess; readonly writer: BodyWriting };
  keeper(clients: Clients, ports: Ports): Clients;
  readonly keeperConfig: Partial<KeeperConfig>;
  /** The faults that bring the bug out; undefined: as the seed draws them. */
  readonly faults: readonly Fault[] | undefined;
  /** Changes what all processes share; the returned function undoes it. */
  install(): () => void;
}

export function plant(bug: PlantedBug | undefined): Plants {
  return {
    disk: (role, disk, pause) => (skipsSync(bug, role) ? withoutSync(disk, role, pause) : disk),
    faults: bug === undefined ? undefined : PLANTED_FAULTS[bug],
    gateway: (clients, ports) => plantInGateway(bug, clients, ports),
    keeper: (clients) => plantInKeeper(bug, clients),
    keeperConfig:
      bug === "orphan-race"
        ? { orphanGraceMs: 1000, orphanQuarantineMs: 0, sweepIntervalMs: 100 }
        : {},
    install: () => (bug === "stale-read" ? withoutBarrier() : () => undefined),
  };
}

function skipsSync(bug: PlantedBug | undefined, role: Role): boolean {
  if (bug === "skipped-fsync-storage") return role === "storage";
  return bug === "skipped-fsync-raft-log" && role === "metadata";
}

function withoutSync(disk: Disk, role: Role, pause: () => Promise<void>): Disk {
  const wanted = role === "storage" ? "/segments/" : "/log/";
  const lying = (file: DiskFile): DiskFile => ({ ...file, datasync: pause });
  return {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return path.includes(wanted) ? lying(file) : file;
    },
  };
}

function withoutBarrier(): () => void {
  const { readBarrier } = Group.prototype;
  Group.prototype.readBarrier = async () => undefined;
  return () => {
    Group.prototype.readBarrier = readBarrier;
  };
}

function plantInGateway(
  bug: PlantedBug | undefined,
  clients: Clients,
  ports: Ports,
): { readonly metadata: MetadataAccess; readonly writer: BodyWriting } {
  const { metadata, writer } = clients;
  if (bug === "lost-compare-and-swap") return { metadata: withoutConditions(metadata), writer };
  if (bug === "garbage-too-early") return { metadata: eagerDeletes(clients), writer };
  if (bug !== "wrong-shard-bound") return { metadata, writer };
  const { view, erasure } = clients;
  const { clock, random, log, transport } = ports;
  const shards = new ShardClient(transport);
  const openWrite = shards.openWrite.bind(shards);
  shards.openWrite = (request) => {
    const write = openWrite(request);
    if (request.shard.shardIndex < KEPT_SHARDS) return write;
    // Said to be durable as soon as it is handed over, and never asked about again.
    write.cancel();
    return { write: async () => undefined, finish: async () => undefined, cancel: () => undefined };
  };
  const pool = new StripePool(POOL_BYTES);
  return {
    metadata,
    writer: new BodyWriter({ view, shards, erasure, pool, clock, random, log }),
  };
}

/** One fewer than the data shards of the simulated policy. */
const KEPT_SHARDS = 3;
const POOL_BYTES = 64 * 1024 * 1024;

function withoutConditions(metadata: MetadataClient): MetadataAccess {
  return {
    query: metadata.query.bind(metadata),
    execute: (groupId, kind, options) => {
      const value = { ...kind.value };
      Reflect.deleteProperty(value, "condition");
      const stripped: CommandKind = Object.assign({ ...kind }, { value });
      return metadata.execute(groupId, stripped, options);
    },
  };
}

/** Frees what a write will replace before it is known whether it will. */
function eagerDeletes({ metadata, view, shards }: Clients): MetadataAccess {
  async function free(groupId: number, bucketId: number, key: Uint8Array): Promise<void> {
    const value = { bucketId, key, withBody: true };
    const { manifests } = await metadata.query(groupId, { case: "getObject", value });
    for (const { chunks, manifestId } of manifests) {
      for (const { chunkId, diskIds } of chunks) {
        for (const [shardIndex, diskId] of diskIds.entries()) {
          const disk = view.addressOf(diskId);
          if (disk === undefined) continue;
          const name = { chunkId, shardIndex };
          await shards.delete(disk, [{ name, manifestId, begunBeforeMs: 0n }]);
        }
      }
    }
  }
  return {
    query: metadata.query.bind(metadata),
    execute: async (groupId: number, kind: CommandKind, options?: ExecuteOptions) => {
      if (kind.case === "putObject") {
        const { bucketId, key } = kind.value;
        if (bucketId !== undefined && key !== undefined) await free(groupId, bucketId, key);
      }
      return metadata.execute(groupId, kind, options);
    },
  };
}

function plantInKeeper(bug: PlantedBug | undefined, clients: Clients): Clients {
  const { metadata, erasure } = clients;
  if (bug === "orphan-race") {
    const execute = metadata.execute.bind(metadata);
    metadata.execute = async (groupId, kind, options) => {
      if (kind.case !== "advanceFence") return execute(groupId, kind, options);
      // The fence is said to stand where it was wanted, and stands where it stood.
      const still = { case: "advanceFence", value: { fenceMs: 0n } } as const;
      const reply = await execute(groupId, still, options);
      if (reply.kind.case !== "advanceFence") throw new StoreError("internal", "no fence");
      reply.kind.value.fenceMs = BigInt(kind.value.fenceMs ?? 0n);
      return reply;
    };
  }
  if (bug !== "repair-wrong-bytes") return clients;
  const wrong: Clients["erasure"] = {
    encode: (data, parity) => erasure.encode(data, parity),
    reconstruct: (known, scheme, wanted) => {
      const rebuilt = erasure.reconstruct(known, scheme, wanted);
      for (const shard of rebuilt) if (shard.byteLength > 0) shard[0] = (shard[0] ?? 0) ^ 1;
      return rebuilt;
    },
  };
  return { ...clients, erasure: wrong };
}
