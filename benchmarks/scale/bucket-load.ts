// One bucket of very many keys in the state of one metadata replica, erasure-coded objects of one
// chunk each: a head and a manifest. The first object is put by a command, the others are its
// records under other keys and ids, written straight into the store.
import { rm } from "node:fs/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { LoggedCommandSchema } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { GroupMetaSchema } from "../../services/lib/gen/dolium/record/v1/group_pb.ts";
import { BucketUsageSchema } from "../../services/lib/gen/dolium/record/v1/identity_pb.ts";
import { createKvFactory } from "../../services/lib/host/level-kv.ts";
import { createDisk } from "../../services/lib/host/node-disk.ts";
import type { KvEntry } from "../../services/lib/ports/kv.ts";
import { encodeChecked } from "../../services/metadata/state/checked-value.ts";
import { Digest } from "../../services/metadata/state/digest.ts";
import { GroupState } from "../../services/metadata/state/group-state.ts";
import { headKey, META_KEY, manifestKey, usageKey } from "../../services/metadata/state/keys.ts";
import { decodeRecord } from "../../services/metadata/state/records.ts";
import { markOperation, readMark } from "../../services/metadata/state/replica-mark.ts";

export const BUCKET_ID = 1;
/** As a replica does by default (`metadata.verifyOnOpenBytesMax`). */
const VERIFY_ON_OPEN_BYTES_MAX = 2 ** 28;
const BEGUN_MS = 1_700_000_000_000;
const SIZE = 1_000_000n;
const FOLDER_KEYS = 1000;
const PAGE = 1000;

const KV = createKvFactory({ verifyOnOpenBytesMax: VERIFY_ON_OPEN_BYTES_MAX });

/** Opens (or makes) the state under `folder` as a metadata replica opens a group's. */
export function openState(folder: string): Promise<GroupState> {
  return GroupState.open({ disk: createDisk("/"), kvFactory: KV }, folder);
}

/** The key of that number: number order is key order. */
export function keyOf(number: number): Buffer {
  const folder = String(Math.floor(number / FOLDER_KEYS)).padStart(6, "0");
  return Buffer.from(`photos/${folder}/image-${String(number).padStart(9, "0")}.jpeg`);
}

/**
 * Makes a state of `count` keys in an empty folder. What a state machine keeps of one object is
 * written under the other keys and ids, with checksums, counters and digest, so that it passes an
 * audit; a run through commands takes ten times as long.
 */
export async function loadKeys(folder: string, count: number): Promise<void> {
  const first = await firstObject(folder);
  const empty = await openState(folder);
  const { storePath } = empty;
  await empty.close();
  const kv = await KV.open(storePath);
  const digest = new Digest();
  for await (const entries of pagesOf(first, count)) {
    for (const [key, value] of entries) digest.add(key, value);
    await kv.write(entries.map(([key, value]) => ({ type: "put" as const, key, value })));
  }
  const index = BigInt(count);
  const mark = { ...readMark(kv), index, usageIndex: index, term: 1n, digest: digest.bytes() };
  await kv.write([markOperation(mark)], { sync: true });
  await kv.close();
}

/** Puts in one batch, through the state machine; numbers make ids and must not repeat. */
export async function applyPuts(
  state: GroupState,
  puts: readonly { readonly key: Uint8Array; readonly number: number }[],
): Promise<void> {
  const first = state.appliedIndex + 1;
  const entries = puts.map(({ key, number }, at) => ({
    index: first + at,
    term: 1,
    kind: "normal" as const,
    data: putCommand(key, number),
  }));
  await state.apply(entries);
}

function putCommand(key: Uint8Array, number: number): Uint8Array {
  const manifestId = idOf(number);
  const manifest = {
    manifestId,
    policy: "standard",
    dataShards: 4,
    parityShards: 2,
    cellBytes: 131_072,
    size: SIZE,
    chunks: [{ chunkId: manifestId, size: Number(SIZE), diskIds: [1, 2, 3, 4, 5, 6] }],
    key,
  };
  const version = {
    size: SIZE,
    etag: "d41d8cd98f00b204e9800998ecf8427e",
    headers: { contentType: "image/jpeg" },
    storageClass: "STANDARD",
    owner: "ann_org",
    body: { case: "manifestId" as const, value: manifestId },
  };
  const value = { bucketId: BUCKET_ID, key, version, manifest };
  const command = { kind: { case: "putObject" as const, value } };
  const nowMs = BigInt(BEGUN_MS + number);
  const logged = { commandId: manifestId, nowMs, random: Buffer.alloc(8, number), command };
  return toBinary(LoggedCommandSchema, create(LoggedCommandSchema, logged));
}

/** Begins with the time, as ids of manifests do. */
function idOf(number: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeUIntBE(BEGUN_MS + number, 0, 6);
  id.writeUInt32BE(Math.imul(number + 1, 0x9e3779b1) >>> 0, 6);
  id.writeUInt32BE(number, 12);
  return id;
}

interface FirstObject {
  readonly head: Uint8Array;
  readonly manifest: Uint8Array;
  readonly usage: Uint8Array;
  readonly meta: Uint8Array;
}

/** What a state machine keeps of the object of number 0. */
async function firstObject(beside: string): Promise<FirstObject> {
  const folder = `${beside}-first`;
  const state = await openState(folder);
  try {
    await applyPuts(state, [{ key: keyOf(0), number: 0 }]);
    return await state.read((view) => {
      const payload = (key: Uint8Array): Uint8Array => {
        const found = view.get(key);
        if (found === undefined) throw new Error("the first object is incomplete");
        return Uint8Array.from(found);
      };
      return {
        head: payload(headKey(BUCKET_ID, keyOf(0))),
        manifest: payload(manifestKey(BUCKET_ID, idOf(0))),
        usage: payload(usageKey(BUCKET_ID)),
        meta: payload(META_KEY),
      };
    });
  } finally {
    await state.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The entries of a state of `count` objects like the first, in order. */
async function* pagesOf(first: FirstObject, count: number): AsyncGenerator<KvEntry[], void> {
  yield* objectPages(count, (number) => {
    const key = manifestKey(BUCKET_ID, idOf(number));
    const payload = Buffer.from(first.manifest);
    replaceAll(payload, idOf(0), idOf(number));
    replaceAll(payload, keyOf(0), keyOf(number));
    return [key, encodeChecked(key, payload)];
  });
  yield* objectPages(count, (number) => {
    const key = headKey(BUCKET_ID, keyOf(number));
    const payload = Buffer.from(first.head);
    replaceAll(payload, idOf(0), idOf(number));
    return [key, encodeChecked(key, payload)];
  });
  yield [usageEntry(first, count), metaEntry(first, count)];
}

async function* objectPages(
  count: number,
  entryOf: (number: number) => KvEntry,
): AsyncGenerator<KvEntry[], void> {
  for (let at = 0; at < count; at += PAGE) {
    const length = Math.min(PAGE, count - at);
    yield Array.from({ length }, (_, next) => entryOf(at + next));
  }
}

function replaceAll(bytes: Buffer, from: Buffer, to: Buffer): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + to.byteLength)) {
    bytes.set(to, at);
  }
}

function usageEntry({ usage }: FirstObject, count: number): KvEntry {
  const key = usageKey(BUCKET_ID);
  const record = decodeRecord(BucketUsageSchema, usage);
  record.objects = BigInt(count);
  record.versions = BigInt(count);
  record.bytes = SIZE * BigInt(count);
  return [key, encodeChecked(key, toBinary(BucketUsageSchema, record))];
}

function metaEntry({ meta }: FirstObject, count: number): KvEntry {
  const record = decodeRecord(GroupMetaSchema, meta);
  record.versions = BigInt(count);
  record.bodyBytes = SIZE * BigInt(count);
  record.lastSequence = BigInt(BEGUN_MS + count) << 16n;
  record.replies = 0n;
  return [META_KEY, encodeChecked(META_KEY, toBinary(GroupMetaSchema, record))];
}
