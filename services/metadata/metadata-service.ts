// The metadata service as others call it: Execute, Query, ReplicaStatus, TransferLeadership,
// ExportGroup, CutLog.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { toSafeNumber } from "../lib/base/bytes.ts";
import { StoreError, toStoreError } from "../lib/base/errors.ts";
import type {
  ExportGroupResponseSchema,
  MetadataService,
} from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { ServiceHandlers } from "../lib/ports/transport.ts";
import { checkCommandAccess } from "./command-access.ts";
import { checkCommandScope, checkQueryScope } from "./command-scope.ts";
import type { Proposer } from "./proposer.ts";
import type { ReplicaGroup } from "./replica.ts";
import { replicaStatus, type StatusSource } from "./replica-status.ts";
import { answerQuery } from "./state/queries/query-table.ts";

/** A transfer that takes longer is given up; the leader leads on. */
const TRANSFER_MS = 5000;

export function metadataHandlers(
  proposer: Proposer,
  status: StatusSource,
): ServiceHandlers<typeof MetadataService> {
  return {
    async execute({ groupId, commandId, command }, { signal, caller }) {
      if (command === undefined) throw new StoreError("invalid", "no command");
      checkCommandAccess(caller, command);
      checkCommandScope(groupId, command.kind.case);
      return { reply: await proposer.execute(groupId, { commandId, command }, signal) };
    },
    async query({ groupId, kind }, { signal }) {
      checkQueryScope(groupId, kind.case);
      return proposer.read(groupId, (view) => answerQuery(view, kind), signal);
    },
    replicaStatus: () => Promise.resolve(replicaStatus(status)),
    async transferLeadership({ groupId, toReplicaId }) {
      const group = groupOf(status, groupId);
      if (!group.raft.isLeader()) throw new StoreError("not-leader", "another replica leads");
      const deadlineMs = TRANSFER_MS;
      await group.raft.transferLeadership(toSafeNumber(toReplicaId), { deadlineMs });
      return {};
    },
    async cutLog({ groupId, upToIndex }) {
      const upTo = upToIndex === 0n ? undefined : toSafeNumber(upToIndex);
      const cut = await groupOf(status, groupId).raft.cutLog(upTo);
      return {
        flushedIndex: BigInt(cut.flushedIndex),
        logStartIndex: BigInt(cut.startIndex),
        freedEntries: BigInt(cut.freedEntries),
        freedBytes: BigInt(cut.freedBytes),
      };
    },
    exportGroup: (request, { signal }) => exportGroup(proposer, request.groupId, signal),
  };
}

function groupOf(status: StatusSource, groupId: number): ReplicaGroup {
  const group = status.replica()?.group(groupId);
  if (group === undefined) throw new StoreError("not-found", `group ${groupId} is not here`);
  return group;
}

/** One moment of a group; what is committed meanwhile is not in it. */
async function* exportGroup(
  proposer: Proposer,
  groupId: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageInitShape<typeof ExportGroupResponseSchema>, void> {
  const snapshot = await proposer.snapshot(groupId, signal);
  const appliedIndex = BigInt(snapshot.index);
  const appliedTerm = BigInt(snapshot.term);
  try {
    for await (const chunk of snapshot.chunks()) {
      if (signal?.aborted === true) throw new StoreError("aborted", "the export was ended");
      yield { appliedIndex, appliedTerm, chunk };
    }
  } catch (error) {
    const known = toStoreError(error);
    proposer.noteDamage(groupId, known);
    throw known;
  } finally {
    await snapshot.close();
  }
}
