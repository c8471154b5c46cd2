// The cluster as a whole: how it is, its nodes, what is to be repaired.
// Nothing here is remembered; every call asks.
import { mapBounded } from "../../../lib/base/bounded.ts";
import { toHex, toSafeNumber } from "../../../lib/base/bytes.ts";
import { type ClusterReport, gatherReport } from "../../../lib/clients/cluster-report.ts";
import { describeCluster, type StatusView } from "../../../lib/clients/cluster-status.ts";
import { linksOf } from "../../../lib/clients/gateway-links.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import {
  DiskState,
  type ClusterMap as MapRecord,
  NodeState,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { ShardService } from "../../../lib/gen/dolium/storage/v1/storage_pb.ts";
import { type AdminAnswer, done, json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter } from "../admin-operation.ts";
import { limitOf } from "../page.ts";
import { refuseUnplaceable } from "./layout-change.ts";

const WIDTH = 8;
/** Calls that run on a disk must end first. */
const RETRY_MS = 30_000;
const WORDS: ReadonlyMap<NodeState, string> = new Map([
  [NodeState.UP, "up"],
  [NodeState.DRAINING, "draining"],
  [NodeState.OUT, "out"],
]);

export const CLUSTER_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "GetCluster",
    method: "GET",
    path: "/cluster",
    summary:
      "What `dolium status --json` shows: nodes, groups, durability, what may fail; and `links`, " +
      "how far gateways are from each campus.",
    admission: { action: "dolium:GetCluster" },
    run: async ({ deps }) => {
      const report = await reportOf(deps);
      return json({ ...describeCluster(report), links: linksOf(report.cluster) });
    },
  },
  {
    name: "ListNodes",
    method: "GET",
    path: "/cluster/nodes",
    summary: "Every process of the cluster with its state; storage nodes with their disks.",
    admission: { action: "dolium:GetCluster" },
    run: async ({ deps }) => json({ items: (await statusOf(deps)).nodes }),
  },
  {
    name: "DrainNode",
    method: "POST",
    path: "/cluster/nodes/{node}/drain",
    summary: "Take a storage node out of placement: nothing new goes to it.",
    admission: { action: "dolium:DrainNode" },
    run: (context) => setNode(context, NodeState.DRAINING),
  },
  {
    name: "UndrainNode",
    method: "POST",
    path: "/cluster/nodes/{node}/undrain",
    summary: "Take a draining node back.",
    admission: { action: "dolium:DrainNode" },
    run: (context) => setNode(context, NodeState.UP, NodeState.DRAINING),
  },
  {
    name: "RemoveNode",
    method: "POST",
    path: "/cluster/nodes/{node}/remove",
    summary: "Give a storage node up for good: what it holds is rebuilt elsewhere.",
    admission: { action: "dolium:RemoveNode" },
    run: removeNode,
  },
  {
    name: "RetryDisk",
    method: "POST",
    path: "/cluster/disks/{disk}/retry",
    summary: "Try a failed disk again now; storage nodes do so by themselves, with pauses.",
    admission: { action: "dolium:RetryDisk" },
    run: retryDisk,
  },
  {
    name: "ReplaceDisk",
    method: "POST",
    path: "/cluster/disks/{disk}/replace",
    summary: "Give a disk up for good: what it holds is rebuilt elsewhere.",
    admission: { action: "dolium:ReplaceDisk" },
    run: replaceDisk,
  },
  {
    name: "ListRepairs",
    method: "GET",
    path: "/repair",
    summary: "Chunks that wait for repair, and how many.",
    admission: { action: "dolium:GetCluster" },
    query: [{ name: "limit", description: "Chunks of each group that are listed." }],
    run: listRepairs,
  },
  {
    name: "StartRepair",
    method: "POST",
    path: "/repair/start",
    summary: "Begin a pass of repair now: search lost disks anew, try again what waits.",
    admission: { action: "dolium:StartRepair" },
    run: ({ deps }) => startPass(deps, { startRepair: true }),
  },
  {
    name: "GetScrub",
    method: "GET",
    path: "/scrub",
    summary: "Passes of the scrubber over each disk, and what it found.",
    admission: { action: "dolium:GetCluster" },
    run: getScrub,
  },
  {
    name: "StartScrub",
    method: "POST",
    path: "/scrub/start",
    summary: "Begin a pass of the scrubber over every disk now, from the start.",
    admission: { action: "dolium:StartScrub" },
    run: ({ deps }) => startPass(deps, { startScrub: true }),
  },
];

export async function statusOf(deps: AdminDependencies): Promise<StatusView> {
  return describeCluster(await reportOf(deps));
}

function reportOf({ transport, metadata, replicas }: AdminDependencies): Promise<ClusterReport> {
  return gatherReport(transport, metadata, replicas);
}

export async function mapOf({ metadata }: Pick<AdminDependencies, "metadata">): Promise<MapRecord> {
  const kind = { case: "getClusterMap", value: {} } as const;
  const { map } = await metadata.query<"getClusterMap">(ROOT_GROUP, kind);
  if (map === undefined) throw new AdminError(503, "Unavailable", "The cluster has no map yet.");
  return map;
}

type NodeRecord = MapRecord["nodes"][number];

async function nodeOf(context: AdminContext): Promise<NodeRecord> {
  const name = parameter(context, "node");
  const { nodes } = await mapOf(context.deps);
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) throw notFound("NoSuchNode", `There is no storage node ${name}.`);
  return node;
}

/** Says in the cluster map that a pass shall begin; keepers and storage nodes follow it. */
async function startPass(
  deps: AdminDependencies,
  asked: { readonly startRepair: true } | { readonly startScrub: true },
): Promise<AdminAnswer> {
  const reply = await deps.metadata.execute(ROOT_GROUP, { case: "setStates", value: asked });
  if (reply.outcome !== Outcome.OK) throw new AdminError(409, "Conflict", reply.message);
  const { repairPass, scrubPass } = await mapOf(deps);
  return json({ pass: toSafeNumber("startRepair" in asked ? repairPass : scrubPass) });
}

export interface NodeChange {
  readonly nodeId: number;
  readonly state: NodeState;
  readonly expected?: NodeState;
  /** Given up: stays out although it is heard again. */
  readonly removed?: boolean;
}

/** Throws AdminError 409 when a node is in another state than expected. */
export async function setNodes(
  { metadata }: Pick<AdminDependencies, "metadata">,
  nodes: readonly NodeChange[],
): Promise<void> {
  const changes = nodes.map((node) => ({ ...node }));
  const reply = await metadata.execute(ROOT_GROUP, {
    case: "setStates",
    value: { nodes: changes, keepFormer: true },
  });
  if (reply.outcome !== Outcome.OK) throw new AdminError(409, "Conflict", reply.message);
  // Nodes in another state than expected were passed over.
  const { nodes: now } = await mapOf({ metadata });
  for (const { nodeId, state } of nodes) {
    const node = now.find((one) => one.nodeId === nodeId);
    if (node?.state === state) continue;
    throw new AdminError(409, "Conflict", `${node?.name ?? nodeId} changed its state meanwhile.`);
  }
}

async function setNode(
  context: AdminContext,
  state: NodeState,
  expected?: NodeState,
): Promise<AdminAnswer> {
  const node = await nodeOf(context);
  if (expected !== undefined && node.state !== expected) {
    throw new AdminError(409, "Conflict", `${node.name} is not draining.`);
  }
  if (node.state === NodeState.OUT) {
    throw new AdminError(409, "Conflict", `${node.name} was given up already.`);
  }
  const change = { nodeId: node.nodeId, state, expected: node.state };
  refuseUnplaceable(await mapOf(context.deps), { nodes: [change], disks: [] });
  await setNodes(context.deps, [change]);
  context.deps.events.add("node", `${node.name} is ${WORDS.get(state) ?? "changed"}`, {
    node: node.name,
  });
  return done();
}

async function removeNode(context: AdminContext): Promise<AdminAnswer> {
  const node = await nodeOf(context);
  if (node.state === NodeState.UP) {
    const message = `${node.name} is up: drain it, or stop it, before it is given up.`;
    throw new AdminError(409, "NodeIsUp", message);
  }
  const change = { nodeId: node.nodeId, state: NodeState.OUT, removed: true };
  refuseUnplaceable(await mapOf(context.deps), { nodes: [change], disks: [] });
  await setNodes(context.deps, [change]);
  context.deps.events.add("node", `${node.name} was given up`, { node: node.name });
  return done();
}

async function retryDisk({ deps, parameters }: AdminContext): Promise<AdminAnswer> {
  const { node, disk } = await diskOf(deps, parameters.disk ?? "");
  const request = { diskId: disk.diskId };
  await deps.transport
    .channel(node.address)
    .unary(ShardService.method.retryDisk, request, { deadlineMs: RETRY_MS });
  return done();
}

/** The disk of that id with its node. Throws AdminError 404. */
async function diskOf(
  deps: AdminDependencies,
  text: string,
): Promise<{ readonly node: NodeRecord; readonly disk: NodeRecord["disks"][number] }> {
  const diskId = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  const { nodes } = await mapOf(deps);
  for (const node of nodes) {
    const disk = node.disks.find((one) => one.diskId === diskId);
    if (disk !== undefined) return { node, disk };
  }
  throw notFound("NoSuchDisk", `There is no disk ${text}.`);
}

async function replaceDisk(context: AdminContext): Promise<AdminAnswer> {
  const { disk } = await diskOf(context.deps, parameter(context, "disk"));
  const { diskId } = disk;
  if (disk.state === DiskState.UP) {
    throw new AdminError(409, "DiskIsUp", `Disk ${diskId} is up: only failed ones are given up.`);
  }
  const reply = await context.deps.metadata.execute(ROOT_GROUP, {
    case: "setStates",
    value: { disks: [{ diskId, state: DiskState.OUT }] },
  });
  if (reply.outcome !== Outcome.OK) throw new AdminError(409, "Conflict", reply.message);
  return done();
}

async function listRepairs({ deps, query }: AdminContext): Promise<AdminAnswer> {
  const limit = limitOf(query);
  const { indexGroups } = await mapOf(deps);
  const items: unknown[] = [];
  let waiting = 0;
  await mapBounded(indexGroups, WIDTH, async (groupId) => {
    const repairs = { case: "listRepairs", value: { limit } } as const;
    const stats = { case: "groupStats", value: {} } as const;
    const { entries } = await deps.metadata.query<"listRepairs">(groupId, repairs);
    const { repairEntries } = await deps.metadata.query<"groupStats">(groupId, stats);
    waiting += toSafeNumber(repairEntries);
    for (const entry of entries) items.push({ groupId, ...shownRepair(entry) });
  });
  const { durability, repairPass, rebalance } = await statusOf(deps);
  return json({ waiting, byMargin: durability.chunksByMargin, repairPass, rebalance, items });
}

function shownRepair(entry: object): Readonly<Record<string, unknown>> {
  const shown = Object.entries(entry).flatMap(([name, value]: [string, unknown]) => {
    if (name.startsWith("$")) return [];
    if (value instanceof Uint8Array) return [[name, toHex(value)] as const];
    if (typeof value === "bigint") return [[name, Number(value)] as const];
    return typeof value === "object" ? [] : [[name, value] as const];
  });
  return Object.fromEntries(shown);
}

async function getScrub({ deps }: AdminContext): Promise<AdminAnswer> {
  const { nodes } = await statusOf(deps);
  const items = nodes.flatMap(({ name, disks = [] }) =>
    disks.map(({ sizeBytes: _size, freeBytes: _free, weight: _weight, ...disk }) => ({
      node: name,
      ...disk,
    })),
  );
  const { scrubPass } = await mapOf(deps);
  return json({ asked: toSafeNumber(scrubPass), items });
}
