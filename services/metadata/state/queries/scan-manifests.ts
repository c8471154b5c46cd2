// ScanManifests: walks all manifests of the group. A page ends after a bound of records looked at,
// so it may be empty and still have a cursor to go on from.
import { create } from "@bufbuild/protobuf";
import {
  type ScanManifestsAnswer,
  ScanManifestsAnswer_EntrySchema,
  ScanManifestsAnswerSchema,
  type ScanManifestsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { type Manifest, ManifestSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { bucketManifests, bucketOfManifestKey, type KeyRange, TABLE } from "../keys.ts";
import { decodeRecord, type FrozenState } from "../records.ts";
import { rangeAfter } from "./cursor-range.ts";
import { MESSAGE_BYTES, pageLimit, SCANNED_MAX } from "./query-limits.ts";

/** Throws StoreError "invalid" for a cursor of another query. */
export async function scanManifests(
  state: FrozenState,
  query: ScanManifestsQuery,
): Promise<ScanManifestsAnswer> {
  const answer = create(ScanManifestsAnswerSchema);
  const wanted = new Set(query.diskIds);
  const limit = pageLimit(query.limit);
  const cursor = state.cursor(rangeOf(query));
  try {
    let bytes = 0;
    let scanned = 0;
    let last: Uint8Array = query.cursor;
    for (;;) {
      const entry = await cursor.next();
      if (entry === undefined) break;
      if (answer.entries.length >= limit || bytes > MESSAGE_BYTES || scanned >= SCANNED_MAX) {
        answer.nextCursor = last;
        break;
      }
      scanned += 1;
      last = entry[0];
      const manifest = decodeRecord(ManifestSchema, entry[1]);
      if (wanted.size > 0 && !touches(manifest, wanted)) continue;
      const bucketId = bucketOfManifestKey(entry[0]);
      answer.entries.push(create(ScanManifestsAnswer_EntrySchema, { bucketId, manifest }));
      bytes += entry[1].byteLength;
    }
  } finally {
    await cursor.close();
  }
  return answer;
}

/** Ids of manifests begin with the time, so a bucket's stand in the order of time. */
function rangeOf({ cursor, bucketId, begunFromMs }: ScanManifestsQuery): KeyRange {
  const after = rangeAfter(TABLE.manifest, cursor);
  if (bucketId === 0) return after;
  const whole = bucketManifests(bucketId, begunFromMs);
  return cursor.byteLength === 0 ? whole : { ...whole, from: after.from };
}

/** A shard lies on one of the disks, or is owed. */
function touches(manifest: Manifest, diskIds: ReadonlySet<number>): boolean {
  return manifest.chunks.some((chunk) =>
    chunk.diskIds.some((diskId) => diskId === 0 || diskIds.has(diskId)),
  );
}
