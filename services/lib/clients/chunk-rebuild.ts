// Rebuilds shards of one chunk from k others and writes them to new places, stripe by stripe. Used
// by a writer whose chunk is short of durable shards, and by the keeper.
import { assert, present } from "../base/assert.ts";
import { StoreError, toStoreError } from "../base/errors.ts";
import { shardBytes, stripeCount } from "../erasure/geometry.ts";
import type { Chunk, Manifest } from "../gen/dolium/record/v1/object_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import type { DiskAddress, ShardClient, ShardWrite } from "./shard-client.ts";
import { StripeReader } from "./stripe-reader.ts";

export interface RebuildDeps {
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  readonly clock: Clock;
}

export interface RebuildRequest {
  readonly bucketId: number;
  readonly manifest: Pick<
    Manifest,
    "manifestId" | "key" | "dataShards" | "parityShards" | "cellBytes"
  >;
  readonly chunk: Pick<Chunk, "chunkId" | "size">;
  /** k+m entries: where each shard can be read, undefined where it cannot. */
  readonly sources: readonly (DiskAddress | undefined)[];
  readonly wanted: readonly { readonly shardIndex: number; readonly target: DiskAddress }[];
  /** Time of this repair, milliseconds since 1970; goes into the headers of the new shards. */
  readonly begunMs: number;
  readonly onBadShard?: (shardIndex: number, disk: DiskAddress, error: StoreError) => void;
  /** Which sources to ask first; all when left out. */
  readonly preferred?: (disk: DiskAddress) => boolean;
  /** Called before so many bytes are written; holds the rate. */
  readonly pace?: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal;
}

interface Copy {
  readonly shardIndex: number;
  readonly stream: ShardWrite;
  failure: StoreError | undefined;
}

const HEDGE_MS = 2000;

/**
 * Resolves with the shard indexes that are durable in their new places; those whose target failed
 * are left out. Throws "unavailable" or "corrupt" when k shards cannot be read.
 */
export async function rebuildShards(deps: RebuildDeps, request: RebuildRequest): Promise<number[]> {
  assert(request.wanted.length > 0, "rebuildShards: nothing wanted");
  const scheme = schemeOf(request.manifest);
  const endStripe = stripeCount(request.chunk.size, scheme);
  const reader = new StripeReader(
    { ...deps, onBadShard: request.onBadShard ?? (() => undefined) },
    {
      chunkId: request.chunk.chunkId,
      k: scheme.k,
      m: scheme.m,
      disks: request.sources,
      preferred: request.preferred ?? (() => true),
      endStripe,
      hedgeMs: HEDGE_MS,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    },
  );
  const copies = request.wanted.map(({ shardIndex, target }) => ({
    shardIndex,
    stream: openCopy(deps, request, shardIndex, target),
    failure: undefined as StoreError | undefined,
  }));
  try {
    const indexes = copies.map((copy) => copy.shardIndex);
    for (let stripe = 0; stripe < endStripe; stripe += 1) {
      const cells = await reader.read(stripe, indexes);
      await request.pace?.(cells.reduce((sum, cell) => sum + cell.byteLength, 0));
      await writeCells(copies, cells);
    }
    return await finishCopies(copies);
  } catch (error) {
    for (const copy of copies) copy.stream.cancel();
    throw error;
  } finally {
    reader.close();
  }
}

/** The coding of a manifest's chunks, as the erasure library wants it. */
export function schemeOf(manifest: Pick<Manifest, "dataShards" | "parityShards" | "cellBytes">): {
  readonly k: number;
  readonly m: number;
  readonly cellBytes: number;
} {
  return { k: manifest.dataShards, m: manifest.parityShards, cellBytes: manifest.cellBytes };
}

function openCopy(
  deps: RebuildDeps,
  request: RebuildRequest,
  shardIndex: number,
  target: DiskAddress,
): ShardWrite {
  const { manifest, chunk, bucketId } = request;
  return deps.shards.openWrite({
    target,
    shard: { chunkId: chunk.chunkId, shardIndex },
    owner: { bucketId, key: manifest.key, manifestId: manifest.manifestId },
    shardBytes: shardBytes(chunk.size, schemeOf(manifest)),
    cellBytes: manifest.cellBytes,
    begunMs: request.begunMs,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
}

async function writeCells(copies: readonly Copy[], cells: readonly Uint8Array[]): Promise<void> {
  await Promise.all(
    copies.map(async (copy, index) => {
      if (copy.failure !== undefined) return;
      try {
        await copy.stream.write(present(cells[index], "cell"));
      } catch (thrown) {
        copy.failure = toStoreError(thrown, "unavailable");
      }
    }),
  );
  const first = copies[0]?.failure;
  if (first !== undefined && copies.every((copy) => copy.failure !== undefined)) {
    throw new StoreError("unavailable", "no target takes the rebuilt shards", { cause: first });
  }
}

async function finishCopies(copies: readonly Copy[]): Promise<number[]> {
  const durable: number[] = [];
  await Promise.all(
    copies.map(async (copy) => {
      if (copy.failure !== undefined) return;
      try {
        await copy.stream.finish();
        durable.push(copy.shardIndex);
      } catch (thrown) {
        copy.failure = toStoreError(thrown, "unavailable");
      }
    }),
  );
  return durable.sort((a, b) => a - b);
}
