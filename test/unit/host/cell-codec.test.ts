// Cells are encoded by hand on the data path; the general encoder says what the bytes must be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { giveBackRead, READ_BUFFER_BYTES_MIN } from "../../../services/lib/base/read-buffers.ts";
import {
  ReadShardRequestSchema,
  ReadShardResponseSchema,
  WriteShardRequestSchema,
} from "../../../services/lib/gen/dolium/storage/v1/storage_pb.ts";
import { encodeCellMessage } from "../../../services/lib/host/cell-codec.ts";
import { decodeMessage } from "../../../services/lib/host/rpc-codec.ts";

const LENGTHS = [1, 2, 113, 114, 120, 121, 122, 127, 128, 16_370, 16_384, 262_144, 2_097_152];

test("cells are encoded as the general encoder does, at every length of the length fields", () => {
  for (const length of LENGTHS) {
    const cell = { data: new Uint8Array(length).fill(length), checksum: 0xfedc_ba98 };
    const request = { kind: { case: "cell" as const, value: cell } };
    assert.deepEqual(
      Buffer.from(encodeCellMessage(WriteShardRequestSchema, request) ?? []),
      Buffer.from(toBinary(WriteShardRequestSchema, create(WriteShardRequestSchema, request))),
      `request with ${length} bytes`,
    );
    assert.deepEqual(
      Buffer.from(encodeCellMessage(ReadShardResponseSchema, { cell }) ?? []),
      Buffer.from(toBinary(ReadShardResponseSchema, create(ReadShardResponseSchema, { cell }))),
      `response with ${length} bytes`,
    );
  }
});

test("runs of cells are encoded as the general encoder does", () => {
  for (const length of LENGTHS) {
    for (const count of [1, 2, 31, 32, 33]) {
      const checksums = Array.from({ length: count }, (_, at) => (at * 0x1234_5678) >>> 0);
      const cellBytes = Math.ceil(length / count);
      const run = { data: new Uint8Array(length).fill(length), cellBytes, checksums };
      assert.deepEqual(
        Buffer.from(encodeCellMessage(ReadShardResponseSchema, { run }) ?? []),
        Buffer.from(toBinary(ReadShardResponseSchema, create(ReadShardResponseSchema, { run }))),
        `${count} cells of ${cellBytes} bytes`,
      );
    }
  }
});

test("everything else is left to the general encoder", () => {
  const empty = { data: new Uint8Array(0), checksum: 7 };
  const wrong = { data: new Uint8Array(1), checksum: 1.5 };
  const header = { kind: { case: "header" as const, value: { shardBytes: 1 } } };
  assert.equal(encodeCellMessage(ReadShardResponseSchema, { cell: empty }), undefined);
  assert.equal(encodeCellMessage(ReadShardResponseSchema, { cell: wrong }), undefined);
  for (const fault of [{ cellBytes: 0 }, { checksums: [] }, { checksums: [-1] }, { data: [] }]) {
    const run = { data: new Uint8Array(2), cellBytes: 1, checksums: [1, 2], ...fault };
    assert.equal(encodeCellMessage(ReadShardResponseSchema, { run }), undefined);
  }
  assert.equal(encodeCellMessage(ReadShardResponseSchema, {}), undefined);
  assert.equal(encodeCellMessage(WriteShardRequestSchema, header), undefined);
  assert.equal(encodeCellMessage(WriteShardRequestSchema, {}), undefined);
  assert.equal(encodeCellMessage(ReadShardRequestSchema, { firstCell: 1 }), undefined);
});

/** A run in a message that begins `before` bytes into its memory. */
function receivedRun(before: number): { readonly memory: Uint8Array; readonly run: Uint8Array } {
  const data = new Uint8Array(READ_BUFFER_BYTES_MIN).fill(9);
  const run = { data, cellBytes: data.byteLength, checksums: [1] };
  const bytes = encodeCellMessage(ReadShardResponseSchema, { run }) ?? new Uint8Array();
  const memory = new Uint8Array(before + bytes.byteLength);
  memory.set(bytes, before);
  const message = decodeMessage(ReadShardResponseSchema, memory.subarray(before), "corrupt");
  return { memory, run: message.run?.data ?? new Uint8Array() };
}

test("a message's own memory is freed with the run it carried; memory of others is not", () => {
  for (const [before, isOwn] of [
    [0, true],
    [5, true],
    [6, false],
  ] as const) {
    const { memory, run } = receivedRun(before);
    assert.equal(run.byteLength, READ_BUFFER_BYTES_MIN);
    giveBackRead(run);
    assert.equal(memory.byteLength === 0, isOwn, `${before} bytes before the message`);
  }
});
