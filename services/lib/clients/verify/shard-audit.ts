// Asks the storage nodes whether the shards that manifests name are there: their index, or with
// `deep` every byte. A disk that does not answer proves nothing.
import { mapBounded } from "../../base/bounded.ts";
import { toHex } from "../../base/bytes.ts";
import type { Manifest } from "../../gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../gen/dolium/storage/v1/storage_pb.ts";
import type { ClusterView } from "../cluster-view.ts";
import type { ShardClient } from "../shard-client.ts";

export type ShardCondition =
  | "good"
  /** The node says it has none. */
  | "missing"
  | "corrupt"
  /** The manifest says that it is durable nowhere yet. */
  | "owed"
  /** Its disk failed, or is out. */
  | "lost"
  /** Its node does not answer. */
  | "silent";

export interface ShardFinding {
  readonly manifest: Manifest;
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  /** 0: owed. */
  readonly diskId: number;
  readonly condition: ShardCondition;
}

export interface AuditDeps {
  readonly view: Pick<ClusterView, "addressOf">;
  readonly shards: Pick<ShardClient, "stat">;
}

const NAMES_PER_CALL = 500;
/** Reading takes long: few at a time, so that a call ends before its deadline. */
const DEEP_NAMES_PER_CALL = 8;
const DISKS_AT_ONCE = 8;

interface Asked {
  readonly manifest: Manifest;
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  readonly diskId: number;
}

export interface AuditOptions {
  readonly deep: boolean;
  readonly signal: AbortSignal;
  /** Only shards on this disk. */
  readonly onDisk?: number | undefined;
}

/** One finding for each shard of the manifests, good ones too. Rejects only on the signal. */
export async function auditShards(
  deps: AuditDeps,
  manifests: readonly Manifest[],
  options: AuditOptions,
): Promise<ShardFinding[]> {
  const findings: ShardFinding[] = [];
  const { onDisk } = options;
  const shards = manifests
    .flatMap(shardsOf)
    .filter(({ diskId }) => onDisk === undefined || diskId === onDisk);
  const byDisk = Map.groupBy(shards, ({ diskId }) => diskId);
  await mapBounded([...byDisk], DISKS_AT_ONCE, async ([diskId, shards]) => {
    const conditions = await askDisk(deps, { diskId, shards }, options);
    shards.forEach((shard, at) => {
      findings.push({ ...shard, condition: conditions[at] ?? "silent" });
    });
  });
  options.signal.throwIfAborted();
  return findings;
}

function shardsOf(manifest: Manifest): Asked[] {
  return manifest.chunks.flatMap(({ chunkId, diskIds }) =>
    diskIds.map((diskId, shardIndex) => ({ manifest, chunkId, shardIndex, diskId })),
  );
}

async function askDisk(
  { view, shards: client }: AuditDeps,
  { diskId, shards }: { readonly diskId: number; readonly shards: readonly Asked[] },
  { deep, signal }: { readonly deep: boolean; readonly signal: AbortSignal },
): Promise<ShardCondition[]> {
  if (diskId === 0) return shards.map(() => "owed");
  const disk = view.addressOf(diskId);
  if (disk === undefined) return shards.map(() => "lost");
  const conditions: ShardCondition[] = [];
  const step = deep ? DEEP_NAMES_PER_CALL : NAMES_PER_CALL;
  for (let at = 0; at < shards.length && !signal.aborted; at += step) {
    const some = shards.slice(at, at + step);
    const names = some.map(({ chunkId, shardIndex }) => ({ chunkId, shardIndex }));
    try {
      const states = await client.stat(disk, names, { verify: deep, signal });
      conditions.push(...some.map((_, index) => conditionOf(states[index])));
    } catch {
      // What the node could not be asked about is said to be silent, and judged by the caller.
      conditions.push(...some.map((): ShardCondition => "silent"));
    }
  }
  return conditions;
}

function conditionOf(state: ShardState | undefined): ShardCondition {
  if (state === ShardState.PRESENT) return "good";
  if (state === ShardState.MISSING) return "missing";
  return state === ShardState.CORRUPT ? "corrupt" : "silent";
}

export interface ChunkFindings {
  readonly manifest: Manifest;
  readonly chunkId: Uint8Array;
  readonly shards: readonly ShardFinding[];
  /** As many shards are good as its bytes need. */
  readonly readable: boolean;
}

export function byChunk(findings: readonly ShardFinding[]): ChunkFindings[] {
  const groups = Map.groupBy(findings, ({ chunkId }) => toHex(chunkId));
  return [...groups.values()].flatMap((shards) => {
    const [first] = shards;
    if (first === undefined) return [];
    const { manifest, chunkId } = first;
    const good = shards.filter(({ condition }) => condition === "good").length;
    return [{ manifest, chunkId, shards, readable: good >= manifest.dataShards }];
  });
}
