// Bodies in memory behind the writer's and reader's interfaces, for tests of the gateway alone.
import { create } from "@bufbuild/protobuf";
import type {
  BodyReading,
  BodyReadRequest,
  BodyWriteRequest,
  BodyWriting,
} from "../../../services/gateway/dependencies.ts";
import { toHex, toSafeNumber } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { newManifestId } from "../../../services/lib/clients/body-writer.ts";
import { ByteSource } from "../../../services/lib/clients/byte-source.ts";
import { chunkSizes } from "../../../services/lib/erasure/geometry.ts";
import {
  type Manifest,
  ManifestSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { createRandom } from "../../../services/lib/host/random.ts";

const random = createRandom();
const PIECE_BYTES = 100_000;

export class MemoryBodies implements BodyWriting, BodyReading {
  readonly bodies = new Map<string, Uint8Array>();
  /** Placement policies of the bodies that were written, in order. */
  readonly policies: string[] = [];
  /** Called before each piece that is read; may throw, to play a failure. */
  readFault: (offset: number) => void = () => undefined;
  writeFault: () => void = () => undefined;
  /** Reads that were ended by their consumer or by a signal, before the end. */
  cancelledReads = 0;

  async write({ size, source, key, policy }: BodyWriteRequest): Promise<Manifest> {
    this.writeFault();
    this.policies.push(policy);
    const bytes = new Uint8Array(size);
    const pulled = new ByteSource(source);
    try {
      await pulled.fill(bytes);
      await pulled.expectEnd();
    } finally {
      await pulled.close();
    }
    const manifestId = newManifestId(Date.now(), random);
    this.bodies.set(toHex(manifestId), bytes);
    return create(ManifestSchema, {
      manifestId,
      key,
      policy,
      dataShards: 2,
      parityShards: 1,
      cellBytes: 1024,
      size: BigInt(size),
      chunks: chunkSizes(size).map((chunkBytes) => ({
        chunkId: random.bytes(16),
        size: chunkBytes,
        diskIds: [1, 2, 3],
      })),
    });
  }

  async *read(request: BodyReadRequest): AsyncGenerator<Uint8Array, void, undefined> {
    const { manifests, firstByte, lastByte, signal } = request;
    let isWhole = false;
    try {
      for (const { manifest, offset } of manifests) {
        const bytes = this.bodies.get(toHex(manifest.manifestId));
        if (bytes === undefined) throw new StoreError("corrupt", "no such body");
        const end = Math.min(lastByte + 1 - offset, toSafeNumber(manifest.size));
        for (let at = Math.max(0, firstByte - offset); at < end; at += PIECE_BYTES) {
          this.readFault(offset + at);
          if (signal?.aborted === true) throw new StoreError("aborted", "gave up");
          yield bytes.subarray(at, Math.min(end, at + PIECE_BYTES));
        }
      }
      isWhole = true;
    } finally {
      if (!isWhole) this.cancelledReads += 1;
    }
  }
}
