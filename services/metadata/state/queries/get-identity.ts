// GetIdentity: one entry of the directory by kind and name.
import { create } from "@bufbuild/protobuf";
import {
  type GetIdentityAnswer,
  GetIdentityAnswerSchema,
  type GetIdentityQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { readIdentity } from "../identities.ts";
import type { StateReader } from "../records.ts";

export function getIdentity(
  reader: StateReader,
  { kind, name }: GetIdentityQuery,
): GetIdentityAnswer {
  const record = readIdentity(reader, { kind, name });
  return create(GetIdentityAnswerSchema, record === undefined ? {} : { record });
}
