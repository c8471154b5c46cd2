// Layout: which nodes take part in placement, in which place and with how much weight. A plan says,
// before anything happens, how much each node would hold more or less: the share of shards that the
// placement table moves, times what is stored. It is an estimate, since shards of different objects
// differ in size.
import { present } from "../../../lib/base/assert.ts";
import { mapBounded } from "../../../lib/base/bounded.ts";
import { toSafeNumber } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { clusterMapFromRecord } from "../../../lib/clients/cluster-map-record.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { ClusterMap } from "../../../lib/placement/cluster-map.ts";
import { placementReport } from "../../../lib/placement/placement-report.ts";
import { shardMoves } from "../../../lib/placement/placement-table.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, invalidArgument } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body, optional } from "../identity/field-schemas.ts";
import { mapOf } from "./cluster-operations.ts";
import {
  changesBack,
  commandOf,
  LayoutChange,
  mapAfter,
  type TablePair,
  tablesOf,
} from "./layout-change.ts";

const WIDTH = 8;
const CHANGES_MAX = 1000;

const Changes = Type.Array(LayoutChange, { minItems: 1, maxItems: CHANGES_MAX });
const PlanBody = body({ changes: optional(Changes), revert: optional(Type.Boolean()) });
const ApplyBody = body({
  plan: body({ epoch: Type.Integer({ minimum: 0 }), changes: Changes }),
});
type ChangeList = readonly LayoutChange[];

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
  {
    name: "GetPlacement",
    method: "GET",
    path: "/cluster/placement",
    summary:
      "What each placement policy survives on the cluster as it is, in numbers and sentences.",
    admission: { action: "dolium:GetCluster" },
    query: [{ name: "name", description: "Only this placement policy." }],
    run: async ({ deps, query }) => {
      const map = clusterMapFromRecord(await mapOf(deps));
      return json(placementReport(map, query.get("name") ?? undefined));
    },
  },
  withBody({
    name: "PlanLayout",
    method: "POST",
    path: "/cluster/layout/plan",
    summary:
      "What would move with these changes (states, weights, replacements) or back; nothing happens.",
    admission: { action: "dolium:GetCluster" },
    readOnly: true,
    body: PlanBody,
    run: plan,
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

async function planOf(deps: AdminDependencies, wanted: ChangeList | "back"): Promise<Plan> {
  const record = await mapOf(deps);
  const changes = wanted === "back" ? changesBack(record) : wanted;
  const before = clusterMapFromRecord(record);
  const after = mapAfter(record, commandOf(record, changes));
  const bytes = await storedBytes(deps, record.indexGroups);
  const moved = new Map(before.nodes.map(({ name }) => [name, { bytesIn: 0, bytesOut: 0 }]));
  const problems: string[] = [];
  const policies: { policy: string; shardsMoved: number; shards: number }[] = [];
  for (const policy of before.policies) {
    const tables = tablesOf(policy, before, after);
    if (typeof tables === "string") {
      problems.push(tables);
      continue;
    }
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

/** Counts moved shards and books their bytes to the nodes that lose and gain them. */
function countMoves(facts: {
  readonly tables: TablePair;
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

async function plan(
  { deps }: AdminContext,
  { changes, revert = false }: Type.Static<typeof PlanBody>,
): Promise<AdminAnswer> {
  if (revert === (changes !== undefined)) {
    throw invalidArgument("name changes, or revert");
  }
  return json(await planOf(deps, changes ?? "back"));
}

async function apply(
  { deps }: AdminContext,
  { plan: wanted }: Type.Static<typeof ApplyBody>,
): Promise<AdminAnswer> {
  const now = await planOf(deps, wanted.changes);
  if (now.epoch !== wanted.epoch) throw stale(wanted.epoch, now.epoch);
  const [problem] = now.problems;
  if (problem !== undefined) throw new AdminError(409, "CannotPlace", problem);
  const { nodes, disks } = commandOf(await mapOf(deps), wanted.changes);
  const value = { nodes, disks, expectedEpoch: BigInt(wanted.epoch), keepFormer: true };
  const reply = await deps.metadata.execute(ROOT_GROUP, { case: "setStates", value });
  if (reply.outcome !== Outcome.OK) {
    throw stale(wanted.epoch, clusterMapFromRecord(await mapOf(deps)).epoch);
  }
  for (const change of wanted.changes) deps.events.add("node", eventText(change), { ...change });
  return json(now);
}

function stale(planned: number, now: number): AdminError {
  const message = `The cluster changed since the plan (epoch ${planned}, now ${now}).`;
  return new AdminError(409, "StalePlan", message);
}

function eventText({ node, disk, state, weightPercent, replaces }: LayoutChange): string {
  const what = node ?? `disk ${disk}`;
  if (state !== undefined) return `${what} is ${state}`;
  if (weightPercent !== undefined) return `${what} weighs ${weightPercent} %`;
  return replaces === "" ? `${what} has its own place` : `${what} replaces ${replaces}`;
}
