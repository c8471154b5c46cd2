// Deletes shards and writes tombstones. A deletion is durable when its tombstone is; the index
// follows. Tombstones find room on a full disk too: they may use the reserve, and in the end the
// spare file.
import { crc32 } from "node:zlib";
import { present } from "../lib/base/assert.ts";
import { equalBytes } from "../lib/base/bytes.ts";
import { isStoreError } from "../lib/base/errors.ts";
import type { IndexEntry } from "./index-entry.ts";
import {
  encodeFooter,
  encodeRecordHeader,
  encodeTombstones,
  FOOTER_BYTES,
  layoutOf,
  type RecordHeader,
  TOMBSTONES_MAX,
  type Tombstone,
} from "./record-format.ts";
import type { Extent } from "./segment.ts";
import { nameText, type ShardName } from "./shard-types.ts";
import { crcOf } from "./shard-writer.ts";
import type { StoreContext } from "./store-context.ts";

export interface DeleteItem {
  readonly name: ShardName;
  /** Deleted only when the shard names this manifest ... */
  readonly manifestId: Uint8Array;
  /** ... and, unless 0, was begun before then. */
  readonly begunBeforeMs: number;
}

/**
 * Deletes what is there and fits; resolves with how many, all power-safe. Throws "no-space", "io".
 */
export async function deleteShards(
  context: StoreContext,
  items: readonly DeleteItem[],
): Promise<number> {
  let deleted = 0;
  for (let at = 0; at < items.length; at += TOMBSTONES_MAX) {
    const page = items.slice(at, at + TOMBSTONES_MAX);
    const keys = page.map((item) => nameText(item.name));
    deleted += await context.parts.locks.runAll(keys, () => deletePage(context, page));
  }
  return deleted;
}

async function deletePage(context: StoreContext, page: readonly DeleteItem[]): Promise<number> {
  const { index, health, metrics, label } = context.parts;
  health.requireAlive();
  const doomed = new Map<string, IndexEntry>();
  for (const item of page) {
    const entry = index.get(item.name);
    if (entry !== undefined && mayDelete(entry, item)) doomed.set(nameText(item.name), entry);
  }
  if (doomed.size === 0) return 0;
  const sequence = context.nextSequence();
  // The shards' locks are held: no copy of them can be committed in a later segment.
  const segmentMax = context.parts.segments.lastNumber;
  const tombstones = [...doomed.values()].map((entry) => {
    return { name: entry.shard.name, sequence, segmentMax };
  });
  await writeTombstones(context, tombstones, sequence);
  let freedBytes = 0;
  for (const entry of doomed.values()) {
    freedBytes += entry.shard.shardBytes;
    index.remove(entry.shard.name);
    context.account(entry, -1);
    context.unproven.delete(nameText(entry.shard.name));
  }
  metrics.deletes.increment({ disk: label }, doomed.size);
  metrics.freedBytes.increment({ disk: label }, freedBytes);
  return doomed.size;
}

function mayDelete(entry: IndexEntry, item: DeleteItem): boolean {
  if (!equalBytes(entry.shard.owner.manifestId, item.manifestId)) return false;
  return item.begunBeforeMs === 0 || entry.shard.begunMs < item.begunBeforeMs;
}

/** Writes one record of tombstones; resolves when it is power-safe. Throws "no-space", "io". */
export async function writeTombstones(
  context: StoreContext,
  tombstones: readonly Tombstone[],
  sequence: number,
): Promise<void> {
  try {
    await writeRecord(context, tombstones, sequence);
  } catch (error) {
    if (!isStoreError(error, "no-space")) throw error;
    if (!(await context.parts.health.releaseSpare())) throw error;
    await writeRecord(context, tombstones, sequence);
  }
}

async function writeRecord(
  context: StoreContext,
  tombstones: readonly Tombstone[],
  sequence: number,
): Promise<void> {
  const { segments, clock } = context.parts;
  const writtenMs = clock.wallMs();
  const header: RecordHeader = { kind: "tombstones", count: tombstones.length, writtenMs };
  const layout = layoutOf(header);
  const extent = await context.reserve(layout.recordBytes);
  try {
    const body = encodeTombstones(tombstones);
    const place = placeIn(extent);
    const encoded = encodeRecordHeader(header, place);
    const tableCrc = crc32(body);
    const footer = encodeFooter({ headerCrc: crcOf(encoded), tableCrc, sequence }, place);
    const padding = new Uint8Array(layout.recordBytes - layout.footerOffset - FOOTER_BYTES);
    await context.writeExtent(extent, [encoded, body, footer, padding], extent.offset);
    await context.commit(extent);
    extent.segment.stats.tombstoneBytes += layout.recordBytes;
  } finally {
    segments.settle(extent);
  }
}

/** What a record at the start of `extent` is proven by. */
export function placeIn(extent: Extent): { readonly nonce: Uint8Array; readonly offset: number } {
  const header = present(extent.segment.header, "header of a segment being written");
  return { nonce: header.nonce, offset: extent.offset };
}
