// GroupStats: the group's counters.
import { create } from "@bufbuild/protobuf";
import {
  type GroupStatsAnswer,
  GroupStatsAnswerSchema,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { readMeta } from "../context.ts";
import type { StateReader } from "../records.ts";

export function groupStats(reader: StateReader): GroupStatsAnswer {
  const meta = readMeta(reader);
  return create(GroupStatsAnswerSchema, {
    versions: meta.versions,
    bytes: meta.bodyBytes,
    uploads: meta.uploads,
    garbageEntries: meta.garbageEntries,
    repairEntries: meta.repairEntries,
    shardsOwed: meta.shardsOwed,
    fenceMs: meta.fenceMs,
    outboxEntries: meta.outboxEntries,
    outboxDropped: meta.outboxDropped,
  });
}
