// Where a walk over the versions of buckets stands, and its form in the note of a lease. A note
// that cannot be read (an older or newer release wrote it) begins a new pass.
import { fromHex, fromUtf8, toHex, utf8 } from "../../lib/base/bytes.ts";

/** After a version of a key in one group of a bucket. */
export interface WalkPosition {
  readonly groupId: number;
  readonly keyMarker: Uint8Array;
  readonly versionIdMarker: Uint8Array;
  /** Of the key of the marker: its current version, and the noncurrent versions seen so far. */
  readonly headId: Uint8Array;
  readonly noncurrentSeen: number;
}

export interface PassState {
  readonly begunMs: number;
  /** 0 while the pass is under way. */
  readonly finishedMs: number;
  /** Buckets are walked in the order of their ids; those up to this one are done. */
  readonly doneBucketId: number;
  /** Within the next bucket; undefined at its beginning. */
  readonly bucketId: number;
  readonly position: WalkPosition | undefined;
}

export const NO_PASS: PassState = {
  begunMs: 0,
  finishedMs: 0,
  doneBucketId: 0,
  bucketId: 0,
  position: undefined,
};

export function encodeNote({ position, ...state }: PassState): Uint8Array {
  if (position === undefined) return utf8(JSON.stringify(state));
  const { groupId, noncurrentSeen, keyMarker, versionIdMarker, headId } = position;
  const marks = [toHex(keyMarker), toHex(versionIdMarker), toHex(headId)];
  return utf8(JSON.stringify({ ...state, at: [groupId, noncurrentSeen, ...marks] }));
}

export function decodeNote(note: Uint8Array): PassState {
  if (note.byteLength === 0) return NO_PASS;
  try {
    const fields: unknown = JSON.parse(fromUtf8(note) ?? "");
    return stateOf(fields) ?? NO_PASS;
  } catch (error) {
    if (error instanceof SyntaxError) return NO_PASS;
    throw error;
  }
}

function stateOf(fields: unknown): PassState | undefined {
  if (typeof fields !== "object" || fields === null) return undefined;
  const named = new Map<string, unknown>(Object.entries(fields));
  const [begunMs, finishedMs, doneBucketId, bucketId] = [
    ...["begunMs", "finishedMs", "doneBucketId", "bucketId"],
  ].map((name) => countOf(named.get(name)));
  if (begunMs === undefined || finishedMs === undefined) return undefined;
  if (doneBucketId === undefined || bucketId === undefined) return undefined;
  return { begunMs, finishedMs, doneBucketId, bucketId, position: positionOf(named.get("at")) };
}

function positionOf(at: unknown): WalkPosition | undefined {
  if (!Array.isArray(at)) return undefined;
  const fields: readonly unknown[] = at;
  const groupId = countOf(fields[0]);
  const noncurrentSeen = countOf(fields[1]);
  const [keyMarker, versionIdMarker, headId] = fields.slice(2).map(bytesOf);
  if (groupId === undefined || noncurrentSeen === undefined || keyMarker === undefined) {
    return undefined;
  }
  if (versionIdMarker === undefined || headId === undefined) return undefined;
  return { groupId, noncurrentSeen, keyMarker, versionIdMarker, headId };
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? fromHex(value) : undefined;
}
