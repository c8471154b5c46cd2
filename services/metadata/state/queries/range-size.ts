// RangeSize: how many bytes the heads of a range of keys take, and where to cut the range so that
// both parts are about equal. Asks the store for sizes of stretches and never walks through keys,
// so it costs the same for a thousand keys and for a billion.
import { create } from "@bufbuild/protobuf";
import { compareBytes, copyBytes } from "../../../lib/base/bytes.ts";
import {
  type RangeSizeAnswer,
  RangeSizeAnswerSchema,
  type RangeSizeQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { headKey, keyOfHead, prefixEnd } from "../keys.ts";
import type { FrozenState } from "../records.ts";
import { refuseSealed } from "./query-limits.ts";

/** Each step halves the keys in question, or passes over a prefix that all of them have. */
const STEPS_MAX = 256;
/** Bytes looked at behind what two keys have in common. */
const MIDDLE_BYTES = 8;
const NO_KEY = new Uint8Array(0);

interface Stretch {
  /** First key. */
  readonly from: Uint8Array;
  /** The end, exclusive. */
  readonly to: Uint8Array;
}

/** Throws StoreError "sealed". */
export async function rangeSize(
  state: FrozenState,
  query: RangeSizeQuery,
): Promise<RangeSizeAnswer> {
  const { bucketId, start, end, cutAboveBytes } = query;
  refuseSealed(state, bucketId);
  const from = headKey(bucketId, start);
  const to = end.byteLength > 0 ? headKey(bucketId, end) : prefixEnd(headKey(bucketId, NO_KEY));
  const answer = create(RangeSizeAnswerSchema);
  if (to === undefined || compareBytes(from, to) >= 0) return answer;
  const bytes = await state.approximateBytes(from, to);
  answer.bytes = BigInt(bytes);
  if (answer.bytes <= cutAboveBytes) return answer;
  const cut = await findCut(state, { from, to }, bytes);
  return cut === undefined ? answer : { ...answer, cut };
}

/** A key that has about half of the bytes before it; undefined where there is only one key. */
async function findCut(
  state: FrozenState,
  whole: Stretch,
  bytes: number,
): Promise<Uint8Array | undefined> {
  let low = await firstKey(state, whole);
  let high = await state.lastKey(whole);
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if (low === undefined || high === undefined || compareBytes(low, high) >= 0) break;
    const middle = middleOf(low, high);
    const share = (await state.approximateBytes(whole.from, middle)) / bytes;
    const above = await firstKey(state, { from: middle, to: whole.to });
    const below = await state.lastKey({ from: whole.from, to: middle });
    if (above === undefined || below === undefined) break;
    const isBalanced = share > 0.4 && share < 0.6;
    // Between two neighbours there is nothing left to look for.
    const isNarrow = compareBytes(below, low) <= 0 && compareBytes(above, high) >= 0;
    if (isBalanced || isNarrow) return separatorOf(below, above);
    if (share < 0.5) low = above;
    else high = below;
  }
  return lastResort(state, whole, low);
}

/** Keys so unequal that no middle was found: the cut is before or behind the one that is left. */
async function lastResort(
  state: FrozenState,
  whole: Stretch,
  left: Uint8Array | undefined,
): Promise<Uint8Array | undefined> {
  if (left === undefined) return undefined;
  const below = await state.lastKey({ from: whole.from, to: left });
  if (below !== undefined) return separatorOf(below, left);
  const behind = Buffer.concat([left, Uint8Array.of(0)]);
  const above = await firstKey(state, { from: behind, to: whole.to });
  return above === undefined ? undefined : separatorOf(left, above);
}

async function firstKey(state: FrozenState, range: Stretch): Promise<Uint8Array | undefined> {
  if (compareBytes(range.from, range.to) >= 0) return undefined;
  const [first] = await state.scan(range, 1);
  return first?.[0];
}

function commonLength(one: Uint8Array, other: Uint8Array): number {
  let length = 0;
  while (length < one.byteLength && one[length] === other[length]) length += 1;
  return length;
}

/** A byte string above `low` and not above `high`, halfway between them. */
function middleOf(low: Uint8Array, high: Uint8Array): Uint8Array {
  const shared = commonLength(low, high);
  const middle = (windowOf(low, shared) + windowOf(high, shared) + 1n) / 2n;
  const bytes = Buffer.alloc(MIDDLE_BYTES);
  bytes.writeBigUInt64BE(middle);
  const found = Buffer.concat([low.subarray(0, shared), bytes]);
  const isBetween = compareBytes(found, low) > 0 && compareBytes(found, high) <= 0;
  return isBetween ? found : high;
}

/** The bytes behind the first `offset` as a number; zeros where there are none. */
function windowOf(key: Uint8Array, offset: number): bigint {
  const bytes = Buffer.alloc(MIDDLE_BYTES);
  bytes.set(key.subarray(offset, offset + MIDDLE_BYTES));
  return bytes.readBigUInt64BE();
}

/** The shortest object key above that of head `below` and not above that of head `above`. */
function separatorOf(below: Uint8Array, above: Uint8Array): Uint8Array {
  const [lower, upper] = [keyOfHead(below), keyOfHead(above)];
  return copyBytes(upper.subarray(0, commonLength(lower, upper) + 1));
}
