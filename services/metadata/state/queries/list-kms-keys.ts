// ListKmsKeys: named keys with all their versions, sealed as they are stored.
import { create } from "@bufbuild/protobuf";
import {
  type ListKmsKeysAnswer,
  ListKmsKeysAnswerSchema,
  type ListKmsKeysQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { KmsKeyRecordSchema } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { kmsKeyKey, TABLE, tableRange } from "../keys.ts";
import { decodeRecord, readRecord, type StateReader } from "../records.ts";

/** More than PutKmsKey lets in. */
const KEYS_MAX = 100_000;

export async function listKmsKeys(
  reader: StateReader,
  { name }: ListKmsKeysQuery,
): Promise<ListKmsKeysAnswer> {
  if (name !== "") {
    const key = readRecord(reader, KmsKeyRecordSchema, kmsKeyKey(name));
    return create(ListKmsKeysAnswerSchema, { keys: key === undefined ? [] : [key] });
  }
  const entries = await reader.scan(tableRange(TABLE.kmsKey), KEYS_MAX);
  const keys = entries.map(([, payload]) => decodeRecord(KmsKeyRecordSchema, payload));
  return create(ListKmsKeysAnswerSchema, { keys });
}
