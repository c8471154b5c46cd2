// The metadata service as others call it: Execute, Query, ReplicaStatus.
import { StoreError } from "../lib/base/errors.ts";
import type { MetadataService } from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { ServiceHandlers } from "../lib/ports/transport.ts";
import { checkCommandScope, checkQueryScope } from "./command-scope.ts";
import type { Proposer } from "./proposer.ts";
import { replicaStatus, type StatusSource } from "./replica-status.ts";
import { answerQuery } from "./state/queries/query-table.ts";

export function metadataHandlers(
  proposer: Proposer,
  status: StatusSource,
): ServiceHandlers<typeof MetadataService> {
  return {
    async execute({ groupId, commandId, command }, { signal }) {
      if (command === undefined) throw new StoreError("invalid", "no command");
      checkCommandScope(groupId, command.kind.case);
      return { reply: await proposer.execute(groupId, { commandId, command }, signal) };
    },
    async query({ groupId, kind }, { signal }) {
      checkQueryScope(groupId, kind.case);
      return proposer.read(groupId, (view) => answerQuery(view, kind), signal);
    },
    replicaStatus: () => Promise.resolve(replicaStatus(status)),
  };
}
