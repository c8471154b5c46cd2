// One page of a listing of versions and delete markers, put together from the ranges that hold
// them, in order of keys and, within a key, newest first. The cost is that of the page.
import { present } from "../../lib/base/assert.ts";
import { compareBytes, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { ListVersionsAnswer_Entry } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { RangeRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { ListedDeleteMarker, ListedVersion } from "../../lib/s3/list-documents.ts";
import type { BucketContext } from "../operation.ts";
import { shownBytes, storedMarker, viewPrefix } from "./bucket-view.ts";
import { fromRecord } from "./checksum-records.ts";
import { keyText, latest, rangesOf } from "./listing.ts";
import { queryAt } from "./name-space.ts";
import { shownOwner, shownStorageClass } from "./object-record.ts";
import { CURRENT_VERSION, storedVersionIdText } from "./version-id.ts";

/** Most questions asked of groups for one page; past them the page ends early, with a marker. */
const QUERIES_MAX = 32;

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

export interface VersionPage {
  readonly entries: readonly ListVersionsAnswer_Entry[];
  readonly commonPrefixes: readonly Uint8Array[];
  /** Undefined at the end. */
  readonly next: VersionMarker | undefined;
}

interface PageState {
  readonly entries: ListVersionsAnswer_Entry[];
  readonly commonPrefixes: Uint8Array[];
  marker: VersionMarker;
  left: number;
  queriesLeft: number;
}

interface RangeWork {
  readonly question: VersionPageQuestion;
  readonly range: RangeRecord;
  readonly state: PageState;
}

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

async function listStored(
  context: BucketContext,
  question: VersionPageQuestion,
): Promise<VersionPage> {
  const { prefix, marker, limit } = question;
  const state: PageState = {
    entries: [],
    commonPrefixes: [],
    marker,
    left: limit,
    queriesLeft: QUERIES_MAX,
  };
  const { entries, commonPrefixes } = state;
  if (limit > 0) {
    for (const range of rangesOf(context, { prefix, startAfter: marker.key })) {
      const next = await listRange(context, { question, range, state });
      if (next !== undefined) return { entries, commonPrefixes, next };
    }
  }
  return { entries, commonPrefixes, next: undefined };
}

/** Adds what one range has; returns where to go on once the page is full and there is more. */
async function listRange(
  context: BucketContext,
  work: RangeWork,
): Promise<VersionMarker | undefined> {
  const { state } = work;
  for (;;) {
    const cut = await listSome(context, work);
    // A group may end its answer early; only so often is it asked to go on for one page.
    state.queriesLeft -= 1;
    if (cut === undefined || state.left === 0 || state.queriesLeft <= 0) return cut;
    state.marker = cut;
  }
}

/** One answer's worth; returns where the range goes on, undefined at its end. */
async function listSome(
  context: BucketContext,
  { question, range, state }: RangeWork,
): Promise<VersionMarker | undefined> {
  const { bucket } = context;
  const place = { bucket, key: range.start };
  const answer = await queryAt<"listVersions">(context, place, {
    case: "listVersions",
    value: {
      bucketId: bucket.bucketId,
      prefix: utf8(question.prefix),
      delimiter: utf8(question.delimiter ?? ""),
      keyMarker: state.marker.key,
      versionIdMarker: state.marker.versionId,
      // A full page still has to know whether anything follows.
      limit: Math.max(state.left, 1),
    },
  });
  // The group may hold a later range of the bucket too; that one comes in its turn.
  const isHere = (key: Uint8Array): boolean =>
    range.end.byteLength === 0 || compareBytes(key, range.end) < 0;
  const entries = answer.entries.filter(({ key }) => isHere(key));
  const prefixes = answer.commonPrefixes.filter(isHere);
  const found = entries.length + prefixes.length;
  if (state.left === 0) return found > 0 || answer.truncated ? state.marker : undefined;
  state.entries.push(...entries);
  state.commonPrefixes.push(...prefixes);
  state.left -= found;
  if (answer.truncated && isHere(answer.nextKeyMarker)) {
    return { key: answer.nextKeyMarker, versionId: answer.nextVersionIdMarker };
  }
  const last = latest(entries.at(-1)?.key, prefixes.at(-1));
  // The range is at its end, and so are the versions of its last key.
  if (last !== undefined) state.marker = { key: last, versionId: CURRENT_VERSION };
  return undefined;
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
    owner: shownOwner(version.owner || context.bucket.owner, context.identity),
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
