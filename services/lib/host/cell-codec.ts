// Cells, the bulk of what crosses between gateways and storage nodes, encoded straight into their
// message: one copy of the data, where the general encoder nests and copies at each level. The
// bytes are the same; a test compares them. gRPC's calling side, which
// copies what it sends, gives the buffers back.
import type { DescMessage } from "@bufbuild/protobuf";
import { FreeBuffers } from "../base/free-buffers.ts";
import {
  ReadShardResponseSchema,
  WriteShardRequestSchema,
} from "../gen/dolium/storage/v1/storage_pb.ts";

/** Field number of the cell in the messages that carry one, as in storage.proto. */
const CELL_FIELD_IN_REQUEST = 2;
const CELL_FIELD_IN_RESPONSE = 1;
const DATA_FIELD = 1;
const CHECKSUM_FIELD = 2;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED32 = 5;
const TAG_SHIFT = 3;
const FIXED32_FIELD_BYTES = 5;

interface Cell {
  readonly data: Uint8Array;
  readonly checksum: number;
}

/**
 * The encoded message when it is one that carries a cell with data and checksum, else undefined.
 */
export function encodeCellMessage(schema: DescMessage, message: object): Uint8Array | undefined {
  if (schema === ReadShardResponseSchema) {
    const cell = cellOf(Reflect.get(message, "cell"));
    return cell === undefined ? undefined : encode(CELL_FIELD_IN_RESPONSE, cell);
  }
  if (schema !== WriteShardRequestSchema) return undefined;
  const kind: unknown = Reflect.get(message, "kind");
  if (typeof kind !== "object" || kind === null || Reflect.get(kind, "case") !== "cell") {
    return undefined;
  }
  const cell = cellOf(Reflect.get(kind, "value"));
  return cell === undefined ? undefined : encode(CELL_FIELD_IN_REQUEST, cell);
}

function cellOf(value: unknown): Cell | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const data: unknown = Reflect.get(value, "data");
  const checksum: unknown = Reflect.get(value, "checksum");
  if (!(data instanceof Uint8Array) || data.byteLength === 0) return undefined;
  if (typeof checksum !== "number" || checksum === 0) return undefined;
  return Number.isInteger(checksum) && checksum > 0 && checksum <= 0xffff_ffff
    ? { data, checksum }
    : undefined;
}

function encode(field: number, cell: Cell): Uint8Array {
  const { data, checksum } = cell;
  const dataLength = varintBytes(data.byteLength);
  const cellBytes = 1 + dataLength + data.byteLength + FIXED32_FIELD_BYTES;
  const bytes = takeBuffer(1 + varintBytes(cellBytes) + cellBytes);
  let at = bytes.writeUInt8((field << TAG_SHIFT) | WIRE_LENGTH_DELIMITED, 0);
  at = writeVarint(bytes, cellBytes, at);
  at = bytes.writeUInt8((DATA_FIELD << TAG_SHIFT) | WIRE_LENGTH_DELIMITED, at);
  at = writeVarint(bytes, data.byteLength, at);
  bytes.set(data, at);
  at = bytes.writeUInt8((CHECKSUM_FIELD << TAG_SHIFT) | WIRE_FIXED32, at + data.byteLength);
  bytes.writeUInt32LE(checksum, at);
  return bytes;
}

/** Messages of this length and more are kept; a cell of the usual size is one. */
const KEPT_LENGTH_MIN = 32 * 1024;
const KEPT_BYTES_MAX = 12 * 1024 * 1024;

const freeBuffers = new FreeBuffers<Buffer>();

function takeBuffer(length: number): Buffer {
  return freeBuffers.take(length) ?? Buffer.allocUnsafeSlow(length);
}

/**
 * Takes back what `encodeCellMessage` made for `schema`, once nobody reads it any more; other bytes
 * are left alone.
 */
export function releaseCellMessage(schema: DescMessage, bytes: Uint8Array): void {
  const isCells = schema === WriteShardRequestSchema || schema === ReadShardResponseSchema;
  if (!isCells || !Buffer.isBuffer(bytes) || bytes.byteLength < KEPT_LENGTH_MIN) return;
  freeBuffers.put(bytes);
  freeBuffers.shrinkTo(KEPT_BYTES_MAX);
}

const VARINT_BITS = 7;
const VARINT_MORE = 0x80;

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> VARINT_BITS; rest > 0; rest >>>= VARINT_BITS) count += 1;
  return count;
}

function writeVarint(target: Buffer, value: number, offset: number): number {
  let rest = value;
  let at = offset;
  while (rest >= VARINT_MORE) {
    at = target.writeUInt8((rest & (VARINT_MORE - 1)) | VARINT_MORE, at);
    rest >>>= VARINT_BITS;
  }
  return target.writeUInt8(rest, at);
}
