// PutKmsKey: adds a version to a named key, or makes the key. Versions are never removed: what they
// sealed could not be opened any more.
import { create } from "@bufbuild/protobuf";
import {
  type KmsKeyRecord,
  KmsKeyRecord_KeyVersionSchema,
  KmsKeyRecordSchema,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  Outcome,
  type PutKmsKey,
  PutKmsKeyReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { kmsKeyKey, TABLE, tableRange } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "../records.ts";

/** All keys must fit one answer of ListKmsKeys. */
export const KMS_KEYS_BYTES_MAX = 768 * 1024;
const KEYS_AT_ONCE = 100_000;

export async function putKmsKey(
  view: StateWriter,
  command: PutKmsKey,
  context: CommandContext,
): Promise<Reply> {
  const { name, expectedVersions, wrappedKey } = command;
  const key = kmsKeyKey(name);
  const present = readRecord(view, KmsKeyRecordSchema, key);
  if (present === undefined && expectedVersions > 0) {
    return refused(Outcome.NO_SUCH_KMS_KEY, `there is no key ${name}`);
  }
  const count = present?.versions.length ?? 0;
  if (count !== expectedVersions) {
    return refused(Outcome.EXISTS, `key ${name} has ${count} versions`, answerOf(present));
  }
  if ((await bytesOfAll(view)) + wrappedKey.byteLength + name.length > KMS_KEYS_BYTES_MAX) {
    return refused(Outcome.CONFLICT, "there are too many keys");
  }
  const createdMs = context.timeMs;
  const record = present ?? create(KmsKeyRecordSchema, { name, createdMs });
  const version = { version: count + 1, wrappedKey, createdMs };
  const versions = [...record.versions, create(KmsKeyRecord_KeyVersionSchema, version)];
  const added: KmsKeyRecord = { ...record, versions };
  putRecord(view, KmsKeyRecordSchema, { key, record: added });
  return accepted(answerOf(added));
}

function answerOf(key: KmsKeyRecord | undefined) {
  const value = create(PutKmsKeyReplySchema, key === undefined ? {} : { key });
  return { case: "putKmsKey", value } as const;
}

async function bytesOfAll(view: StateReader): Promise<number> {
  const entries = await view.scan(tableRange(TABLE.kmsKey), KEYS_AT_ONCE);
  return entries.reduce((sum, [, payload]) => sum + payload.byteLength, 0);
}
