// What an operator may change about the layout, as the command that does it and as the map that it
// leads to. Changes that contradict themselves or the cluster are refused, and so is what would
// leave a policy without enough failure domains.
import { clone } from "@bufbuild/protobuf";
import * as Type from "../../../lib/base/settings-schema.ts";
import { clusterMapFromRecord } from "../../../lib/clients/cluster-map-record.ts";
import {
  ClusterMapSchema,
  type ClusterMap as MapRecord,
  type NodeRecord,
  NodeState,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { ClusterMap, Policy } from "../../../lib/placement/cluster-map.ts";
import {
  computePlacementTable,
  type PlacementTable,
} from "../../../lib/placement/placement-table.ts";
import { AdminError, invalidArgument, notFound } from "../admin-error.ts";
import { body, optional } from "../identity/field-schemas.ts";

const STATES = { up: NodeState.UP, draining: NodeState.DRAINING, out: NodeState.OUT } as const;
const WHOLE_PERCENT = 100;

export const LayoutChange = body({
  node: optional(Type.String({ minLength: 1, maxLength: 255 })),
  disk: optional(Type.Integer({ minimum: 1 })),
  state: optional(Type.Union([Type.Literal("up"), Type.Literal("draining"), Type.Literal("out")])),
  weightPercent: optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  replaces: optional(Type.String({ maxLength: 255 })),
});
export type LayoutChange = Type.Static<typeof LayoutChange>;

export interface NodeCommand {
  readonly nodeId: number;
  readonly state?: NodeState;
  readonly removed?: boolean;
  readonly seatNodeId?: number;
}

export interface DiskCommand {
  readonly diskId: number;
  readonly weightPercent?: number;
  readonly seatDiskId?: number;
}

/** The fields of a SetStates command. */
export interface LayoutCommand {
  readonly nodes: NodeCommand[];
  readonly disks: DiskCommand[];
}

/** Throws AdminError 400, 404 and 409. */
export function commandOf(record: MapRecord, changes: readonly LayoutChange[]): LayoutCommand {
  const command: LayoutCommand = { nodes: [], disks: [] };
  const named = new Set<string>();
  for (const change of changes) {
    const { node, disk, state, weightPercent, replaces } = change;
    const acts = [state, weightPercent, replaces].filter((act) => act !== undefined);
    if ((node === undefined) === (disk === undefined) || acts.length !== 1) {
      throw invalidArgument("a change names a node or a disk, and one thing that changes");
    }
    const isWeight = weightPercent !== undefined;
    const name = `${node ?? disk} ${isWeight ? "weight" : state === undefined ? "seat" : "state"}`;
    if (named.has(name)) throw invalidArgument(`${node ?? disk} is named twice`);
    named.add(name);
    if (node !== undefined) addNodeChange(record, command, { ...change, node });
    else addDiskChange(record, command, change);
  }
  return command;
}

function addNodeChange(
  record: MapRecord,
  command: LayoutCommand,
  change: LayoutChange & { readonly node: string },
): void {
  const node = nodeNamed(record, change.node);
  const { nodeId, disks } = node;
  const { state, weightPercent, replaces } = change;
  if (state !== undefined) {
    command.nodes.push({ nodeId, state: STATES[state], removed: state === "out" });
  }
  if (weightPercent !== undefined) {
    for (const { diskId } of disks) command.disks.push({ diskId, weightPercent });
  }
  if (replaces === "") {
    command.nodes.push({ nodeId, seatNodeId: 0 });
    for (const { diskId } of disks) command.disks.push({ diskId, seatDiskId: 0 });
  } else if (replaces !== undefined) {
    addReplacement(command, node, nodeNamed(record, replaces));
  }
}

/** The new one takes the place of the other, disk by disk; the other is emptied. */
function addReplacement(command: LayoutCommand, newcomer: NodeRecord, former: NodeRecord): void {
  if (newcomer === former) throw invalidArgument("a node cannot replace itself");
  if (newcomer.state !== NodeState.UP) {
    throw new AdminError(409, "NodeIsNotUp", `${newcomer.name} is not up.`);
  }
  command.nodes.push({
    nodeId: newcomer.nodeId,
    seatNodeId: former.seatNodeId === 0 ? former.nodeId : former.seatNodeId,
  });
  if (former.state !== NodeState.OUT) {
    command.nodes.push({ nodeId: former.nodeId, state: NodeState.DRAINING });
  }
  const before = former.disks.toSorted((a, b) => a.diskId - b.diskId);
  const after = newcomer.disks.toSorted((a, b) => a.diskId - b.diskId);
  for (const [at, { diskId }] of after.entries()) {
    const disk = before[at];
    if (disk === undefined) continue;
    const seatDiskId = disk.seatDiskId === 0 ? disk.diskId : disk.seatDiskId;
    command.disks.push({ diskId, seatDiskId });
  }
}

function addDiskChange(record: MapRecord, command: LayoutCommand, change: LayoutChange): void {
  const { disk: diskId = 0, weightPercent } = change;
  const isKnown = record.nodes.some(({ disks }) => disks.some((disk) => disk.diskId === diskId));
  if (!isKnown) throw notFound("NoSuchDisk", `There is no disk ${diskId}.`);
  if (weightPercent === undefined) throw invalidArgument("of a disk only the weight changes");
  command.disks.push({ diskId, weightPercent });
}

function nodeNamed({ nodes }: MapRecord, name: string): NodeRecord {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw notFound("NoSuchNode", `There is no storage node ${name}.`);
  return node;
}

/** The changes that lead back to the layout before the last change. Throws AdminError 409. */
export function changesBack(record: MapRecord): LayoutChange[] {
  const { formerLayout: former } = record;
  if (former === undefined) {
    throw new AdminError(409, "NoFormerLayout", "The layout was not changed yet.");
  }
  const names = new Map(record.nodes.map(({ nodeId, name }) => [nodeId, name]));
  const seats: LayoutChange[] = [];
  const others: LayoutChange[] = [];
  for (const { nodeId, state, removed, seatNodeId } of former.nodes) {
    const now = record.nodes.find((node) => node.nodeId === nodeId);
    if (now === undefined) continue;
    if (now.seatNodeId !== seatNodeId) {
      seats.push({ node: now.name, replaces: names.get(seatNodeId) ?? "" });
    }
    const wanted = decided(state, removed);
    if (decided(now.state, now.removed) !== wanted) others.push({ node: now.name, state: wanted });
  }
  const disks = record.nodes.flatMap((node) => node.disks);
  for (const { diskId, weightPercent = WHOLE_PERCENT } of former.disks) {
    const now = disks.find((disk) => disk.diskId === diskId);
    if (now === undefined || (now.weightPercent ?? WHOLE_PERCENT) === weightPercent) continue;
    others.push({ disk: diskId, weightPercent });
  }
  const changes = [...seats, ...others];
  if (changes.length > 0) return changes;
  throw new AdminError(409, "NoFormerLayout", "The layout is as it was before its last change.");
}

/** A node that is out because it is silent comes back by itself: as meant, it is up. */
function decided(state: NodeState, removed: boolean): "up" | "draining" | "out" {
  if (state === NodeState.DRAINING) return "draining";
  return removed ? "out" : "up";
}

/** The map as it will be. */
export function mapAfter(record: MapRecord, command: LayoutCommand): ClusterMap {
  const after = clone(ClusterMapSchema, record);
  for (const { nodeId, state, removed, seatNodeId } of command.nodes) {
    const node = after.nodes.find((candidate) => candidate.nodeId === nodeId);
    if (node === undefined) continue;
    Object.assign(node, {
      ...(state === undefined ? {} : { state, removed: removed ?? false }),
      ...(seatNodeId === undefined ? {} : { seatNodeId }),
    });
  }
  const disks = after.nodes.flatMap((node) => node.disks);
  for (const { diskId, weightPercent, seatDiskId } of command.disks) {
    const disk = disks.find((candidate) => candidate.diskId === diskId);
    if (disk === undefined) continue;
    Object.assign(disk, {
      ...(weightPercent === undefined ? {} : { weightPercent }),
      ...(seatDiskId === undefined ? {} : { seatDiskId }),
    });
  }
  return clusterMapFromRecord(after);
}

export interface TablePair {
  readonly before: PlacementTable;
  readonly after: PlacementTable;
}

/**
 * The tables of a policy, or why it could not be placed any more. One that cannot be placed as it
 * is now either is no reason to refuse a change.
 */
export function tablesOf(
  policy: Policy,
  before: ClusterMap,
  after: ClusterMap,
): TablePair | string {
  const old = computePlacementTable(before, policy, { relaxed: true });
  try {
    const options = { relaxed: old.relaxed, ring: old.ring };
    return { before: old, after: computePlacementTable(after, policy, options) };
  } catch (error) {
    return `policy ${policy.name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Throws AdminError 409 naming a policy that could not be placed any more. */
export function refuseUnplaceable(record: MapRecord, command: LayoutCommand): void {
  const before = clusterMapFromRecord(record);
  const after = mapAfter(record, command);
  for (const policy of before.policies) {
    const tables = tablesOf(policy, before, after);
    if (typeof tables === "string") throw new AdminError(409, "CannotPlace", tables);
  }
}
