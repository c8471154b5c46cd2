// ListIdentities: what changed in the directory after a revision, in the order of revisions.
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type ListIdentitiesAnswer,
  ListIdentitiesAnswerSchema,
  type ListIdentitiesQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import {
  type IdentityRecord,
  IdentityRecordSchema,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import { readMeta } from "../context.ts";
import {
  identitiesAfter,
  identityKey,
  parseIdentityRevisionKey,
  prefixEnd,
  TABLE,
} from "../keys.ts";
import { decodeRecord, type FrozenState } from "../records.ts";
import { MESSAGE_BYTES, SCANNED_MAX } from "./query-limits.ts";

const IDENTITIES_MAX = 1000;

export async function listIdentities(
  state: FrozenState,
  { afterRevision, limit }: ListIdentitiesQuery,
): Promise<ListIdentitiesAnswer> {
  const most = Math.min(limit, IDENTITIES_MAX);
  const to = prefixEnd(Uint8Array.of(TABLE.identityRevision));
  const from = identitiesAfter(afterRevision);
  const cursor = state.cursor(to === undefined ? { from } : { from, to });
  const records: IdentityRecord[] = [];
  let last = afterRevision;
  let bytes = 0;
  try {
    for (let looked = 0; ; looked += 1) {
      const entry = await cursor.next();
      if (entry === undefined) {
        const revision = readMeta(state).identityRevision;
        return create(ListIdentitiesAnswerSchema, { records, revision });
      }
      const { revision, ...name } = parseIdentityRevisionKey(entry[0]);
      const payload = state.get(identityKey(name));
      if (payload === undefined) throw new StoreError("corrupt", "a revision of no identity");
      bytes += payload.byteLength;
      // A record is far smaller than a page, so each page has one.
      if (records.length >= most || looked >= SCANNED_MAX || bytes > MESSAGE_BYTES) break;
      const record = decodeRecord(IdentityRecordSchema, payload);
      if (record.revision !== revision) throw new StoreError("corrupt", "an identity's revision");
      // Who knows nothing yet need not hear of what is gone.
      if (record.kind.case !== "deleted" || afterRevision > 0n) records.push(record);
      else bytes -= payload.byteLength;
      last = revision;
    }
  } finally {
    await cursor.close();
  }
  return create(ListIdentitiesAnswerSchema, { records, revision: last, truncated: true });
}
