// ListUses: when access keys and tokens were last used; those that never were are left out.
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type ListUsesAnswer,
  ListUsesAnswerSchema,
  type ListUsesQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { LastUseSchema } from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { lastUseKey } from "../keys.ts";
import { readRecord, type StateReader } from "../records.ts";

const IDS_MAX = 1000;

export function listUses(reader: StateReader, { ids }: ListUsesQuery): ListUsesAnswer {
  if (ids.length > IDS_MAX) throw new StoreError("invalid", `over ${IDS_MAX} ids`);
  const uses = ids.flatMap((id) => readRecord(reader, LastUseSchema, lastUseKey(id)) ?? []);
  return create(ListUsesAnswerSchema, { uses });
}
