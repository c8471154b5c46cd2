// ListVersions: all versions and delete markers of a bucket, a page at a time. Common prefixes are
// jumped over, never walked through, so a page costs what it shows and not what lies below it.
import { create } from "@bufbuild/protobuf";
import { compareBytes, copyBytes } from "../../../lib/base/bytes.ts";
import {
  type ListVersionsAnswer,
  ListVersionsAnswer_EntrySchema,
  ListVersionsAnswerSchema,
  type ListVersionsQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { sequenceMs } from "../context.ts";
import {
  bucketRange,
  headKey,
  ID_BYTES,
  type KeyRange,
  prefixEnd,
  prefixRange,
  TABLE,
  versionKey,
  versionsAfterKey,
  versionsPrefix,
} from "../keys.ts";
import type { FrozenState } from "../records.ts";
import {
  findVersion,
  isNullVersionId,
  NULL_VERSION_ID,
  readHead,
  sequenceOf,
} from "../versions.ts";
import { bareVersion } from "./bare-version.ts";
import { commonPrefix, startsWith } from "./delimited.ts";
import { MESSAGE_BYTES, pageLimit, refuseSealed } from "./query-limits.ts";
import { VersionWalk, type WalkedVersion, type WalkStart } from "./version-walk.ts";

/** Bytes of an entry besides its key and the texts in it, generously. */
const ENTRY_BYTES = 200;

/** Throws StoreError "sealed". */
export async function listVersions(
  state: FrozenState,
  query: ListVersionsQuery,
): Promise<ListVersionsAnswer> {
  refuseSealed(state, query.bucketId);
  const answer = create(ListVersionsAnswerSchema);
  const start = query.limit === 0 ? undefined : startOf(state, query);
  if (start === undefined) return answer;
  const walk = new VersionWalk(state, query.bucketId, start);
  try {
    await fillPage(walk, query, answer);
  } finally {
    await walk.close();
  }
  return answer;
}

async function fillPage(
  walk: VersionWalk,
  query: ListVersionsQuery,
  answer: ListVersionsAnswer,
): Promise<void> {
  const limit = pageLimit(query.limit);
  let bytes = 0;
  for (;;) {
    const walked = await walk.next();
    if (walked === undefined) return endPage(answer);
    const isFull = answer.entries.length + answer.commonPrefixes.length >= limit;
    if (isFull || bytes > MESSAGE_BYTES) {
      answer.truncated = true;
      return;
    }
    const { key } = walked;
    const group = commonPrefix(key, query);
    if (group === undefined) {
      bytes += addEntry(answer, walked, query.withDetails);
      continue;
    }
    answer.commonPrefixes.push(copyBytes(group));
    answer.nextKeyMarker = copyBytes(group);
    answer.nextVersionIdMarker = new Uint8Array(0);
    bytes += group.byteLength + 8;
    if (!walk.skip(group)) return endPage(answer);
  }
}

/** Nothing comes after this page. */
function endPage(answer: ListVersionsAnswer): void {
  answer.nextKeyMarker = new Uint8Array(0);
  answer.nextVersionIdMarker = new Uint8Array(0);
}

/** Its bytes in the message, about. */
function addEntry(answer: ListVersionsAnswer, walked: WalkedVersion, withDetails: boolean): number {
  const { isLatest, noncurrentSinceMs } = walked;
  const key = copyBytes(walked.key);
  const version = bareVersion(walked.version, withDetails);
  const entry = { key, version, isLatest, noncurrentSinceMs };
  answer.entries.push(create(ListVersionsAnswer_EntrySchema, entry));
  answer.nextKeyMarker = key;
  answer.nextVersionIdMarker = version.versionId;
  const tags = version.tags.reduce((sum, tag) => sum + 4 * (tag.name.length + tag.value.length), 0);
  return key.byteLength + ENTRY_BYTES + version.owner.length + tags;
}

/** Where the page begins; undefined when nothing can be on it. */
function startOf(state: FrozenState, query: ListVersionsQuery): WalkStart | undefined {
  const { bucketId, prefix } = query;
  const heads = rangeUnder(headKey(bucketId, prefix), bucketRange(TABLE.head, bucketId));
  const older = prefixRange(versionsPrefix(bucketId, prefix));
  const whole: WalkStart = { heads, older };
  const { keyMarker } = query;
  if (keyMarker.byteLength === 0) return whole;
  if (!startsWith(keyMarker, prefix)) {
    return compareBytes(keyMarker, prefix) < 0 ? whole : undefined;
  }
  const marked = afterMarker(state, query);
  if (marked === undefined) return undefined;
  const isPast = heads.to !== undefined && compareBytes(marked.heads.from, heads.to) >= 0;
  if (isPast) return undefined;
  const from = { heads: { ...heads, ...marked.heads }, older: { ...older, ...marked.older } };
  return marked.within === undefined ? from : { ...from, within: marked.within };
}

function rangeUnder(from: Uint8Array, whole: KeyRange): KeyRange {
  const to = prefixEnd(from) ?? whole.to;
  return to === undefined ? { from } : { from, to };
}

/** The first place after the markers; undefined when it lies after everything. */
function afterMarker(state: FrozenState, query: ListVersionsQuery): WalkStart | undefined {
  const { bucketId, keyMarker } = query;
  const group = commonPrefix(keyMarker, query);
  if (group !== undefined) {
    const heads = prefixEnd(headKey(bucketId, group));
    const older = prefixEnd(versionsPrefix(bucketId, group));
    if (heads === undefined || older === undefined) return undefined;
    return { heads: { from: heads }, older: { from: older } };
  }
  const afterHead = Buffer.concat([headKey(bucketId, keyMarker), Uint8Array.of(0)]);
  if (query.versionIdMarker.byteLength === 0) {
    return { heads: { from: afterHead }, older: { from: versionsAfterKey(bucketId, keyMarker) } };
  }
  return afterVersion(state, query, afterHead);
}

/** Within the versions of the marked key; at its newest when the marker's place is not known. */
function afterVersion(
  state: FrozenState,
  { bucketId, keyMarker: key, versionIdMarker }: ListVersionsQuery,
  afterHead: Uint8Array,
): WalkStart {
  const place = { bucketId, key };
  const head = readHead(state, place);
  const sequence = isNullVersionId(versionIdMarker)
    ? sequenceOfVersion(findVersion(state, place, NULL_VERSION_ID)?.version.versionId)
    : sequenceOfVersion(versionIdMarker);
  const isBeforeHead =
    sequence === undefined || head === undefined || sequenceOf(head.versionId) < sequence;
  if (isBeforeHead) {
    const older = versionsPrefix(bucketId, key);
    return { heads: { from: headKey(bucketId, key) }, older: { from: older } };
  }
  const older = Buffer.concat([versionKey(bucketId, key, sequence), Uint8Array.of(0)]);
  return {
    heads: { from: afterHead },
    older: { from: older },
    within: { key, newerMs: sequenceMs(sequence) },
  };
}

function sequenceOfVersion(versionId: Uint8Array | undefined): bigint | undefined {
  return versionId?.byteLength === ID_BYTES ? sequenceOf(versionId) : undefined;
}
