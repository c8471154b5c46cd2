// One page of any listing of a bucket, put together from the ranges that can hold something of it,
// in key order. The cost is that of the page, whatever the size of the bucket: only so many
// questions are asked, and past them the page ends early, with a marker.
import { compareBytes, utf8 } from "../../lib/base/bytes.ts";
import type { RangeRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { BucketContext } from "../operation.ts";

/** Most questions asked of groups for one page. */
const QUERIES_MAX = 32;

interface Keyed {
  readonly key: Uint8Array;
}

/** What a group answers; `next` counts only where it is truncated. */
export interface RangeAnswer<E extends Keyed, M extends Keyed> {
  readonly entries: readonly E[];
  readonly commonPrefixes: readonly Uint8Array[];
  readonly truncated: boolean;
  readonly next: M;
}

export interface RangeListing<E extends Keyed, M extends Keyed> {
  /** As stored. */
  readonly prefix: string;
  /** Entries and common prefixes after this place. */
  readonly marker: M;
  /** Entries and common prefixes together; 0 answers an empty page that is not truncated. */
  readonly limit: number;
  readonly ask: (range: RangeRecord, marker: M, limit: number) => Promise<RangeAnswer<E, M>>;
  /** The place after an entry, and after a common prefix. */
  readonly afterEntry: (entry: E) => M;
  readonly afterPrefix: (prefix: Uint8Array) => M;
}

export interface RangePage<E, M> {
  readonly entries: readonly E[];
  readonly commonPrefixes: readonly Uint8Array[];
  /** Where the next page goes on; undefined at the end. */
  readonly next: M | undefined;
}

interface PageState<E extends Keyed, M extends Keyed> {
  readonly listing: RangeListing<E, M>;
  readonly entries: E[];
  readonly commonPrefixes: Uint8Array[];
  marker: M;
  left: number;
  queriesLeft: number;
}

export async function listOverRanges<E extends Keyed, M extends Keyed>(
  context: BucketContext,
  listing: RangeListing<E, M>,
): Promise<RangePage<E, M>> {
  const { marker, limit } = listing;
  const entries: E[] = [];
  const commonPrefixes: Uint8Array[] = [];
  const lists = { listing, entries, commonPrefixes };
  const state: PageState<E, M> = { ...lists, marker, left: limit, queriesLeft: QUERIES_MAX };
  if (limit > 0) {
    for (const range of rangesOf(context, listing)) {
      const next = await listRange(state, range);
      if (next !== undefined) return { entries, commonPrefixes, next };
    }
  }
  return { entries, commonPrefixes, next: undefined };
}

/** The ranges that can hold something of the page, in key order. */
function rangesOf(
  context: BucketContext,
  listing: { readonly prefix: string; readonly marker: Keyed },
): readonly RangeRecord[] {
  const prefix = utf8(listing.prefix);
  const { key } = listing.marker;
  const from = compareBytes(prefix, key) > 0 ? prefix : key;
  return joined(context.bucket.ranges).filter(({ start, end }) => {
    const endsAfter = end.byteLength === 0 || compareBytes(end, from) > 0;
    const beginsBefore =
      compareBytes(start, prefix) <= 0 ||
      compareBytes(start.subarray(0, prefix.byteLength), prefix) === 0;
    return endsAfter && beginsBefore;
  });
}

/** Neighbours in one group as one range: the group lists over the border between them itself. */
function joined(ranges: readonly RangeRecord[]): RangeRecord[] {
  const found: RangeRecord[] = [];
  for (const range of ranges) {
    const last = found.at(-1);
    if (last?.groupId === range.groupId) found.splice(-1, 1, { ...last, end: range.end });
    else found.push(range);
  }
  return found;
}

/** Adds what one range has; returns where to go on once the page is full and there is more. */
async function listRange<E extends Keyed, M extends Keyed>(
  state: PageState<E, M>,
  range: RangeRecord,
): Promise<M | undefined> {
  for (;;) {
    const cut = await listSome(state, range);
    // A group may end its answer early; only so often is it asked to go on for one page.
    state.queriesLeft -= 1;
    if (cut === undefined || state.left === 0 || state.queriesLeft <= 0) return cut;
    state.marker = cut;
  }
}

/** One answer's worth; returns where the range goes on, undefined at its end. */
async function listSome<E extends Keyed, M extends Keyed>(
  state: PageState<E, M>,
  range: RangeRecord,
): Promise<M | undefined> {
  // A full page still has to know whether anything follows.
  const answer = await state.listing.ask(range, state.marker, Math.max(state.left, 1));
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
  if (answer.truncated && isHere(answer.next.key)) return answer.next;
  state.marker = placeAfter(state.listing, entries.at(-1), prefixes.at(-1)) ?? state.marker;
  return undefined;
}

/** The place after whichever comes last; undefined where there is neither. */
function placeAfter<E extends Keyed, M extends Keyed>(
  listing: RangeListing<E, M>,
  entry: E | undefined,
  prefix: Uint8Array | undefined,
): M | undefined {
  const isPrefixLast =
    prefix !== undefined && (entry === undefined || compareBytes(prefix, entry.key) > 0);
  if (isPrefixLast) return listing.afterPrefix(prefix);
  return entry === undefined ? undefined : listing.afterEntry(entry);
}
