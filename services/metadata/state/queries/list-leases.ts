// ListLeases: the leases that are held, those that ran out among them.
import { create } from "@bufbuild/protobuf";
import {
  type ListLeasesAnswer,
  ListLeasesAnswerSchema,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { LeaseRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { TABLE, tableRange } from "../keys.ts";
import { decodeRecord, type StateReader } from "../records.ts";

const LEASES_MAX = 1000;

export async function listLeases(reader: StateReader): Promise<ListLeasesAnswer> {
  const entries = await reader.scan(tableRange(TABLE.lease), LEASES_MAX);
  const leases = entries
    .map(([, payload]) => decodeRecord(LeaseRecordSchema, payload))
    .filter(({ holder }) => holder !== "");
  return create(ListLeasesAnswerSchema, { leases });
}
