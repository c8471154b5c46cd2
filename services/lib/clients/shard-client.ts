// Calls storage nodes: writes one shard as a stream of cells, reads ranges of cells, deletes, asks.
// Cells that arrive are checked against their checksum here, again: bytes are wrong until proven
// right. Within one process the very memory that the storage node checked arrives, which is proof.
import { StoreError } from "../base/errors.ts";
import { cellChecksum } from "../erasure/checksum.ts";
import { countRightCells } from "../erasure/proven-cells.ts";
import type { ShardOwner } from "../gen/dolium/record/v1/object_pb.ts";
import {
  type ReadShardResponse,
  ShardService,
  type StatShardsResponse_State,
  type WriteShardRequestSchema,
  type WriteShardResponseSchema,
} from "../gen/dolium/storage/v1/storage_pb.ts";
import type { ClientStream, Transport } from "../ports/transport.ts";

/** A disk behind the node that serves it. */
export interface DiskAddress {
  readonly diskId: number;
  readonly nodeId: number;
  readonly address: string;
}

export interface ShardId {
  readonly chunkId: Uint8Array;
  readonly shardIndex: number;
}

export interface ShardWriteRequest {
  readonly target: DiskAddress;
  readonly shard: ShardId;
  readonly owner: { readonly bucketId: number; readonly key: Uint8Array; manifestId: Uint8Array };
  readonly shardBytes: number;
  readonly cellBytes: number;
  /** When the upload or repair began, milliseconds since 1970. */
  readonly begunMs: number;
  readonly signal?: AbortSignal;
}

/** One shard on its way to a disk. Cells are borrowed until `write` resolves. */
export interface ShardWrite {
  write(cell: Uint8Array): Promise<void>;
  /** Resolves when the shard is power-safe on its disk. */
  finish(): Promise<void>;
  cancel(): void;
}

export interface CellRange {
  readonly firstCell: number;
  readonly cellCount: number;
  /** Cells may arrive together, up to so many bytes; one by one when left out. */
  readonly runBytes?: number;
  readonly signal?: AbortSignal;
}

export interface ShardListing {
  readonly entries: readonly {
    readonly chunkId: Uint8Array;
    readonly shardIndex: number;
    readonly owner: ShardOwner;
    readonly begunMs: bigint;
  }[];
  readonly next: ShardId | undefined;
}

/**
 * A writer's stream lives as long as its client takes to send a chunk. Who writes watches for
 * stalls, and the transport for peers that are gone.
 */
const WRITE_DEADLINE_MS = 24 * 60 * 60 * 1000;
const READ_DEADLINE_MS = 120_000;
const CALL_DEADLINE_MS = 10_000;
/** Reading and checking a whole shard may take a while on a slow disk. */
const VERIFY_DEADLINE_MS = 60_000;

type WriteStream = ClientStream<typeof WriteShardRequestSchema, typeof WriteShardResponseSchema>;

class StreamedShard implements ShardWrite {
  readonly #stream: WriteStream;
  readonly #shard: ShardId;
  readonly #header: Promise<void>;
  #cell = 0;

  constructor(stream: WriteStream, request: ShardWriteRequest) {
    this.#stream = stream;
    this.#shard = request.shard;
    this.#header = stream.write({
      kind: {
        case: "header",
        value: {
          diskId: request.target.diskId,
          name: request.shard,
          owner: request.owner,
          shardBytes: request.shardBytes,
          cellBytes: request.cellBytes,
          begunMs: BigInt(request.begunMs),
        },
      },
    });
    // The first write or finish awaits it and meets the failure there.
    this.#header.catch(() => undefined);
  }

  async write(data: Uint8Array): Promise<void> {
    const { chunkId, shardIndex } = this.#shard;
    const checksum = cellChecksum(chunkId, shardIndex, this.#cell, data);
    this.#cell += 1;
    await this.#header;
    await this.#stream.write({ kind: { case: "cell", value: { data, checksum } } });
  }

  async finish(): Promise<void> {
    await this.#header;
    await this.#stream.finish();
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

export class ShardClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  openWrite(request: ShardWriteRequest): ShardWrite {
    const channel = this.#transport.channel(request.target.address);
    const stream = channel.clientStream(ShardService.method.writeShard, {
      deadlineMs: WRITE_DEADLINE_MS,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    return new StreamedShard(stream, request);
  }

  /**
   * Cells of a shard in order, each verified, as they arrive together. Throws "not-found",
   * "corrupt" after the cells before the bad one, "unavailable", ...
   */
  async *readCells(
    source: DiskAddress,
    shard: ShardId,
    range: CellRange,
  ): AsyncIterable<readonly Uint8Array[]> {
    const channel = this.#transport.channel(source.address);
    const { firstCell, cellCount, runBytes = 0, signal } = range;
    const responses = channel.serverStream(
      ShardService.method.readShard,
      { diskId: source.diskId, name: shard, firstCell, cellCount, runBytes },
      { deadlineMs: READ_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) },
    );
    let cellIndex = range.firstCell;
    for await (const response of responses) {
      const { data, cellBytes, checksums } = runOf(response);
      const place = { ...shard, firstCell: cellIndex, cellBytes };
      const right = countRightCells(place, data, checksums);
      cellIndex += right;
      if (right > 0) yield cellsOf(data, cellBytes, right);
      if (right < checksums.length) {
        throw new StoreError("corrupt", `cell ${cellIndex} of shard ${shard.shardIndex} is wrong`);
      }
    }
  }

  /** State of each shard; with `verify` every byte is read and checked on its disk. */
  async stat(
    disk: DiskAddress,
    names: readonly ShardId[],
    options: { readonly verify: boolean; readonly signal?: AbortSignal },
  ): Promise<readonly StatShardsResponse_State[]> {
    const channel = this.#transport.channel(disk.address);
    const response = await channel.unary(
      ShardService.method.statShards,
      { diskId: disk.diskId, names: [...names], verify: options.verify },
      {
        deadlineMs: options.verify ? VERIFY_DEADLINE_MS : CALL_DEADLINE_MS,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
    );
    return response.states;
  }

  /** Deletes shards whose header names the manifest and, unless 0, began before `begunBeforeMs`. */
  async delete(
    disk: DiskAddress,
    items: readonly {
      readonly name: ShardId;
      readonly manifestId: Uint8Array;
      readonly begunBeforeMs: bigint;
    }[],
  ): Promise<number> {
    const channel = this.#transport.channel(disk.address);
    const response = await channel.unary(
      ShardService.method.deleteShards,
      { diskId: disk.diskId, items: [...items] },
      { deadlineMs: CALL_DEADLINE_MS },
    );
    return response.deleted;
  }

  /** A page of a disk's shards whose writers began before then. */
  async list(
    disk: DiskAddress,
    page: { readonly after?: ShardId; readonly limit: number; readonly begunBeforeMs: bigint },
  ): Promise<ShardListing> {
    const channel = this.#transport.channel(disk.address);
    const response = await channel.unary(
      ShardService.method.listShards,
      {
        diskId: disk.diskId,
        limit: page.limit,
        begunBeforeMs: page.begunBeforeMs,
        ...(page.after === undefined ? {} : { after: page.after }),
      },
      { deadlineMs: CALL_DEADLINE_MS },
    );
    const entries = response.entries.flatMap(({ name, owner, begunMs }) =>
      name === undefined || owner === undefined
        ? []
        : [{ chunkId: name.chunkId, shardIndex: name.shardIndex, owner, begunMs }],
    );
    return { entries, next: response.next };
  }

  /**
   * Since when it is in doubt whether the disk has all its shards (milliseconds since 1970; 0: no
   * doubt), once the doubt of `settledMs` is taken as settled.
   */
  async doubt(disk: DiskAddress, settledMs = 0n): Promise<bigint> {
    const { doubtMs } = await this.#transport
      .channel(disk.address)
      .unary(
        ShardService.method.diskDoubt,
        { diskId: disk.diskId, settledMs },
        { deadlineMs: CALL_DEADLINE_MS },
      );
    return doubtMs;
  }

  /** Damages a canary's shard on its disk; throws "denied" for any other one, "not-found". */
  async damageCanary(disk: DiskAddress, name: ShardId, manifestId: Uint8Array): Promise<void> {
    const { chunkId, shardIndex } = name;
    await this.#transport
      .channel(disk.address)
      .unary(
        ShardService.method.damageCanary,
        { diskId: disk.diskId, name: { chunkId, shardIndex }, manifestId },
        { deadlineMs: CALL_DEADLINE_MS },
      );
  }

  /** Shards that scrubbing or reading found bad, after `cursor`. */
  async listBad(
    disk: DiskAddress,
    cursor: bigint,
    limit: number,
  ): Promise<{ readonly owners: readonly (ShardId & { owner: ShardOwner })[]; next: bigint }> {
    const channel = this.#transport.channel(disk.address);
    const response = await channel.unary(
      ShardService.method.listBadShards,
      { diskId: disk.diskId, cursor, limit },
      { deadlineMs: CALL_DEADLINE_MS },
    );
    const owners = response.entries.flatMap(({ name, owner }) =>
      name === undefined || owner === undefined
        ? []
        : [{ chunkId: name.chunkId, shardIndex: name.shardIndex, owner }],
    );
    return { owners, next: response.nextCursor };
  }
}

/** The cells of an answer; older nodes send them one by one. Throws for an answer without any. */
function runOf({ cell, run }: ReadShardResponse): {
  readonly data: Uint8Array;
  readonly cellBytes: number;
  readonly checksums: readonly number[];
} {
  if (run === undefined) {
    if (cell === undefined) throw new StoreError("internal", "answer without a cell");
    return { data: cell.data, cellBytes: cell.data.byteLength, checksums: [cell.checksum] };
  }
  const { data, cellBytes, checksums } = run;
  const cellCount = cellBytes === 0 ? 0 : Math.ceil(data.byteLength / cellBytes);
  if (cellCount === 0 || cellCount !== checksums.length) {
    throw new StoreError("corrupt", "cells and checksums of an answer do not match");
  }
  return run;
}

function cellsOf(data: Uint8Array, cellBytes: number, count: number): readonly Uint8Array[] {
  if (count === 1) return [data.subarray(0, cellBytes)];
  return Array.from({ length: count }, (_, at) =>
    data.subarray(at * cellBytes, (at + 1) * cellBytes),
  );
}
