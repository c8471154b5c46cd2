// Asks a running cluster how it is: every metadata replica of itself, the root group's leader for
// nodes and processes, every index group for what it owes. What does not answer is reported as
// such, never guessed.
import { mapBounded } from "../base/bounded.ts";
import { toStoreError } from "../base/errors.ts";
import type { ClusterStatusResponse } from "../gen/dolium/cluster/v1/cluster_pb.ts";
import {
  type GroupStatsAnswer,
  MetadataService,
  type ReplicaStatusResponse,
} from "../gen/dolium/metadata/v1/metadata_pb.ts";
import type { Transport } from "../ports/transport.ts";
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
}

const ASK_MS = 2000;
const WIDTH = 8;

export async function gatherReport(
  transport: Transport,
  metadata: Pick<MetadataClient, "clusterStatus" | "query">,
  addresses: readonly string[],
): Promise<ClusterReport> {
  const replicas = await mapBounded(addresses, WIDTH, (address) => askReplica(transport, address));
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
  return { replicas, cluster, clusterFailure, stats };
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
