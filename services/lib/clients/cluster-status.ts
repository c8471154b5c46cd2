// Turns a report into the status object of `dolium status`: states, leaders, what is owed, and what
// may fail now, in fields and in a sentence. The sentence says "healthy" only when all is known to
// be well.
import { toHex } from "../base/bytes.ts";
import type { ClusterStatusResponse, DiskReport } from "../gen/dolium/cluster/v1/cluster_pb.ts";
import type { ReplicaStatusResponse_Group as GroupStatus } from "../gen/dolium/metadata/v1/metadata_pb.ts";
import type { NodeRecord } from "../gen/dolium/record/v1/cluster_pb.ts";
import type { ClusterMap, NodeInfo } from "../placement/cluster-map.ts";
import { type Survival, survivesText } from "../placement/survives.ts";
import { clusterMapFromRecord } from "./cluster-map-record.ts";
import type { ClusterReport } from "./cluster-report.ts";
import { repairMargin, toleranceNow } from "./failure-tolerance.ts";
import { type KeeperReport, type RebalanceView, readKeepers } from "./keeper-report.ts";
import { quorumsOf } from "./quorum.ts";
import { alarmsOf, newestReports, type VerificationReport } from "./verify/verification-report.ts";

export interface NodeView {
  readonly name: string;
  readonly role: string;
  readonly address: string;
  readonly state: string;
  readonly campus?: string;
  readonly disks?: readonly DiskView[];
  /** Given up by an operator. */
  readonly removed?: boolean;
  /** Of a node being emptied: shards it still has, as of the last count; null: not counted. */
  readonly shardsLeft?: number | null;
  /** It is being emptied, and does not answer. */
  readonly silent?: boolean;
  /** It was being emptied, and a whole count found that it has nothing any more. */
  readonly drained?: boolean;
}

export interface DiskView {
  readonly diskId: number;
  readonly state: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly shardCount: number;
  readonly corruptShards: number;
  readonly scrubPasses: number;
  /** Share of the present pass that is done; 1 between passes. */
  readonly scrubProgressRatio: number;
  /** When a pass last ended, milliseconds since 1970; 0: never. */
  readonly scrubCompletedMs: number;
  /** The last pass asked for by an operator that is done here. */
  readonly scrubPassDone: number;
  /** Bytes that it counts for in placement. */
  readonly weight: number;
}

export interface ReplicaView {
  readonly name: string;
  readonly replicaId: string;
  readonly address: string;
  readonly role: string;
  readonly leads: boolean;
  readonly appliedIndex: number;
  readonly digestIndex: number;
  readonly digest: string;
  readonly state: string;
}

export interface GroupView {
  readonly groupId: number;
  readonly leader: string;
  readonly term: number;
  readonly commitIndex: number;
  readonly replicas: readonly ReplicaView[];
}

export interface DurabilityView {
  /** Every shard of every object is where its policy wants it, and every node is up. */
  readonly fullRedundancy: boolean;
  readonly objects: number;
  readonly bytes: number;
  readonly shardsOwed: number;
  readonly chunksWaitingForRepair: number;
  /** Of those, by how many more shards each may lose; below 0: not readable now. */
  readonly chunksByMargin: Readonly<Record<string, number>>;
  readonly garbageEntries: number;
  readonly uploadsOpen: number;
  /** Lost disks whose chunks have not all been queued for repair yet. */
  readonly lostDisksBeingSearched: number;
}

export interface MayFail {
  readonly storageNodes: number;
  readonly disks: number;
  readonly campuses: number;
  readonly metadataReplicas: number;
}

export interface GarbageFreezeView {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

export interface StatusView {
  readonly healthy: boolean;
  readonly summary: string;
  readonly clusterId: string;
  readonly mapEpoch: number;
  readonly nodes: readonly NodeView[];
  readonly groups: readonly GroupView[];
  readonly durability: DurabilityView;
  readonly mayFail: MayFail;
  readonly policies: readonly Survival[];
  readonly problems: readonly string[];
  /** Null while no keeper says. */
  readonly rebalance: RebalanceView | null;
  /** Passes of repair that operators asked for: how many, and how many of them are done. */
  readonly repairPass: { readonly asked: number; readonly done: number };
  /** Null unless garbage and orphans are kept, by an operator, a restored backup or an alarm. */
  readonly garbageFreeze: GarbageFreezeView | null;
  /** Of each verifier the last pass that ended. */
  readonly verified: VerificationReport;
}

const SILENT_MS = 5000n;

/** What the parts of the status are made of. */
interface StatusFacts {
  readonly report: ClusterReport;
  readonly map: ClusterMap | undefined;
  readonly groups: readonly GroupView[];
  readonly keepers: KeeperReport;
  /** Lost disks that some group has not been searched for. */
  readonly unsearched: readonly number[];
}

export function describeCluster(report: ClusterReport): StatusView {
  const { cluster } = report;
  const map = cluster?.map === undefined ? undefined : clusterMapFromRecord(cluster.map);
  const groups = groupViews(report);
  const keepers = readKeepers(cluster);
  const nodes = [
    ...metadataNodes(report),
    ...storageNodes(report, map, keepers),
    ...others(cluster),
  ];
  const unsearched = lostAndUnsearched(report, map, keepers);
  const facts = { report, map, groups, keepers, unsearched };
  const durability = durabilityOf(facts, nodes);
  const policies = survivals(map);
  const mayFail = whatMayFail(facts, policies);
  const problems = problemsOf(report, { nodes, groups, durability });
  return {
    healthy: problems.length === 0,
    summary: summaryOf(problems, mayFail, durability),
    clusterId: cluster?.map?.clusterId ?? "",
    mapEpoch: map?.epoch ?? 0,
    nodes,
    groups,
    durability,
    mayFail,
    policies,
    problems,
    rebalance: keepers.rebalance ?? null,
    repairPass: {
      asked: Number(cluster?.map?.repairPass ?? 0n),
      done: Math.min(keepers.repairPassDone, Number(cluster?.map?.repairPass ?? 0n)),
    },
    garbageFreeze: freezeView(report),
    verified: verifiedOf(report),
  };
}

function freezeView({ cluster }: ClusterReport): GarbageFreezeView | null {
  const freeze = cluster?.map?.garbageFreeze;
  if (freeze === undefined) return null;
  return { reason: freeze.reason, sinceMs: Number(freeze.sinceMs) };
}

function verifiedOf({ cluster }: ClusterReport): VerificationReport {
  const keepers = (cluster?.processes ?? []).filter(({ role }) => role === "keeper");
  return newestReports(keepers.map(({ details }) => details));
}

function metadataNodes(report: ClusterReport): NodeView[] {
  return report.replicas.map(({ address, status, failure }) => ({
    name: status?.name ?? address,
    role: "metadata",
    address,
    state: status === undefined ? `no answer: ${failure}` : status.state,
  }));
}

function storageNodes(
  { cluster }: ClusterReport,
  map: ClusterMap | undefined,
  keepers: KeeperReport,
): NodeView[] {
  const reports = new Map((cluster?.disks ?? []).map((disk) => [disk.diskId, disk]));
  const records = new Map((cluster?.map?.nodes ?? []).map((node) => [node.nodeId, node]));
  return (map?.nodes ?? []).map((node) => {
    const record = records.get(node.nodeId);
    return {
      name: node.name,
      role: "storage",
      address: node.address,
      state: node.state,
      campus: node.campus,
      disks: node.disks.map((disk) => diskView(disk, reports.get(disk.diskId))),
      ...(record?.removed === true ? { removed: true } : {}),
      ...(node.state === "draining" && record !== undefined ? emptying(record, keepers) : {}),
      ...(isSilent(cluster, node) ? { silent: true } : {}),
    };
  });
}

/** A node that is being emptied keeps that state when it falls silent. */
function isSilent(cluster: ClusterStatusResponse | undefined, { name, state }: NodeInfo): boolean {
  if (state !== "draining") return false;
  const running = cluster?.processes.find((one) => one.role === "storage" && one.name === name);
  return running === undefined || running.lastHeardMsAgo > SILENT_MS;
}

/** A count speaks of a node only when it began after the node was told to be emptied. */
function emptying(
  { nodeId, stateSinceMs }: Pick<NodeRecord, "nodeId" | "stateSinceMs">,
  { rebalance, leaving }: KeeperReport,
): { readonly shardsLeft: number | null; readonly drained: boolean } {
  const countedMs = rebalance?.countedMs ?? 0;
  if (countedMs === 0 || countedMs <= Number(stateSinceMs)) {
    return { shardsLeft: null, drained: false };
  }
  const shardsLeft = leaving.get(nodeId) ?? 0;
  return { shardsLeft, drained: shardsLeft === 0 };
}

function diskView(disk: NodeInfo["disks"][number], report: DiskReport | undefined): DiskView {
  return {
    diskId: disk.diskId,
    state: disk.state,
    sizeBytes: Number(report?.sizeBytes ?? 0n),
    freeBytes: Number(report?.freeBytes ?? 0n),
    shardCount: Number(report?.shardCount ?? 0n),
    corruptShards: Number(report?.corruptShards ?? 0n),
    scrubPasses: Number(report?.scrubPasses ?? 0n),
    scrubProgressRatio: report?.scrubShare ?? 0,
    scrubCompletedMs: Number(report?.scrubCompletedMs ?? 0n),
    scrubPassDone: Number(report?.scrubPassDone ?? 0n),
    weight: disk.weight,
  };
}

function others(cluster: ClusterStatusResponse | undefined): NodeView[] {
  return (cluster?.processes ?? [])
    .filter((running) => running.role !== "storage" && running.role !== "metadata")
    .map((running) => ({
      name: running.name,
      role: running.role,
      address: running.address,
      state: running.lastHeardMsAgo > SILENT_MS ? "silent" : "up",
    }));
}

function groupViews(report: ClusterReport): GroupView[] {
  const byGroup = new Map<number, { group: GroupStatus; view: ReplicaView }[]>();
  for (const { status, address } of report.replicas) {
    for (const group of status?.groups ?? []) {
      const list = byGroup.get(group.groupId) ?? [];
      const replicaId = status?.replicaId ?? 0n;
      const voter = group.voters.some((peer) => peer.replicaId === replicaId);
      const learner = group.learners.some((peer) => peer.replicaId === replicaId);
      list.push({
        group,
        view: {
          name: status?.name ?? "",
          replicaId: String(replicaId),
          address,
          role: voter ? "voter" : learner ? "learner" : "outside",
          leads: group.role === "leader",
          appliedIndex: Number(group.appliedIndex),
          digestIndex: Number(group.digestIndex),
          digest: toHex(group.digest),
          state: group.state,
        },
      });
      byGroup.set(group.groupId, list);
    }
  }
  return [...byGroup.entries()].sort(([a], [b]) => a - b).map(([id, list]) => groupView(id, list));
}

function groupView(
  groupId: number,
  list: readonly { group: GroupStatus; view: ReplicaView }[],
): GroupView {
  const leaders = list.filter(({ view }) => view.leads);
  const newest = leaders.toSorted((a, b) => Number(b.group.term - a.group.term))[0];
  return {
    groupId,
    leader: newest?.view.name ?? "",
    term: Number(newest?.group.term ?? 0n),
    commitIndex: Number(newest?.group.commitIndex ?? 0n),
    replicas: list.map(({ view }) => view),
  };
}

function durabilityOf(
  { report, map, unsearched }: StatusFacts,
  nodes: readonly NodeView[],
): DurabilityView {
  const stats = [...report.stats.values()];
  const sum = (field: "versions" | "bytes" | "shardsOwed" | "repairEntries" | "garbageEntries") =>
    stats.reduce((total, entry) => total + Number(entry?.[field] ?? 0n), 0);
  const searching = unsearched.length;
  const shardsOwed = sum("shardsOwed");
  const chunksWaitingForRepair = sum("repairEntries");
  const known =
    map !== undefined && stats.length > 0 && stats.every((entry) => entry !== undefined);
  const storageUp = nodes.every((node) => node.role !== "storage" || isAsMeant(node));
  return {
    fullRedundancy:
      known && storageUp && shardsOwed === 0 && chunksWaitingForRepair === 0 && searching === 0,
    objects: sum("versions"),
    bytes: sum("bytes"),
    shardsOwed,
    chunksWaitingForRepair,
    chunksByMargin: byMargin(report),
    garbageEntries: sum("garbageEntries"),
    uploadsOpen: stats.reduce((total, entry) => total + Number(entry?.uploads ?? 0n), 0),
    lostDisksBeingSearched: searching,
  };
}

function byMargin({ queues }: ClusterReport): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { entries } of queues?.values() ?? []) {
    for (const entry of entries) {
      const margin = String(repairMargin(entry));
      counts[margin] = (counts[margin] ?? 0) + 1;
    }
  }
  return counts;
}

/** Up, or away because an operator wants it so. */
function isAsMeant({ state, removed, silent }: NodeView): boolean {
  if (state === "draining") return silent !== true;
  return state === "up" || removed === true;
}

/** Lost disks that some group's keeper has not searched for since they were lost. */
function lostAndUnsearched(
  report: ClusterReport,
  map: ClusterMap | undefined,
  { searched }: KeeperReport,
): number[] {
  if (map === undefined) return [];
  const lost = map.nodes.flatMap((node) =>
    node.disks
      .filter((disk) => node.state === "out" || disk.state === "out" || disk.state === "failed")
      .map((disk) => disk.diskId),
  );
  return lost.filter((diskId) =>
    [...report.stats.keys()].some((groupId) => searched.get(groupId)?.has(diskId) !== true),
  );
}

function survivals(map: ClusterMap | undefined): Survival[] {
  if (map === undefined || map.nodes.length === 0) return [];
  return map.policies.map((policy) => survivesText(policy, map));
}

/** How many more may fail from the state as it is now, what is away or lost already taken off. */
function whatMayFail(facts: StatusFacts, policies: readonly Survival[]): MayFail {
  const { map, report } = facts;
  const quorums = quorumsOf(report.replicas);
  const replicas = quorums.map(({ serving, majority }) => serving.length - majority);
  const metadataReplicas = replicas.length === 0 ? 0 : Math.max(0, Math.min(...replicas));
  const name = report.cluster?.map?.defaultPolicy;
  const policy = policies.find((candidate) => candidate.policy === name);
  if (map === undefined || policy === undefined) {
    return { storageNodes: 0, disks: 0, campuses: 0, metadataReplicas };
  }
  const stats = [...report.stats.values()];
  const { nodes, disks } = toleranceNow({
    map: { ...map, nodes: map.nodes.map((node) => silentIsDown(report.cluster, node)) },
    table: policy,
    counted: facts.keepers.counted,
    unsearched: new Set(facts.unsearched),
    queues: [...(report.queues?.values() ?? [])],
    isUnknown: stats.length === 0 || stats.some((entry) => entry === undefined),
  });
  const isWhole = nodes >= policy.nodes;
  return { storageNodes: nodes, disks, campuses: isWhole ? policy.campuses : 0, metadataReplicas };
}

function silentIsDown(cluster: ClusterStatusResponse | undefined, node: NodeInfo): NodeInfo {
  return isSilent(cluster, node) ? { ...node, state: "down" } : node;
}

function problemsOf(
  report: ClusterReport,
  views: {
    readonly nodes: readonly NodeView[];
    readonly groups: readonly GroupView[];
    readonly durability: DurabilityView;
  },
): string[] {
  const problems: string[] = [];
  if (report.cluster === undefined) problems.push(`no root leader: ${report.clusterFailure}`);
  for (const node of views.nodes) {
    const well = isAsMeant(node) || node.state === "serving";
    const silent = node.silent === true ? " and does not answer" : "";
    if (!well) problems.push(`${node.role} ${node.name} is ${node.state}${silent}`);
    for (const disk of node.disks ?? []) {
      if (disk.state === "failed" || disk.state === "readonly") {
        problems.push(`disk ${disk.diskId} of ${node.name} is ${disk.state}`);
      }
    }
  }
  for (const group of views.groups) {
    if (group.leader === "") problems.push(`group ${group.groupId} has no leader`);
    for (const replica of group.replicas) {
      if (replica.state !== "serving") {
        problems.push(`group ${group.groupId} on ${replica.name} is ${replica.state}`);
      }
    }
  }
  const freeze = freezeView(report);
  if (freeze !== null) {
    const since = new Date(freeze.sinceMs).toISOString();
    problems.push(`garbage is frozen since ${since}: ${freeze.reason}`);
  }
  problems.push(...alarmsOf(verifiedOf(report)));
  const { shardsOwed, chunksWaitingForRepair, lostDisksBeingSearched: lost } = views.durability;
  if (shardsOwed > 0) problems.push(`${shardsOwed} shards are owed`);
  if (chunksWaitingForRepair > 0) problems.push(`${chunksWaitingForRepair} chunks wait for repair`);
  if (lost > 0) problems.push(`${lost} lost disks are being searched for chunks to repair`);
  return problems;
}

function summaryOf(
  problems: readonly string[],
  mayFail: MayFail,
  durability: DurabilityView,
): string {
  const { storageNodes, disks, metadataReplicas } = mayFail;
  const stores = storageNodes > 0 ? anyOf(storageNodes, "storage node") : anyOf(disks, "disk");
  const margin = `${stores} and ${anyOf(metadataReplicas, "metadata replica")} may fail`;
  const repairing = `repairing ${durability.chunksWaitingForRepair} chunks`;
  if (problems.length === 0) return `healthy: ${margin}; ${repairing}`;
  const more = problems.length > 1 ? ` and ${problems.length - 1} more` : "";
  return `degraded: ${problems[0]}${more}; ${margin}; ${repairing}`;
}

function anyOf(count: number, what: string): string {
  if (count === 0) return `no ${what}`;
  return `any ${count} ${what}${count === 1 ? "" : "s"}`;
}
