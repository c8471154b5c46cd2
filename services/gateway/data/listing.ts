// One page of a listing of keys, put together from the ranges that hold them, in order: the cost is
// that of the page, whatever the size of the bucket.
import { present } from "../../lib/base/assert.ts";
import { compareBytes, fromUtf8, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { ListObjectsAnswer_Entry } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { RangeRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { ListedObject } from "../../lib/s3/list-documents.ts";
import type { BucketContext } from "../operation.ts";
import { shownBytes, storedMarker, viewPrefix } from "./bucket-view.ts";
import { fromRecord } from "./checksum-records.ts";
import { withImpliedFolders } from "./implied-folders.ts";
import { queryAt } from "./name-space.ts";
import { shownOwner, shownStorageClass } from "./object-record.ts";

/** Most questions asked of groups for one page; past them the page ends early, with a marker. */
const QUERIES_MAX = 32;

export interface PageQuestion {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  /** Keys and common prefixes after this one. */
  readonly startAfter: Uint8Array;
  /** Keys and common prefixes together. */
  readonly limit: number;
}

export interface ObjectPage {
  readonly entries: readonly ListObjectsAnswer_Entry[];
  readonly commonPrefixes: readonly Uint8Array[];
  /** Where the next page goes on; undefined at the end. */
  readonly nextStartAfter: Uint8Array | undefined;
}

interface PageState {
  readonly entries: ListObjectsAnswer_Entry[];
  readonly commonPrefixes: Uint8Array[];
  startAfter: Uint8Array;
  left: number;
  queriesLeft: number;
}

/**
 * Lists a page. A limit of 0 answers an empty page that is not truncated. Question and page have
 * keys as the client knows them.
 */
export async function listPage(
  context: BucketContext,
  question: PageQuestion,
): Promise<ObjectPage> {
  const stored = await listStored(context, {
    ...question,
    prefix: viewPrefix(context) + question.prefix,
    startAfter: storedMarker(context, question.startAfter),
  });
  const page = shownPage(context, stored);
  const { lenient } = context.gateway.settings;
  return lenient.impliedFolders ? withImpliedFolders(page, question) : page;
}

function shownPage(context: BucketContext, page: ObjectPage): ObjectPage {
  if (context.request.view === undefined) return page;
  const shown = (key: Uint8Array): Uint8Array => shownBytes(context, key);
  const { entries, commonPrefixes, nextStartAfter: next } = page;
  return {
    entries: entries.map((entry) => ({ ...entry, key: shown(entry.key) })),
    commonPrefixes: commonPrefixes.map(shown),
    nextStartAfter: next === undefined ? undefined : shown(next),
  };
}

async function listStored(context: BucketContext, question: PageQuestion): Promise<ObjectPage> {
  const state: PageState = {
    entries: [],
    commonPrefixes: [],
    startAfter: question.startAfter,
    left: question.limit,
    queriesLeft: QUERIES_MAX,
  };
  if (question.limit > 0) {
    for (const range of rangesOf(context, question)) {
      const nextStartAfter = await listRange(context, { question, range, state });
      if (nextStartAfter !== undefined) return { ...state, nextStartAfter };
    }
  }
  return { ...state, nextStartAfter: undefined };
}

/** The ranges that can hold something of the page, in key order. */
export function rangesOf(
  context: BucketContext,
  question: Pick<PageQuestion, "prefix" | "startAfter">,
): readonly RangeRecord[] {
  const prefix = utf8(question.prefix);
  const from = compareBytes(prefix, question.startAfter) > 0 ? prefix : question.startAfter;
  return context.bucket.ranges.filter(({ start, end }) => {
    const endsAfter = end.byteLength === 0 || compareBytes(end, from) > 0;
    const beginsBefore =
      compareBytes(start, prefix) <= 0 ||
      compareBytes(start.subarray(0, prefix.byteLength), prefix) === 0;
    return endsAfter && beginsBefore;
  });
}

/** Adds what one range has; returns where to go on once the page is full and there is more. */
async function listRange(
  context: BucketContext,
  work: { question: PageQuestion; range: RangeRecord; state: PageState },
): Promise<Uint8Array | undefined> {
  for (;;) {
    const cut = await listSome(context, work);
    const { state } = work;
    // A group may end its answer early; only so often is it asked to go on for one page.
    state.queriesLeft -= 1;
    if (cut === undefined || state.left === 0 || state.queriesLeft <= 0) return cut;
    state.startAfter = cut;
  }
}

/** One answer's worth; returns where the range goes on, undefined at its end. */
async function listSome(
  context: BucketContext,
  { question, range, state }: { question: PageQuestion; range: RangeRecord; state: PageState },
): Promise<Uint8Array | undefined> {
  const { bucket } = context;
  // A full page still has to know whether anything follows.
  const limit = Math.max(state.left, 1);
  const answer = await queryAt<"listObjects">(
    context,
    { bucket, key: range.start },
    {
      case: "listObjects",
      value: {
        bucketId: bucket.bucketId,
        prefix: utf8(question.prefix),
        delimiter: utf8(question.delimiter ?? ""),
        startAfter: state.startAfter,
        limit,
      },
    },
  );
  // The group may hold a later range of the bucket too; that one comes in its turn.
  const isHere = (key: Uint8Array): boolean =>
    range.end.byteLength === 0 || compareBytes(key, range.end) < 0;
  const entries = answer.entries.filter(({ key }) => isHere(key));
  const prefixes = answer.commonPrefixes.filter(isHere);
  const found = entries.length + prefixes.length;
  if (state.left === 0) return found > 0 || answer.truncated ? state.startAfter : undefined;
  state.entries.push(...entries);
  state.commonPrefixes.push(...prefixes);
  state.left -= found;
  const isCutHere = answer.truncated && isHere(answer.nextStartAfter);
  if (isCutHere) return answer.nextStartAfter;
  const last = latest(entries.at(-1)?.key, prefixes.at(-1));
  if (last !== undefined) state.startAfter = last;
  return undefined;
}

export function latest(
  a: Uint8Array | undefined,
  b: Uint8Array | undefined,
): Uint8Array | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareBytes(a, b) > 0 ? a : b;
}

/** A key or prefix as text. Keys are checked when they are written, so others mean damage. */
export function keyText(key: Uint8Array): string {
  const text = fromUtf8(key);
  if (text === undefined) throw new StoreError("corrupt", "a stored key is not valid UTF-8");
  return text;
}

/** An entry as documents show it. */
export function listedObject(
  context: BucketContext,
  entry: ListObjectsAnswer_Entry,
  withOwner: boolean,
): ListedObject {
  const version = present(entry.version, "version of a listed key");
  const [checksum] = version.checksums.map(fromRecord);
  return {
    key: keyText(entry.key),
    lastModifiedMs: toSafeNumber(version.modifiedMs),
    etag: version.etag,
    size: toSafeNumber(version.size),
    storageClass: shownStorageClass(version.storageClass),
    owner: withOwner ? shownOwner(version.owner, context.identity) : undefined,
    checksumAlgorithm: checksum?.algorithm,
    checksumType: checksum?.type,
  };
}
