// A snapshot on the wire: header, chunks, and an end that counts them, so that a stream cut short
// is never taken for a whole state.
import { StoreError } from "../base/errors.ts";
import type {
  InstallSnapshotRequest,
  InstallSnapshotRequestSchema,
  InstallSnapshotResponseSchema,
  Route,
  SnapshotEnd,
  SnapshotHeader,
} from "../gen/dolium/raft/v1/raft_pb.ts";
import type { ClientStream } from "../ports/transport.ts";
import { type OutgoingSnapshot, SNAPSHOT_CHUNK_BYTES_MAX } from "./types.ts";

type SnapshotStream = ClientStream<
  typeof InstallSnapshotRequestSchema,
  typeof InstallSnapshotResponseSchema
>;

/** Resolves with the receiver's answer; cancels the stream when anything fails. */
export async function writeSnapshot(
  stream: SnapshotStream,
  route: Route,
  { groupId, message, chunks }: OutgoingSnapshot,
): Promise<void> {
  let count = 0n;
  let bytes = 0n;
  try {
    await stream.write({ kind: { case: "header", value: { route, groupId, message } } });
    for await (const chunk of chunks) {
      if (chunk.byteLength > SNAPSHOT_CHUNK_BYTES_MAX) {
        throw new StoreError("internal", `a snapshot chunk of ${chunk.byteLength} bytes`);
      }
      count += 1n;
      bytes += BigInt(chunk.byteLength);
      await stream.write({ kind: { case: "chunk", value: chunk } });
    }
    await stream.write({ kind: { case: "end", value: { chunks: count, bytes } } });
    await stream.finish();
  } catch (error) {
    stream.cancel();
    throw error;
  }
}

/**
 * Hands header and chunks to `take`. The chunks throw "aborted" when the stream ends early and
 * "corrupt" when the count is wrong. What `take` leaves unread is read over, so that the sender
 * gets its answer.
 */
export async function readSnapshot(
  requests: AsyncIterable<InstallSnapshotRequest>,
  take: (header: SnapshotHeader, chunks: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true || first.value.kind.case !== "header") {
    throw new StoreError("invalid", "a snapshot begins with its header");
  }
  const chunks = chunksOf(iterator);
  await take(first.value.kind.value, chunks);
  for await (const _ of chunks) {
    // Not needed by the receiver.
  }
}

async function* chunksOf(
  iterator: AsyncIterator<InstallSnapshotRequest>,
): AsyncGenerator<Uint8Array> {
  let count = 0n;
  let bytes = 0n;
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) throw new StoreError("aborted", "the snapshot was cut short");
    const { kind } = next.value;
    if (kind.case === "end") {
      checkEnd(kind.value, count, bytes);
      return;
    }
    if (kind.case !== "chunk") throw new StoreError("invalid", "not a snapshot chunk");
    count += 1n;
    bytes += BigInt(kind.value.byteLength);
    yield kind.value;
  }
}

function checkEnd(end: SnapshotEnd, count: bigint, bytes: bigint): void {
  if (end.chunks !== count || end.bytes !== bytes) {
    throw new StoreError("corrupt", `a snapshot of ${end.chunks} chunks came as ${count}`);
  }
}
