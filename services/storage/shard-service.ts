// The storage service's calls over the disks of this process. Cells stream both ways with
// backpressure; a write that ends early, or is cut, leaves nothing visible.
import { present } from "../lib/base/assert.ts";
import { copyBytes, toSafeNumber } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import {
  type DeleteShardsRequest,
  type ListBadShardsRequest,
  type ListShardsRequest,
  type ReadShardRequest,
  type ShardHeader,
  type ShardService,
  type StatShardsRequest,
  StatShardsResponse_State,
  type ShardName as WireName,
  type WriteShardRequest,
} from "../lib/gen/dolium/storage/v1/storage_pb.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { CallContext, ServiceHandlers } from "../lib/ports/transport.ts";
import type { DiskSet } from "./disk-set.ts";
import type { IndexEntry } from "./index-entry.ts";
import type { ShardState } from "./shard-reader.ts";
import type { ShardStore } from "./shard-store.ts";
import { checkName, type ShardDescription, type ShardName } from "./shard-types.ts";

/** Names in one request, and entries in one answer. */
export const NAMES_MAX = 4096;
export const LIST_MAX = 1000;
/** Entries looked at for one page of a listing that leaves many out. */
const LIST_EXAMINED_MAX = 8192;

/** `disks` is asked at every call: before they are open it throws "unavailable". */
export function createShardHandlers(
  disks: () => DiskSet,
  clock: Pick<Clock, "wallMs">,
): ServiceHandlers<typeof ShardService> {
  return {
    writeShard: (requests, context) => writeShard(disks(), requests, context),
    readShard: (request, context) => readShard(disks(), request, context),
    deleteShards: (request) => deleteFrom(disks().store(request.diskId), request),
    statShards: async (request, context) => {
      const states = await statShards(disks().store(request.diskId), request, context);
      return { states, wallMs: BigInt(Math.floor(clock.wallMs())) };
    },
    listShards: (request) => listShards(disks().store(request.diskId), request),
    listBadShards: async (request) => listBad(disks().store(request.diskId), request),
    retryDisk: (request, context) => retryDisk(disks(), request.diskId, context),
    damageCanary: async ({ diskId, name, manifestId }) => {
      if (name === undefined) throw new StoreError("invalid", "no shard is named");
      checkName(name);
      await disks().store(diskId).damageCanary(name, manifestId);
      return {};
    },
    diskDoubt: async ({ diskId, settledMs }) => {
      const { doubt } = disks().store(diskId);
      doubt.settleDoubt(safe("settled", settledMs));
      return { doubtMs: BigInt(doubt.doubtMs) };
    },
  };
}

async function retryDisk(disks: DiskSet, diskId: number, { signal }: CallContext) {
  const place = disks.placeOf(diskId);
  if (place === undefined) throw new StoreError("not-found", `disk ${diskId} is not here`);
  await disks.revive(place, signal);
  return {};
}

async function writeShard(
  disks: DiskSet,
  requests: AsyncIterable<WriteShardRequest>,
  context: CallContext,
): Promise<{ shardChecksum: number }> {
  const messages = requests[Symbol.asyncIterator]();
  const first = await messages.next();
  const kind = first.done === true ? undefined : first.value.kind;
  if (kind?.case !== "header") throw new StoreError("invalid", "a shard begins with its header");
  const store = disks.store(kind.value.diskId);
  const writer = await store.beginWrite(describe(kind.value), context.signal);
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      const { kind: message } = next.value;
      if (message.case !== "cell") throw new StoreError("invalid", "after the header come cells");
      await writer.write(message.value.data, message.value.checksum);
    }
    if (context.signal.aborted) throw new StoreError("aborted", "the writer gave up");
  } catch (error) {
    writer.abandon();
    throw error;
  }
  return { shardChecksum: await writer.finish() };
}

function describe(header: ShardHeader): ShardDescription {
  const { owner } = header;
  if (owner === undefined) throw new StoreError("invalid", "a shard names its owner");
  return {
    name: named(header.name),
    // Views of the message would keep all of it in memory for as long as the index entry lives.
    owner: {
      bucketId: owner.bucketId,
      key: copyBytes(owner.key),
      manifestId: copyBytes(owner.manifestId),
    },
    shardBytes: header.shardBytes,
    cellBytes: header.cellBytes,
    begunMs: safe("begun time", header.begunMs),
  };
}

/** The name in a request, copied and checked. Throws "invalid". */
function named(name: WireName | undefined): ShardName {
  if (name === undefined) throw new StoreError("invalid", "a shard's name is missing");
  const copy = { chunkId: copyBytes(name.chunkId), shardIndex: name.shardIndex };
  checkName(copy);
  return copy;
}

function safe(what: string, value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return toSafeNumber(value);
  throw new StoreError("invalid", `${what} ${value} is out of range`);
}

async function* readShard(disks: DiskSet, request: ReadShardRequest, context: CallContext) {
  const { firstCell, cellCount, runBytes } = request;
  const store = disks.store(request.diskId);
  const selection = { firstCell, cellCount, runBytes };
  for await (const run of store.readCells(named(request.name), selection, context.signal)) {
    const { data, cellBytes, checksums } = run;
    if (runBytes > 0) yield { run: { data, cellBytes, checksums: [...checksums] } };
    else yield { cell: { data, checksum: present(checksums[0], "checksum of a cell") } };
  }
}

async function deleteFrom(
  store: ShardStore,
  request: DeleteShardsRequest,
): Promise<{ deleted: number }> {
  requireFew(request.items.length);
  const items = request.items.map((item) => ({
    name: named(item.name),
    manifestId: copyBytes(item.manifestId),
    begunBeforeMs: safe("begun time", item.begunBeforeMs),
  }));
  return { deleted: await store.deleteShards(items) };
}

const STATES: Readonly<Record<ShardState, StatShardsResponse_State>> = {
  present: StatShardsResponse_State.PRESENT,
  missing: StatShardsResponse_State.MISSING,
  corrupt: StatShardsResponse_State.CORRUPT,
};

async function statShards(
  store: ShardStore,
  request: StatShardsRequest,
  context: CallContext,
): Promise<StatShardsResponse_State[]> {
  requireFew(request.names.length);
  const states: StatShardsResponse_State[] = [];
  for (const name of request.names.map(named)) {
    if (context.signal.aborted) throw new StoreError("aborted", "the caller gave up");
    states.push(STATES[await store.stat(name, request.verify)]);
  }
  return states;
}

function requireFew(count: number): void {
  if (count <= NAMES_MAX) return;
  throw new StoreError("invalid", `${count} shards in one request: at most ${NAMES_MAX}`);
}

async function listShards(store: ShardStore, request: ListShardsRequest) {
  const limit = pageLimit(request.limit);
  const before = request.begunBeforeMs === 0n ? undefined : request.begunBeforeMs;
  const entries: IndexEntry[] = [];
  let after = request.after === undefined ? undefined : named(request.after);
  let examined = 0;
  let isEnd = false;
  while (!isEnd && entries.length < limit && examined < LIST_EXAMINED_MAX) {
    const page = await store.list(after, limit);
    isEnd = page.length < limit;
    for (const entry of page) {
      if (entries.length === limit) {
        isEnd = false;
        break;
      }
      examined += 1;
      after = entry.shard.name;
      if (before === undefined || BigInt(entry.shard.begunMs) < before) entries.push(entry);
    }
  }
  return {
    entries: entries.map(({ shard }) => ({
      name: shard.name,
      owner: shard.owner,
      shardBytes: shard.shardBytes,
      begunMs: BigInt(shard.begunMs),
    })),
    ...(isEnd || after === undefined ? {} : { next: after }),
  };
}

function listBad(store: ShardStore, request: ListBadShardsRequest) {
  const cursor = safe("cursor", request.cursor);
  const found = store.listBad(cursor, pageLimit(request.limit));
  return {
    entries: found.map(({ bad, entry }) => ({
      name: bad.name,
      reason: bad.reason,
      ...(entry === undefined ? {} : { owner: entry.shard.owner }),
    })),
    nextCursor: BigInt(found.at(-1)?.bad.cursor ?? cursor),
  };
}

function pageLimit(asked: number): number {
  return asked === 0 ? LIST_MAX : Math.min(asked, LIST_MAX);
}
