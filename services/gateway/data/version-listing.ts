// One page of a listing of versions and delete markers, in order of keys and, within a key, newest
// first, and what documents show of its entries.
import { present } from "../../lib/base/assert.ts";
import { toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { ListVersionsAnswer_Entry } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { ListedDeleteMarker, ListedVersion } from "../../lib/s3/list-documents.ts";
import type { BucketContext } from "../operation.ts";
import { shownBytes, storedMarker, viewPrefix } from "./bucket-view.ts";
import { fromRecord } from "./checksum-records.ts";
import { keyText } from "./listing.ts";
import { queryAt } from "./name-space.ts";
import { shownOwner, shownStorageClass } from "./object-record.ts";
import { listOverRanges, type RangePage } from "./range-pages.ts";
import { CURRENT_VERSION, storedVersionIdText } from "./version-id.ts";

/** Where a page goes on: after a key or common prefix, or after a version of a key. */
export interface VersionMarker {
  readonly key: Uint8Array;
  /** Empty: after the whole key. */
  readonly versionId: Uint8Array;
}

export interface VersionPageQuestion {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly marker: VersionMarker;
  /** Versions and common prefixes together. */
  readonly limit: number;
}

export type VersionPage = RangePage<ListVersionsAnswer_Entry, VersionMarker>;

/**
 * Lists a page. A limit of 0 answers an empty page that is not truncated. Question and page have
 * keys as the client knows them.
 */
export async function listVersionPage(
  context: BucketContext,
  question: VersionPageQuestion,
): Promise<VersionPage> {
  const { prefix, marker } = question;
  const page = await listStored(context, {
    ...question,
    prefix: viewPrefix(context) + prefix,
    marker: { ...marker, key: storedMarker(context, marker.key) },
  });
  return shownPage(context, page);
}

function shownPage(context: BucketContext, page: VersionPage): VersionPage {
  if (context.request.view === undefined) return page;
  const { entries, commonPrefixes, next } = page;
  return {
    entries: entries.map((entry) => ({ ...entry, key: shownBytes(context, entry.key) })),
    commonPrefixes: commonPrefixes.map((prefix) => shownBytes(context, prefix)),
    next: next === undefined ? undefined : { ...next, key: shownBytes(context, next.key) },
  };
}

function listStored(context: BucketContext, question: VersionPageQuestion): Promise<VersionPage> {
  const { bucket } = context;
  const { prefix, delimiter, marker, limit } = question;
  // A range at its end is at the end of the versions of its last key too.
  const after = (key: Uint8Array): VersionMarker => ({ key, versionId: CURRENT_VERSION });
  return listOverRanges<ListVersionsAnswer_Entry, VersionMarker>(context, {
    prefix,
    marker,
    limit,
    ask: async (range, { key, versionId }, most) => {
      const place = { bucket, key: range.start };
      const answer = await queryAt<"listVersions">(context, place, {
        case: "listVersions",
        value: {
          bucketId: bucket.bucketId,
          prefix: utf8(prefix),
          delimiter: utf8(delimiter ?? ""),
          keyMarker: key,
          versionIdMarker: versionId,
          limit: most,
        },
      });
      const next = { key: answer.nextKeyMarker, versionId: answer.nextVersionIdMarker };
      return { ...answer, next };
    },
    afterEntry: (entry) => after(entry.key),
    afterPrefix: after,
  });
}

/** An entry as the document shows it. */
export function listedVersion(
  context: BucketContext,
  entry: ListVersionsAnswer_Entry,
): ListedVersion | ListedDeleteMarker {
  const version = present(entry.version, "version of a listed entry");
  const shown = {
    key: keyText(entry.key),
    versionId: storedVersionIdText(version),
    isLatest: entry.isLatest,
    lastModifiedMs: toSafeNumber(version.modifiedMs),
    // Markers have no owner of their own.
    owner: shownOwner(version.owner || context.bucket.owner, context),
  };
  if (version.deleteMarker) return { kind: "delete-marker", ...shown };
  const [checksum] = version.checksums.map(fromRecord);
  return {
    kind: "version",
    ...shown,
    etag: version.etag,
    size: toSafeNumber(version.size),
    storageClass: shownStorageClass(version.storageClass),
    checksumAlgorithm: checksum?.algorithm,
    checksumType: checksum?.type,
  };
}
