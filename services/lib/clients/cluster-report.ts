// Asks a running cluster how it is: every metadata replica of itself, the root group's leader for
// nodes and processes, every index group for what it owes. What does not answer is reported as
// such, never guessed.
import { mapBounded } from "../base/bounded.ts";
import { equalBytes } from "../base/bytes.ts";
import { toStoreError } from "../base/errors.ts";
import type { ClusterStatusResponse } from "../gen/dolium/cluster/v1/cluster_pb.ts";
import {
  type GroupStatsAnswer,
  MetadataService,
  type ReplicaStatusResponse,
} from "../gen/dolium/metadata/v1/metadata_pb.ts";
import type { RepairEntry } from "../gen/dolium/record/v1/object_pb.ts";
import type { Transport } from "../ports/transport.ts";
import {
  type ChunkPlaces,
  chunkName,
  type QueuedRepairs,
  repairMargin,
} from "./failure-tolerance.ts";
import type { MetadataClient } from "./metadata-client.ts";

export interface ReplicaReport {
  readonly address: string;
  readonly status: ReplicaStatusResponse | undefined;
  /** Why there is no status. */
  readonly failure: string;
}

export interface ClusterReport {
  readonly replicas: readonly ReplicaReport[];
  readonly cluster: ClusterStatusResponse | undefined;
  readonly clusterFailure: string;
  readonly stats: ReadonlyMap<number, GroupStatsAnswer | undefined>;
  /** What waits for repair, by group; without groups where nothing does or that do not answer. */
  readonly queues?: ReadonlyMap<number, QueuedRepairs>;
}

const ASK_MS = 2000;
const WIDTH = 8;
const QUEUE_PAGE = 1000;
const QUEUE_MAX = 20_000;
/** Chunks whose places are looked up; of the others only the margin is known. */
const LOOKED_UP_MAX = 200;

export async function gatherReport(
  transport: Transport,
  metadata: Pick<MetadataClient, "clusterStatus" | "query">,
  addresses: readonly string[],
): Promise<ClusterReport> {
  const replicas = await askReplicas(transport, addresses);
  let cluster: ClusterStatusResponse | undefined;
  let clusterFailure = "";
  try {
    cluster = await metadata.clusterStatus({ deadlineMs: ASK_MS * 2 });
  } catch (error) {
    clusterFailure = toStoreError(error).message;
  }
  const groups = cluster?.map?.indexGroups ?? [];
  const stats = new Map<number, GroupStatsAnswer | undefined>();
  await mapBounded(groups, WIDTH, async (groupId) => {
    stats.set(groupId, await askGroup(metadata, groupId));
  });
  const queues = new Map<number, QueuedRepairs>();
  await mapBounded(groups, WIDTH, async (groupId) => {
    if ((stats.get(groupId)?.repairEntries ?? 0n) === 0n) return;
    const queue = await askQueue(metadata, groupId);
    if (queue === undefined) stats.set(groupId, undefined);
    else queues.set(groupId, queue);
  });
  return { replicas, cluster, clusterFailure, stats, queues };
}

/** Each replica about itself; those that do not answer with the reason. */
export function askReplicas(
  transport: Transport,
  addresses: readonly string[],
): Promise<ReplicaReport[]> {
  return mapBounded(addresses, WIDTH, (address) => askReplica(transport, address));
}

/** Undefined when the group does not answer. */
async function askQueue(
  metadata: Pick<MetadataClient, "query">,
  groupId: number,
): Promise<QueuedRepairs | undefined> {
  const options = { deadlineMs: ASK_MS * 2 };
  const entries: RepairEntry[] = [];
  const chunks = new Map<string, ChunkPlaces>();
  let cursor: Uint8Array = new Uint8Array(0);
  try {
    do {
      const value = { cursor, limit: QUEUE_PAGE };
      const page = await metadata.query(groupId, { case: "listRepairs", value }, options);
      entries.push(...page.entries);
      cursor = page.nextCursor;
    } while (cursor.byteLength > 0 && entries.length < QUEUE_MAX);
    const worst = entries.toSorted(
      (a, b) => Number(b.relaxed) - Number(a.relaxed) || repairMargin(a) - repairMargin(b),
    );
    await mapBounded(worst.slice(0, LOOKED_UP_MAX), WIDTH, async (entry) => {
      const { bucketId, key, manifestId, chunkId } = entry;
      const value = { bucketId, key, manifestIds: [manifestId] };
      const answer = await metadata.query(groupId, { case: "getManifest", value }, options);
      const [manifest] = answer.manifests;
      const chunk = manifest?.chunks.find((one) => equalBytes(one.chunkId, chunkId));
      if (manifest === undefined || chunk === undefined) return;
      const { dataShards } = manifest;
      chunks.set(chunkName(entry), { dataShards, diskIds: chunk.diskIds, owed: entry.owed });
    });
  } catch {
    // Shown as a group that does not answer.
    return undefined;
  }
  return { entries, isCut: cursor.byteLength > 0, chunks };
}

async function askReplica(transport: Transport, address: string): Promise<ReplicaReport> {
  try {
    const status = await transport
      .channel(address)
      .unary(MetadataService.method.replicaStatus, {}, { deadlineMs: ASK_MS });
    return { address, status, failure: "" };
  } catch (error) {
    return { address, status: undefined, failure: toStoreError(error).message };
  }
}

async function askGroup(
  metadata: Pick<MetadataClient, "query">,
  groupId: number,
): Promise<GroupStatsAnswer | undefined> {
  try {
    const kind = { case: "groupStats", value: {} } as const;
    return await metadata.query(groupId, kind, { deadlineMs: ASK_MS * 2 });
  } catch {
    // Shown as a group that does not answer.
    return undefined;
  }
}
