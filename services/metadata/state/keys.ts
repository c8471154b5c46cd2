// Keys of the state store. The first byte names the table, numbers are big-endian, so that byte
// order is the order in which things are listed. Where a key of an object is not the last part it
// is escaped (00 becomes 00 FF) and ended by 00 00, which keeps the order of keys with any bytes in
// them. Golden bytes: test/fixtures/records/keys.json. Never change an encoding; add a table
// instead.
import { assert } from "../../lib/base/assert.ts";
import { StoreError } from "../../lib/base/errors.ts";

/** First byte of each table; tables marked root live in the root group only. */
export const TABLE = {
  /** Local to the replica: not in digests and snapshots. */
  local: 0x21,
  /** Root: bucket records by name. */
  bucket: 0x42,
  /** Root: the cluster map. */
  cluster: 0x43,
  /** Root: entries of the directory of identities. */
  identity: 0x49,
  /** Root: named keys for encryption. */
  kmsKey: 0x4b,
  /** Root: leases by name. */
  lease: 0x4c,
  /** How far a backup was taken in. */
  importMark: 0x4d,
  /** Root: whose each key id, token, certificate, e-mail address and federated account is. */
  proof: 0x50,
  /** Root: which entries of the directory refer to an entry. */
  reference: 0x52,
  /** Root: last uses of access keys and tokens. */
  lastUse: 0x55,
  /** Root: names of buckets by owner. */
  ownedBucket: 0x57,
  /** Bytes of inline bodies, by version id. */
  body: 0x62,
  /** Completed uploads by id. */
  completed: 0x63,
  /** Completed uploads in order of completion. */
  completedAge: 0x65,
  /** Garbage by sequence. */
  garbage: 0x67,
  /** Sequences of the garbage records of a manifest. */
  garbageIndex: 0x68,
  /** Root: entries of the directory in order of revision. */
  identityRevision: 0x69,
  /** What the group knows of a bucket. */
  bucketState: 0x6b,
  /** Part lists of completed multipart objects. */
  partList: 0x6c,
  manifest: 0x6d,
  /** Where a key's null version is when it is not current. */
  nullPointer: 0x6e,
  /** Current versions. */
  head: 0x6f,
  part: 0x70,
  /** Replies by command id. */
  reply: 0x71,
  repair: 0x72,
  seal: 0x73,
  /** Command ids by log index. */
  replyAge: 0x74,
  upload: 0x75,
  /** Versions that are not current, newest first within a key. */
  version: 0x76,
  /** What is to be carried out after a commit, by sequence. */
  outbox: 0x78,
  /** What the group has of a bucket. */
  usage: 0x79,
  /** Clocks and counters of the group. */
  meta: 0x7a,
} as const;

export type Table = (typeof TABLE)[keyof typeof TABLE];

export const ID_BYTES = 16;
export const SEQUENCE_MAX = 0xffff_ffff_ffff_ffffn;

export interface KeyRange {
  readonly from: Uint8Array;
  /** Exclusive; missing: to the end. */
  readonly to?: Uint8Array;
}

function build(table: Table, parts: readonly Uint8Array[]): Uint8Array {
  let length = 1;
  for (const part of parts) length += part.byteLength;
  const key = Buffer.allocUnsafe(length);
  key[0] = table;
  let at = 1;
  for (const part of parts) {
    key.set(part, at);
    at += part.byteLength;
  }
  return key;
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value, 0);
  return bytes;
}

function id(value: Uint8Array): Uint8Array {
  assert(value.byteLength === ID_BYTES, `keys: an id of ${value.byteLength} bytes`);
  return value;
}

/** 00 becomes 00 FF; order and prefixes are kept. */
export function escapeBytes(value: Uint8Array): Uint8Array {
  if (!value.includes(0)) return value;
  const out: number[] = [];
  for (const byte of value) {
    out.push(byte);
    if (byte === 0) out.push(0xff);
  }
  return Uint8Array.from(out);
}

const TERMINATOR = Uint8Array.of(0, 0);

/** Reads an escaped string that begins at `offset`; `end` is the offset after its terminator. */
function unescapeAt(key: Uint8Array, offset: number): { value: Uint8Array; end: number } {
  const out: number[] = [];
  for (let at = offset; at < key.byteLength; at += 1) {
    const byte = key[at] ?? 0;
    if (byte !== 0) {
      out.push(byte);
      continue;
    }
    const next = key[at + 1];
    if (next === 0) return { value: Uint8Array.from(out), end: at + 2 };
    if (next !== 0xff) break;
    out.push(0);
    at += 1;
  }
  throw new StoreError("corrupt", "state store: a key that no encoder made");
}

/** The smallest byte string greater than all that begin with `prefix`; undefined when none is. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.byteLength; length > 0; length -= 1) {
    const byte = prefix[length - 1] ?? 0xff;
    if (byte === 0xff) continue;
    const end = Buffer.from(prefix.subarray(0, length));
    end[length - 1] = byte + 1;
    return end;
  }
  return undefined;
}

/** All keys that begin with `prefix`. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  const to = prefixEnd(prefix);
  return to === undefined ? { from: prefix } : { from: prefix, to };
}

export function tableRange(table: Table): KeyRange {
  return prefixRange(Uint8Array.of(table));
}

export const MARK_KEY: Uint8Array = Uint8Array.of(TABLE.local, 0x6d);
export const META_KEY: Uint8Array = Uint8Array.of(TABLE.meta);
export const CLUSTER_KEY: Uint8Array = Uint8Array.of(TABLE.cluster);
export const IMPORT_KEY: Uint8Array = Uint8Array.of(TABLE.importMark);

export function headKey(bucketId: number, key: Uint8Array): Uint8Array {
  return build(TABLE.head, [u32(bucketId), key]);
}

export const HEAD_KEY_OFFSET = 5;

/** The object key in a head's key; a view. */
export function keyOfHead(head: Uint8Array): Uint8Array {
  return head.subarray(HEAD_KEY_OFFSET);
}

export function versionPrefix(bucketId: number, key: Uint8Array): Uint8Array {
  return build(TABLE.version, [u32(bucketId), escapeBytes(key), TERMINATOR]);
}

/** All versions of keys that begin with `keyPrefix` stand under this. */
export function versionsPrefix(bucketId: number, keyPrefix: Uint8Array): Uint8Array {
  return build(TABLE.version, [u32(bucketId), escapeBytes(keyPrefix)]);
}

/** The first key after all versions of `key`. */
export function versionsAfterKey(bucketId: number, key: Uint8Array): Uint8Array {
  return build(TABLE.version, [u32(bucketId), escapeBytes(key), Uint8Array.of(0, 1)]);
}

export function versionKey(bucketId: number, key: Uint8Array, sequence: bigint): Uint8Array {
  const newestFirst = u64(SEQUENCE_MAX - sequence);
  return build(TABLE.version, [u32(bucketId), escapeBytes(key), TERMINATOR, newestFirst]);
}

export function parseVersionKey(stored: Uint8Array): { key: Uint8Array; sequence: bigint } {
  const { value, end } = unescapeAt(stored, 5);
  if (stored.byteLength !== end + 8) throw new StoreError("corrupt", "state store: version key");
  const inverted = Buffer.from(stored.buffer, stored.byteOffset + end, 8).readBigUInt64BE(0);
  return { key: value, sequence: SEQUENCE_MAX - inverted };
}

/** Range of a bucket's heads or noncurrent versions. */
export function bucketRange(table: Table, bucketId: number): KeyRange {
  return prefixRange(build(table, [u32(bucketId)]));
}

export function nullPointerKey(bucketId: number, key: Uint8Array): Uint8Array {
  return build(TABLE.nullPointer, [u32(bucketId), key]);
}

export function bodyKey(bucketId: number, versionId: Uint8Array): Uint8Array {
  return build(TABLE.body, [u32(bucketId), id(versionId)]);
}

export function manifestKey(bucketId: number, manifestId: Uint8Array): Uint8Array {
  return build(TABLE.manifest, [u32(bucketId), id(manifestId)]);
}

/** Manifests of a bucket whose ids were drawn at `fromMs` or later. */
export function bucketManifests(bucketId: number, fromMs: bigint): KeyRange {
  const whole = prefixRange(build(TABLE.manifest, [u32(bucketId)]));
  return { ...whole, from: Buffer.concat([whole.from, u64(fromMs).subarray(2)]) };
}

export function bucketOfManifestKey(stored: Uint8Array): number {
  return bucketOfKey(stored);
}

export function partListKey(bucketId: number, partListId: Uint8Array): Uint8Array {
  return build(TABLE.partList, [u32(bucketId), id(partListId)]);
}

export function uploadPrefix(bucketId: number, keyPrefix: Uint8Array): Uint8Array {
  return build(TABLE.upload, [u32(bucketId), escapeBytes(keyPrefix)]);
}

export function uploadKey(bucketId: number, key: Uint8Array, uploadId: Uint8Array): Uint8Array {
  return build(TABLE.upload, [u32(bucketId), escapeBytes(key), TERMINATOR, id(uploadId)]);
}

/** The first key after all uploads of `key`. */
export function uploadsAfterKey(bucketId: number, key: Uint8Array): Uint8Array {
  return build(TABLE.upload, [u32(bucketId), escapeBytes(key), Uint8Array.of(0, 1)]);
}

export interface UploadPlace {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly uploadId: Uint8Array;
}

export function parseUploadKey(stored: Uint8Array): UploadPlace {
  const bucketId = Buffer.from(stored.buffer, stored.byteOffset, 5).readUInt32BE(1);
  const { value, end } = unescapeAt(stored, 5);
  const uploadId = stored.subarray(end);
  if (uploadId.byteLength !== ID_BYTES) throw new StoreError("corrupt", "state store: upload key");
  return { bucketId, key: value, uploadId };
}

export function partPrefix(bucketId: number, uploadId: Uint8Array): Uint8Array {
  return build(TABLE.part, [u32(bucketId), id(uploadId)]);
}

export function partKey(bucketId: number, uploadId: Uint8Array, partNumber: number): Uint8Array {
  return build(TABLE.part, [u32(bucketId), id(uploadId), u32(partNumber)]);
}

export function completedKey(bucketId: number, uploadId: Uint8Array): Uint8Array {
  return build(TABLE.completed, [u32(bucketId), id(uploadId)]);
}

export function completedAgeKey(sequence: bigint): Uint8Array {
  return build(TABLE.completedAge, [u64(sequence)]);
}

export function garbageKey(sequence: bigint): Uint8Array {
  return build(TABLE.garbage, [u64(sequence)]);
}

export function garbageIndexKey(bucketId: number, manifestId: Uint8Array): Uint8Array {
  return build(TABLE.garbageIndex, [u32(bucketId), id(manifestId)]);
}

export function repairKey(
  bucketId: number,
  manifestId: Uint8Array,
  chunkId: Uint8Array,
): Uint8Array {
  return build(TABLE.repair, [u32(bucketId), id(manifestId), id(chunkId)]);
}

export function sealKey(bucketId: number): Uint8Array {
  return build(TABLE.seal, [u32(bucketId)]);
}

export function bucketStateKey(bucketId: number): Uint8Array {
  return build(TABLE.bucketState, [u32(bucketId)]);
}

export function usageKey(bucketId: number): Uint8Array {
  return build(TABLE.usage, [u32(bucketId)]);
}

/** The bucket of a key that begins with its id after the table. */
export function bucketOfKey(stored: Uint8Array): number {
  return Buffer.from(stored.buffer, stored.byteOffset, 5).readUInt32BE(1);
}

export function outboxKey(sequence: bigint): Uint8Array {
  return build(TABLE.outbox, [u64(sequence)]);
}

export function replyKey(commandId: Uint8Array): Uint8Array {
  return build(TABLE.reply, [id(commandId)]);
}

export function replyAgeKey(index: number): Uint8Array {
  return build(TABLE.replyAge, [u64(BigInt(index))]);
}

function text(value: string): Uint8Array {
  return Buffer.from(value, "utf8");
}

export function bucketNameKey(name: string): Uint8Array {
  return build(TABLE.bucket, [text(name)]);
}

export function ownedBucketPrefix(owner: string): Uint8Array {
  return build(TABLE.ownedBucket, [escapeBytes(text(owner)), TERMINATOR]);
}

export function ownedBucketKey(owner: string, name: string): Uint8Array {
  return build(TABLE.ownedBucket, [escapeBytes(text(owner)), TERMINATOR, text(name)]);
}

export function kmsKeyKey(name: string): Uint8Array {
  return build(TABLE.kmsKey, [text(name)]);
}

export function leaseKey(name: string): Uint8Array {
  return build(TABLE.lease, [text(name)]);
}

/** An entry of the directory. */
export interface IdentityName {
  /** IdentityKind. */
  readonly kind: number;
  readonly name: string;
}

export function identityKey({ kind, name }: IdentityName): Uint8Array {
  return build(TABLE.identity, [Uint8Array.of(kind), text(name)]);
}

export function identityRevisionKey(revision: bigint, { kind, name }: IdentityName): Uint8Array {
  return build(TABLE.identityRevision, [u64(revision), Uint8Array.of(kind), text(name)]);
}

/** The first key after that of `revision`. */
export function identitiesAfter(revision: bigint): Uint8Array {
  return build(TABLE.identityRevision, [u64(revision + 1n)]);
}

export function parseIdentityRevisionKey(stored: Uint8Array): IdentityName & { revision: bigint } {
  const view = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  if (view.byteLength < 11) throw new StoreError("corrupt", "state store: identity revision key");
  return {
    revision: view.readBigUInt64BE(1),
    kind: view.readUInt8(9),
    name: view.toString("utf8", 10),
  };
}

/** What somebody proves with who he is: at most one user has it. */
export interface Proof {
  readonly kind: (typeof PROOF)[keyof typeof PROOF];
  readonly value: Uint8Array;
}

/** Kinds of proofs, as they stand in keys. */
export const PROOF = {
  /** Ids of access keys and of tokens: they share the table of last uses. */
  id: 1,
  tokenDigest: 2,
  certificate: 3,
  email: 4,
  federated: 5,
} as const;

export function proofKey({ kind, value }: Proof): Uint8Array {
  return build(TABLE.proof, [Uint8Array.of(kind), value]);
}

export function referencePrefix({ kind, name }: IdentityName): Uint8Array {
  return build(TABLE.reference, [Uint8Array.of(kind), escapeBytes(text(name)), TERMINATOR]);
}

/** `by` refers to `target`. */
export function referenceKey(target: IdentityName, by: IdentityName): Uint8Array {
  return Buffer.concat([referencePrefix(target), Uint8Array.of(by.kind), text(by.name)]);
}

export function lastUseKey(id: string): Uint8Array {
  return build(TABLE.lastUse, [text(id)]);
}
