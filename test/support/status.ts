// Reads the parts of `dolium status --json` that tests wait for.
import { eventually } from "./eventually.ts";
import type { LocalCluster } from "./local-cluster.ts";

export interface Status {
  readonly healthy: boolean;
  readonly summary: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly state: string;
    readonly disks?: readonly {
      readonly diskId: number;
      readonly state: string;
      readonly scrubPasses: number;
      readonly shardCount: number;
    }[];
  }[];
  readonly groups: readonly {
    readonly groupId: number;
    readonly leader: string;
    readonly replicas: readonly { readonly name: string; readonly role: string; state: string }[];
  }[];
  readonly durability: {
    readonly fullRedundancy: boolean;
    readonly shardsOwed: number;
    readonly chunksWaitingForRepair: number;
  };
}

export async function readStatus(cluster: LocalCluster): Promise<Status> {
  // Shape by contract; a missing field fails the assertion that reads it.
  return (await cluster.status()) as unknown as Status;
}

/** Name of the process that leads a group (1: the root group). */
export async function leaderOf(cluster: LocalCluster, groupId: number): Promise<string> {
  return eventually(`leader of group ${groupId}`, 60_000, async () => {
    const { groups } = await readStatus(cluster);
    const leader = groups.find((group) => group.groupId === groupId)?.leader;
    return leader === "" ? undefined : leader;
  });
}

/** Until every shard of every object is where its policy wants it, and everything is up. */
export async function untilFullRedundancy(cluster: LocalCluster, timeoutMs: number): Promise<void> {
  await eventually("full redundancy", timeoutMs, async () => {
    const status = await readStatus(cluster);
    if (status.durability.fullRedundancy && status.healthy) return true;
    throw new Error(status.summary);
  });
}
