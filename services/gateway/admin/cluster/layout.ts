// Layout: which nodes take part in placement. A plan says, before anything happens, how much each
// node would hold more or less: the share of shards that the placement table moves, times what is
// stored. It is an estimate, since shards of different objects differ in size.
import { present } from "../../../lib/base/assert.ts";
import { mapBounded } from "../../../lib/base/bounded.ts";
import { toSafeNumber } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { clusterMapFromRecord } from "../../../lib/clients/cluster-map-record.ts";
import { NodeState } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { ClusterMap, Policy } from "../../../lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  type PlacementTable,
  shardMoves,
} from "../../../lib/placement/placement-table.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, invalidArgument, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body } from "../identity/field-schemas.ts";
import { mapOf, setNodes } from "./cluster-operations.ts";

const WIDTH = 8;
const STATES = { up: NodeState.UP, draining: NodeState.DRAINING, out: NodeState.OUT } as const;

const Changes = Type.Array(
  body({
    node: Type.String({ minLength: 1, maxLength: 255 }),
    state: Type.Union([Type.Literal("up"), Type.Literal("draining"), Type.Literal("out")]),
  }),
  { minItems: 1, maxItems: 1000 },
);
const PlanBody = body({ changes: Changes });
const ApplyBody = body({
  plan: body({ epoch: Type.Integer({ minimum: 0 }), changes: Changes }),
});
type ChangeList = Type.Static<typeof Changes>;

export const LAYOUT_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "GetLayout",
    method: "GET",
    path: "/cluster/layout",
    summary: "Nodes, disks and policies as placement sees them.",
    admission: { action: "dolium:GetCluster" },
    run: async ({ deps }) => {
      const { epoch, nodes, policies } = clusterMapFromRecord(await mapOf(deps));
      return json({ epoch, nodes, policies });
    },
  },
  withBody({
    name: "PlanLayout",
    method: "POST",
    path: "/cluster/layout/plan",
    summary: "What would move if these nodes changed their states; nothing happens.",
    admission: { action: "dolium:GetCluster" },
    readOnly: true,
    body: PlanBody,
    run: async (context, { changes }) => json(await planOf(context.deps, changes)),
  }),
  withBody({
    name: "ApplyLayout",
    method: "POST",
    path: "/cluster/layout/apply",
    summary: "Do what a plan said, if the cluster is still as it was then.",
    admission: { action: "dolium:ApplyLayout" },
    body: ApplyBody,
    run: apply,
  }),
];

interface Plan {
  readonly epoch: number;
  readonly changes: ChangeList;
  readonly bytesToMove: number;
  readonly nodes: readonly {
    readonly node: string;
    readonly bytesIn: number;
    readonly bytesOut: number;
  }[];
  readonly policies: readonly {
    readonly policy: string;
    readonly shardsMoved: number;
    readonly shards: number;
  }[];
  readonly problems: readonly string[];
}

async function planOf(deps: AdminDependencies, changes: ChangeList): Promise<Plan> {
  const record = await mapOf(deps);
  const before = clusterMapFromRecord(record);
  const after = changedMap(before, changes);
  const bytes = await storedBytes(deps, record.indexGroups);
  const moved = new Map(before.nodes.map(({ name }) => [name, { bytesIn: 0, bytesOut: 0 }]));
  const problems: string[] = [];
  const policies: { policy: string; shardsMoved: number; shards: number }[] = [];
  for (const policy of before.policies) {
    const tables = tablesOf(policy, before, after, problems);
    if (tables === undefined) continue;
    // Objects do not tell here under which policy they are; the default stands for all.
    const isDefault = policy.name === record.defaultPolicy;
    const width = policy.k + policy.m;
    const shards = tables.before.groups.length * width;
    const shardBytes = isDefault ? (bytes * width) / policy.k / Math.max(1, shards) : 0;
    const shardsMoved = countMoves({ tables, before, after, moved, shardBytes });
    policies.push({ policy: policy.name, shardsMoved, shards });
  }
  const nodes = [...moved].map(([node, { bytesIn, bytesOut }]) => ({
    node,
    bytesIn: Math.round(bytesIn),
    bytesOut: Math.round(bytesOut),
  }));
  const bytesToMove = nodes.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
  return { epoch: before.epoch, changes, bytesToMove, nodes, policies, problems };
}

function changedMap(map: ClusterMap, changes: ChangeList): ClusterMap {
  for (const { node } of changes) {
    if (map.nodes.some(({ name }) => name === node)) continue;
    throw notFound("NoSuchNode", `There is no storage node ${node}.`);
  }
  const states = new Map(changes.map(({ node, state }) => [node, state]));
  if (states.size < changes.length) throw invalidArgument("a node is named twice");
  const nodes = map.nodes.map((node) => ({ ...node, state: states.get(node.name) ?? node.state }));
  return { ...map, nodes };
}

/** Undefined, with a problem told, where one of them cannot be placed. */
function tablesOf(
  policy: Policy,
  before: ClusterMap,
  after: ClusterMap,
  problems: string[],
): { readonly before: PlacementTable; readonly after: PlacementTable } | undefined {
  try {
    const old = computePlacementTable(before, policy);
    return { before: old, after: computePlacementTable(after, policy) };
  } catch (error) {
    problems.push(
      `policy ${policy.name}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** Counts moved shards and books their bytes to the nodes that lose and gain them. */
function countMoves(facts: {
  readonly tables: { readonly before: PlacementTable; readonly after: PlacementTable };
  readonly before: ClusterMap;
  readonly after: ClusterMap;
  readonly moved: ReadonlyMap<string, { bytesIn: number; bytesOut: number }>;
  readonly shardBytes: number;
}): number {
  const nodeOfDisk = new Map(
    facts.before.nodes.flatMap(({ name, disks }) => disks.map(({ diskId }) => [diskId, name])),
  );
  const book = (diskId: number, field: "bytesIn" | "bytesOut"): void => {
    const sums = facts.moved.get(nodeOfDisk.get(diskId) ?? "");
    if (sums !== undefined) sums[field] += facts.shardBytes;
  };
  let count = 0;
  for (const [at, slots] of facts.tables.before.groups.entries()) {
    const wanted = present(facts.tables.after.groups[at], "placement group");
    for (const { shardIndex, toDiskId } of shardMoves(slots, wanted)) {
      count += 1;
      book(present(slots[shardIndex], "disk"), "bytesOut");
      book(toDiskId, "bytesIn");
    }
  }
  return count;
}

async function storedBytes(deps: AdminDependencies, groups: readonly number[]): Promise<number> {
  const sizes = await mapBounded(groups, WIDTH, async (groupId) => {
    const kind = { case: "groupStats", value: {} } as const;
    const { bytes } = await deps.metadata.query<"groupStats">(groupId, kind);
    return toSafeNumber(bytes);
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function apply(
  { deps }: AdminContext,
  { plan }: Type.Static<typeof ApplyBody>,
): Promise<AdminAnswer> {
  const now = await planOf(deps, plan.changes);
  if (now.epoch !== plan.epoch) {
    const message = `The cluster changed since the plan (epoch ${plan.epoch}, now ${now.epoch}).`;
    throw new AdminError(409, "StalePlan", message);
  }
  const [problem] = now.problems;
  if (problem !== undefined) throw new AdminError(409, "CannotPlace", problem);
  const { nodes } = await mapOf(deps);
  const changes = plan.changes.map(({ node, state }) => {
    const record = nodes.find(({ name }) => name === node);
    if (record === undefined) throw notFound("NoSuchNode", `There is no storage node ${node}.`);
    return { nodeId: record.nodeId, state: STATES[state], expected: record.state };
  });
  await setNodes(deps, changes);
  for (const { node, state } of plan.changes)
    deps.events.add("node", `${node} is ${state}`, { node });
  return json(now);
}
