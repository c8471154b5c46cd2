// Raft groups: their replicas, who leads, and how long their logs are.
import { mapBounded } from "../../../lib/base/bounded.ts";
import { toSafeNumber } from "../../../lib/base/bytes.ts";
import { toStoreError } from "../../../lib/base/errors.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import type { GroupView, ReplicaView } from "../../../lib/clients/cluster-status.ts";
import { MetadataService } from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { AdminError, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body } from "../identity/field-schemas.ts";
import { statusOf } from "./cluster-operations.ts";

const WIDTH = 8;
const TRANSFER_MS = 10_000;
/** A flush writes what is in memory, which may be much on a busy disk. */
const CUT_MS = 60_000;

export const RAFT_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "GetRaft",
    method: "GET",
    path: "/raft",
    summary: "Groups with their replicas: leader, term, indexes, digests.",
    admission: { action: "dolium:GetCluster" },
    run: async ({ deps }) => json({ items: (await statusOf(deps)).groups }),
  },
  withBody({
    name: "TransferLeadership",
    method: "POST",
    path: "/raft/{group}/transfer",
    summary: "Hand the lead of a group to another of its replicas, by name.",
    admission: { action: "dolium:TransferLeadership" },
    body: body({ to: Type.String({ minLength: 1, maxLength: 255 }) }),
    run: transferLeadership,
  }),
  {
    name: "SnapshotGroup",
    method: "POST",
    path: "/raft/{group}/snapshot",
    summary:
      "Make the state of every replica of a group power-safe now, and cut the logs behind it: " +
      "what a replica that is heard of has yet to take stays.",
    admission: { action: "dolium:SnapshotGroup" },
    run: snapshotGroup,
  },
];

async function groupOf(deps: AdminDependencies, id: string): Promise<GroupView> {
  const { groups } = await statusOf(deps);
  const group = groups.find(({ groupId }) => String(groupId) === id);
  if (group === undefined) throw notFound("NoSuchGroup", `There is no group ${id}.`);
  return group;
}

/** Throws AdminError 503 when nobody leads. */
function leaderOf({ replicas }: GroupView): ReplicaView {
  const leader = replicas.find(({ leads }) => leads);
  if (leader === undefined) throw new AdminError(503, "Unavailable", "The group has no leader.");
  return leader;
}

async function transferLeadership(
  { deps, parameters }: AdminContext,
  { to }: { readonly to: string },
): Promise<AdminAnswer> {
  const group = await groupOf(deps, parameters.group ?? "");
  const heir = group.replicas.find(({ name }) => name === to);
  if (heir === undefined) throw notFound("NoSuchReplica", `The group has no replica ${to}.`);
  const leader = leaderOf(group);
  const request = { groupId: group.groupId, toReplicaId: BigInt(heir.replicaId) };
  await deps.transport
    .channel(leader.address)
    .unary(MetadataService.method.transferLeadership, request, { deadlineMs: TRANSFER_MS });
  deps.events.add("node", `${to} leads group ${group.groupId}`, { group: group.groupId, to });
  return json({ groupId: group.groupId, leader: to });
}

/** The leader first: it knows what the others have; they cut no further than it did. */
async function snapshotGroup({ deps, parameters }: AdminContext): Promise<AdminAnswer> {
  const group = await groupOf(deps, parameters.group ?? "");
  const leader = leaderOf(group);
  const { groupId } = group;
  const first = await cutLog(deps, leader, { groupId, upToIndex: 0n });
  const upToIndex = BigInt(first.logStartIndex);
  const others = group.replicas.filter((replica) => replica !== leader);
  const rest = await mapBounded(others, WIDTH, async (replica) => {
    try {
      return await cutLog(deps, replica, { groupId, upToIndex });
    } catch (error) {
      return { name: replica.name, error: toStoreError(error).message };
    }
  });
  deps.events.add("node", `the logs of group ${groupId} were cut`, { group: groupId });
  return json({ groupId, index: first.flushedIndex, replicas: [first, ...rest] });
}

async function cutLog(
  { transport }: AdminDependencies,
  { name, address }: ReplicaView,
  request: { readonly groupId: number; readonly upToIndex: bigint },
) {
  const cut = await transport
    .channel(address)
    .unary(MetadataService.method.cutLog, request, { deadlineMs: CUT_MS });
  return {
    name,
    flushedIndex: toSafeNumber(cut.flushedIndex),
    logStartIndex: toSafeNumber(cut.logStartIndex),
    freedEntries: toSafeNumber(cut.freedEntries),
    freedBytes: toSafeNumber(cut.freedBytes),
  };
}
