// Writes a body: cuts it into chunks and stripes, codes, places, streams, and waits until every
// chunk is durable as its policy wants. The manifest it returns is not committed yet; until it is,
// nobody sees the body, and a crash leaves only orphans for the sweeper.
import { create } from "@bufbuild/protobuf";
import { assert } from "../base/assert.ts";
import { Semaphore } from "../base/bounded.ts";
import { CELL_BYTES_MAX, OBJECT_BYTES_MAX } from "../base/limits.ts";
import { cellLength, chunkSizes, shardBytes, stripeCount } from "../erasure/geometry.ts";
import {
  type Chunk,
  ChunkSchema,
  type Manifest,
  ManifestSchema,
} from "../gen/dolium/record/v1/object_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { ErasureCompute } from "../ports/compute.ts";
import type { Log } from "../ports/log.ts";
import type { Random } from "../ports/random.ts";
import { ByteSource } from "./byte-source.ts";
import { ChunkFiller, enoughPlaces } from "./chunk-filler.ts";
import { schemeOf } from "./chunk-rebuild.ts";
import { ChunkWriter, type ChunkWriteTimes } from "./chunk-writer.ts";
import type { ClusterView, Placement } from "./cluster-view.ts";
import type { ShardClient } from "./shard-client.ts";
import { type StripeBuffer, StripePool } from "./stripe-pool.ts";

export interface BodyWriterDeps {
  readonly view: ClusterView;
  readonly shards: ShardClient;
  readonly erasure: ErasureCompute;
  /** Memory for stripes that clients are filling; slow clients hold it long. */
  readonly pool: StripePool;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface BodyWriteRequest {
  readonly bucketId: number;
  readonly key: Uint8Array;
  readonly policy: string;
  /** The policy that the body is to follow once it is acknowledged under `policy`. */
  readonly followPolicy?: string;
  /** Of a body that is written anew under the id it has; else a new one. */
  readonly manifestId?: Uint8Array;
  /** Exact length in bytes. */
  readonly size: number;
  /** Views may be used again by their owner after the next pull. */
  readonly source: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

const CHUNK_ID_BYTES = 16;
const MANIFEST_TIME_BYTES = 6;
const MANIFEST_RANDOM_BYTES = 10;

const TIMES: ChunkWriteTimes = { stallMs: 2000, graceMs: 500, giveUpMs: 20_000 };

/**
 * Stripes being coded and sent, data and parity together. More would not make them faster, only
 * make each take longer, so that a healthy disk under load would look like a stalled one.
 */
const SENDING_BYTES_MAX = 24 * 1024 * 1024;

/** One body on its way: what stays the same for all its chunks. */
interface Writing {
  readonly request: BodyWriteRequest;
  readonly manifest: Manifest;
  readonly begunMs: number;
  readonly signal: AbortSignal;
}

/**
 * Bound on waiting for a map by which what can be reached is enough: past the silence after which
 * a node counts as away no longer. Milliseconds.
 */
const MAP_MS_MAX = 10_000;

export class BodyWriter {
  readonly #deps: BodyWriterDeps;
  readonly #times: ChunkWriteTimes;
  readonly #sending = new Semaphore(SENDING_BYTES_MAX);
  readonly #parityPool = new StripePool(SENDING_BYTES_MAX);
  readonly #filler: ChunkFiller;

  /** `mapMs`: how long a write may wait until the map agrees with what this process can reach. */
  constructor(deps: BodyWriterDeps, times: ChunkWriteTimes = TIMES, mapMs = MAP_MS_MAX) {
    this.#deps = deps;
    this.#times = times;
    this.#filler = new ChunkFiller(deps, mapMs);
  }

  /**
   * Resolves when all chunks are durable. Throws StoreError: "invalid" when the source is shorter
   * or longer than `size`, "unavailable", "no-space", "aborted"; whatever the source throws goes
   * through.
   */
  async write(request: BodyWriteRequest): Promise<Manifest> {
    assert(request.size >= 0 && request.size <= OBJECT_BYTES_MAX, "BodyWriter: size");
    const stop = new AbortController();
    const signal =
      request.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, request.signal]);
    const source = new ByteSource(request.source);
    const begunMs = this.#deps.clock.wallMs();
    const writing = { request, manifest: this.#newManifest(request, begunMs), begunMs, signal };
    try {
      await this.#writeChunks(writing, source);
      await source.expectEnd();
      return writing.manifest;
    } catch (error) {
      stop.abort();
      throw error;
    } finally {
      await source.close();
    }
  }

  /** One chunk finishes while the next one streams; never more than two are open. */
  async #writeChunks(writing: Writing, source: ByteSource): Promise<void> {
    const sizes = chunkSizes(writing.request.size);
    let previous: Promise<Chunk> | undefined;
    for (const size of sizes) {
      const open = this.#streamChunk(writing, source, size);
      const [finishing] = await Promise.all([open, previous?.then(this.#into(writing))]);
      previous = finishing.done;
      previous.catch(() => undefined);
    }
    if (previous !== undefined) await previous.then(this.#into(writing));
    assert(writing.manifest.chunks.length === sizes.length, "BodyWriter: a chunk is missing");
  }

  #into(writing: Writing): (chunk: Chunk) => void {
    return (chunk) => {
      writing.manifest.chunks.push(chunk);
    };
  }

  /** Streams one chunk; `done` resolves later, when it is durable. */
  async #streamChunk(
    writing: Writing,
    source: ByteSource,
    size: number,
  ): Promise<{ readonly done: Promise<Chunk> }> {
    const { request, manifest, begunMs, signal } = writing;
    const chunkId = this.#deps.random.bytes(CHUNK_ID_BYTES);
    const placement = await this.#filler.place(request.policy, chunkId, signal);
    const scheme = schemeOf(manifest);
    const writer = new ChunkWriter(
      {
        shards: this.#deps.shards,
        clock: this.#deps.clock,
        onSuspect: (disk, error) => {
          this.#deps.log.warn("storage node dropped from a chunk", {
            nodeId: disk.nodeId,
            reason: error.message,
          });
          if (error.code === "unavailable" || error.code === "timeout") {
            this.#deps.view.suspect(disk.nodeId);
          }
        },
      },
      {
        chunkId,
        disks: placement.disks,
        k: scheme.k,
        owner: {
          bucketId: request.bucketId,
          key: request.key,
          manifestId: manifest.manifestId,
        },
        shardBytes: shardBytes(size, scheme),
        cellBytes: scheme.cellBytes,
        begunMs,
        enough: (diskIds) => this.#deps.view.enough(request.policy, diskIds),
        replaceable: (diskIds) => this.#canReplace(request.policy, { chunkId, placement, diskIds }),
        signal,
      },
      this.#times,
    );
    try {
      await this.#streamStripes(writing, source, { size, writer });
    } catch (error) {
      writer.cancel();
      throw error;
    }
    return { done: this.#finishChunk(writing, { chunkId, size, placement, writer }) };
  }

  /** Whether other disks could take the shards that are not on `diskIds`, and would be enough. */
  #canReplace(
    policy: string,
    chunk: {
      readonly chunkId: Uint8Array;
      readonly placement: Placement;
      readonly diskIds: readonly number[];
    },
  ): boolean {
    const { chunkId, placement, diskIds: held } = chunk;
    const placed = placement.disks.map(({ diskId }) => diskId);
    const avoided = placed.filter((diskId) => !held.includes(diskId));
    const count = placed.length - held.length;
    const wish = { chunkId, held, count, avoided };
    return enoughPlaces(this.#deps.view, policy, wish) !== undefined;
  }

  /** Fills one stripe while the one before is still being coded and sent. */
  async #streamStripes(
    writing: Writing,
    source: ByteSource,
    chunk: { readonly size: number; readonly writer: ChunkWriter },
  ): Promise<void> {
    const scheme = schemeOf(writing.manifest);
    const stripes = stripeCount(chunk.size, scheme);
    let sending: Promise<void> = Promise.resolve();
    let left = chunk.size;
    for (let stripe = 0; stripe < stripes; stripe += 1) {
      const length = cellLength(chunk.size, scheme, stripe);
      const data = await this.#deps.pool.acquire(length * scheme.k, writing.signal);
      try {
        const dataBytes = Math.min(left, data.bytes.byteLength);
        await source.fill(data.bytes.subarray(0, dataBytes));
        left -= dataBytes;
        data.bytes.fill(0, dataBytes);
        await sending;
      } catch (error) {
        data.release(true);
        await sending.catch(() => undefined);
        throw error;
      }
      sending = this.#sendStripe(writing, chunk.writer, { data, length });
      sending.catch(() => undefined);
    }
    await sending;
    assert(left === 0, "BodyWriter: chunk not filled");
  }

  /** Codes and sends a filled stripe, once few enough others are on their way; releases it. */
  async #sendStripe(
    writing: Writing,
    writer: ChunkWriter,
    stripe: { readonly data: StripeBuffer; readonly length: number },
  ): Promise<void> {
    const { data, length } = stripe;
    const { k, m } = schemeOf(writing.manifest);
    let parity: StripeBuffer | undefined;
    let reusable = true;
    const sentBytes = Math.min(length * (k + m), SENDING_BYTES_MAX);
    try {
      await this.#sending.acquire(sentBytes, writing.signal);
    } catch (error) {
      data.release(true);
      throw error;
    }
    try {
      if (m > 0) parity = await this.#parityPool.acquire(length * m, writing.signal);
      const dataCells = cellsOf(data.bytes, length);
      const parityCells = parity === undefined ? [] : cellsOf(parity.bytes, length);
      if (m > 0) this.#deps.erasure.encode(dataCells, parityCells);
      reusable = false;
      reusable = await writer.writeStripe([...dataCells, ...parityCells]);
    } finally {
      this.#sending.release(sentBytes);
      data.release(reusable);
      parity?.release(reusable);
    }
  }

  /** Waits for durability; a chunk that is short of shards gets them rebuilt elsewhere at once. */
  async #finishChunk(
    writing: Writing,
    chunk: {
      readonly chunkId: Uint8Array;
      readonly size: number;
      readonly placement: Placement;
      readonly writer: ChunkWriter;
    },
  ): Promise<Chunk> {
    const { placement, chunkId, size } = chunk;
    const durable = await chunk.writer.finish();
    const record = create(ChunkSchema, {
      chunkId,
      size,
      diskIds: placement.disks.map((disk, index) => (durable[index] === true ? disk.diskId : 0)),
      placementGroup: placement.placementGroup,
      relaxed: placement.relaxed,
    });
    const { request, manifest, begunMs, signal } = writing;
    const diskIds = placement.disks
      .filter((_, index) => durable[index] !== true)
      .map((disk) => disk.diskId);
    await this.#filler.fill(record, {
      ...{ bucketId: request.bucketId, policy: request.policy, manifest, begunMs, signal },
      failed: { diskIds, why: chunk.writer.failures() },
    });
    return record;
  }

  #newManifest(request: BodyWriteRequest, begunMs: number): Manifest {
    const policy = this.#deps.view.policy(request.policy);
    assert(policy.cellBytes > 0 && policy.cellBytes <= CELL_BYTES_MAX, "BodyWriter: cell size");
    return create(ManifestSchema, {
      manifestId: request.manifestId ?? newManifestId(begunMs, this.#deps.random),
      policy: policy.name,
      dataShards: policy.k,
      parityShards: policy.m,
      cellBytes: policy.cellBytes,
      size: BigInt(request.size),
      mapEpoch: BigInt(this.#deps.view.epoch),
      key: request.key,
      followPolicy: request.followPolicy ?? "",
    });
  }
}

function cellsOf(bytes: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: bytes.byteLength / length }, (_, index) =>
    bytes.subarray(index * length, (index + 1) * length),
  );
}

/**
 * 16 bytes: the time (6, big-endian milliseconds since 1970) and 10 random ones. Also for upload
 * ids.
 */
export function newManifestId(begunMs: number, random: Random): Uint8Array {
  const id = Buffer.alloc(MANIFEST_TIME_BYTES + MANIFEST_RANDOM_BYTES);
  id.writeUIntBE(begunMs, 0, MANIFEST_TIME_BYTES);
  id.set(random.bytes(MANIFEST_RANDOM_BYTES), MANIFEST_TIME_BYTES);
  return id;
}
