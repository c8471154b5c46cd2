// Reads a range of a body: the stripes that hold it, in order, as many at a time as came together,
// one time ahead of the consumer. Only verified bytes are yielded; when they cannot be had the
// iteration throws, and nothing wrong was yielded before.
import { assert } from "../base/assert.ts";
import { isStoreError, type StoreError } from "../base/errors.ts";
import { cellLength, stripeCount } from "../erasure/geometry.ts";
import type { Chunk, Manifest } from "../gen/dolium/record/v1/object_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import { CellTimes } from "./cell-times.ts";
import { schemeOf } from "./chunk-rebuild.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { ShardClient } from "./shard-client.ts";
import { StripeReader } from "./stripe-reader.ts";

export interface BodyReaderDeps {
  readonly view: Pick<ClusterView, "addressOf" | "preferred" | "suspect"> &
    Partial<Pick<ClusterView, "isNear">>;
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  readonly clock: Clock;
  /** A chunk of which a shard was missing or wrong: worth a repair. Must not throw. */
  readonly onDamage: (damage: ChunkDamage) => void;
  /** Some cells of a chunk that is read were computed from others. Must not throw. */
  readonly onReconstructed?: () => void;
}

export interface ChunkDamage {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly manifestId: Uint8Array;
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
  readonly reason: StoreError;
}

export interface BodyReadRequest {
  readonly bucketId: number;
  /** Manifests in order, each with the offset of its first byte in the object. */
  readonly manifests: readonly { readonly manifest: Manifest; readonly offset: number }[];
  /** First and last byte of the object to read, both included. */
  readonly firstByte: number;
  readonly lastByte: number;
  readonly signal?: AbortSignal;
}

/** No further stripe is added to a batch of so many bytes. */
const BATCH_BYTES = 1024 * 1024;

/** Bytes [from, to) of one chunk. */
interface ChunkSpan {
  readonly manifest: Manifest;
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
}

/** A chunk that is being read, and how far. */
interface OpenChunk {
  readonly span: ChunkSpan;
  readonly reader: StripeReader;
  readonly lastStripe: number;
  nextStripe: number;
}

type OpenReader = (span: ChunkSpan, endStripe: number) => StripeReader;

export class BodyReader {
  readonly #deps: BodyReaderDeps;
  readonly #times: CellTimes;

  constructor(deps: BodyReaderDeps) {
    this.#deps = deps;
    this.#times = new CellTimes(deps.clock);
  }

  /**
   * Yields exactly the bytes asked for. Throws "corrupt" when too few good shards exist,
   * "unavailable" when too few can be reached, "aborted" on the signal.
   */
  async *read(request: BodyReadRequest): AsyncIterable<Uint8Array> {
    let left = request.lastByte - request.firstByte + 1;
    const walk = new ChunkWalk(spansOf(request), (...what) => this.#openReader(request, ...what));
    try {
      let next = walk.next();
      while (next !== undefined) {
        const views: readonly Uint8Array[] = await next;
        next = walk.next();
        for (const view of views) {
          left -= view.byteLength;
          yield view;
        }
      }
    } finally {
      walk.close();
    }
    assert(left === 0, "BodyReader: the manifests do not cover the range");
  }

  #openReader(request: BodyReadRequest, span: ChunkSpan, endStripe: number): StripeReader {
    const { view, shards, erasure, clock, onReconstructed } = this.#deps;
    const { manifest, chunk } = span;
    return new StripeReader(
      {
        shards,
        erasure,
        clock,
        times: this.#times,
        ...(onReconstructed === undefined ? {} : { onReconstructed }),
        onBadShard: (shardIndex, disk, reason) => {
          if (isStoreError(reason, "unavailable") || isStoreError(reason, "timeout")) {
            view.suspect(disk.nodeId);
            return;
          }
          const { manifestId, key } = manifest;
          const { bucketId } = request;
          const { chunkId } = chunk;
          this.#deps.onDamage({ bucketId, key, manifestId, chunkId, shardIndex, reason });
        },
      },
      {
        chunkId: chunk.chunkId,
        k: manifest.dataShards,
        m: manifest.parityShards,
        disks: chunk.diskIds.map((diskId) => view.addressOf(diskId)),
        preferred: (disk) => view.preferred(disk) && this.#times.isPrompt(disk.diskId),
        isNear: (disk) => view.isNear?.(disk) === true,
        endStripe,
        hedgeMs: this.#times.hedgeMs(),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      },
    );
  }
}

function* spansOf(request: BodyReadRequest): Iterable<ChunkSpan> {
  for (const { manifest, offset } of request.manifests) {
    let chunkStart = offset;
    for (const chunk of manifest.chunks) {
      const from = Math.max(request.firstByte, chunkStart);
      const to = Math.min(request.lastByte + 1, chunkStart + chunk.size);
      if (from < to) yield { manifest, chunk, from: from - chunkStart, to: to - chunkStart };
      chunkStart += chunk.size;
    }
  }
}

/** The wanted cells of one stripe, and how to cut the wanted bytes out of them. */
interface StripePart {
  readonly wanted: readonly number[];
  readonly cut: (cells: readonly Uint8Array[]) => Uint8Array[];
}

/** Goes through chunks batch by batch; a chunk is opened when the one before was read. */
class ChunkWalk {
  readonly #spans: Iterator<ChunkSpan>;
  readonly #open: OpenReader;
  #chunk: OpenChunk | undefined;

  constructor(spans: Iterable<ChunkSpan>, open: OpenReader) {
    this.#spans = spans[Symbol.iterator]();
    this.#open = open;
  }

  /** The bytes that come next, undefined at the end; only after those before have come. */
  next(): Promise<readonly Uint8Array[]> | undefined {
    if (this.#chunk === undefined || this.#chunk.nextStripe > this.#chunk.lastStripe) {
      this.close();
      const next = this.#spans.next();
      if (next.done === true) return undefined;
      this.#chunk = this.#openChunk(next.value);
    }
    const batch = readBatch(this.#chunk);
    // Whoever leaves early never sees how it ended.
    batch.catch(() => undefined);
    return batch;
  }

  close(): void {
    this.#chunk?.reader.close();
    this.#chunk = undefined;
  }

  #openChunk(span: ChunkSpan): OpenChunk {
    const scheme = schemeOf(span.manifest);
    const stripeBytes = scheme.k * scheme.cellBytes;
    const nextStripe = Math.floor(span.from / stripeBytes);
    const lastStripe = Math.floor((span.to - 1) / stripeBytes);
    const stripes = stripeCount(span.chunk.size, scheme);
    assert(lastStripe < stripes, "BodyReader: stripe past the chunk");
    return { span, reader: this.#open(span, lastStripe + 1), lastStripe, nextStripe };
  }
}

/** Waits for one stripe; those behind it are taken along where they came with it. */
async function readBatch(chunk: OpenChunk): Promise<readonly Uint8Array[]> {
  const { span, reader, lastStripe } = chunk;
  const first = partOf(span, chunk.nextStripe);
  const views = first.cut(await reader.read(chunk.nextStripe, first.wanted));
  let bytes = lengthOf(views);
  chunk.nextStripe += 1;
  while (chunk.nextStripe <= lastStripe && bytes < BATCH_BYTES) {
    const { wanted, cut } = partOf(span, chunk.nextStripe);
    const cells = reader.readHeld(chunk.nextStripe, wanted);
    if (cells === undefined) break;
    const more = cut(cells);
    views.push(...more);
    bytes += lengthOf(more);
    chunk.nextStripe += 1;
  }
  return joinNeighbours(views);
}

function partOf(span: ChunkSpan, stripe: number): StripePart {
  const scheme = schemeOf(span.manifest);
  const length = cellLength(span.chunk.size, scheme, stripe);
  const stripeStart = stripe * scheme.k * scheme.cellBytes;
  const from = Math.max(span.from, stripeStart) - stripeStart;
  const to = Math.min(span.to - stripeStart, length * scheme.k);
  const firstCell = Math.floor(from / length);
  const lastCell = Math.floor((to - 1) / length);
  return {
    wanted: Array.from({ length: lastCell - firstCell + 1 }, (_, at) => firstCell + at),
    cut: (cells) =>
      cells.map((cell, at) => {
        assert(cell.byteLength === length, "BodyReader: cell length");
        const cellStart = (firstCell + at) * length;
        return cell.subarray(Math.max(0, from - cellStart), Math.min(length, to - cellStart));
      }),
  };
}

function lengthOf(views: readonly Uint8Array[]): number {
  return views.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Views that follow one another in memory become one: cells of a run, where there is one shard. */
function joinNeighbours(views: readonly Uint8Array[]): readonly Uint8Array[] {
  const joined: Uint8Array[] = [];
  for (const view of views) {
    const before = joined.at(-1);
    const isNeighbour =
      before !== undefined &&
      before.buffer === view.buffer &&
      before.byteOffset + before.byteLength === view.byteOffset;
    if (!isNeighbour) joined.push(view);
    else {
      const { buffer, byteOffset, byteLength } = before;
      joined[joined.length - 1] = new Uint8Array(buffer, byteOffset, byteLength + view.byteLength);
    }
  }
  return joined;
}
