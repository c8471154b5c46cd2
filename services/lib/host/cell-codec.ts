// Cells, the bulk of what crosses between gateways and storage nodes, encoded straight into their
// message: one copy of the data, where the general encoder nests and copies at each level. The
// bytes are the same; a test compares them. gRPC, which copies what it sends, gives the buffers
// back.
import type { DescMessage } from "@bufbuild/protobuf";
import { FreeBuffers } from "../base/free-buffers.ts";
import { adoptRead, giveBackRead } from "../base/read-buffers.ts";
import {
  ReadShardResponseSchema,
  WriteShardRequestSchema,
} from "../gen/dolium/storage/v1/storage_pb.ts";

/** Field number of the cell in the messages that carry one, as in storage.proto. */
const CELL_FIELD_IN_REQUEST = 2;
const CELL_FIELD_IN_RESPONSE = 1;
const RUN_FIELD_IN_RESPONSE = 2;
const DATA_FIELD = 1;
const CHECKSUM_FIELD = 2;
const RUN_CELL_BYTES_FIELD = 2;
const RUN_CHECKSUMS_FIELD = 3;
const WIRE_VARINT = 0;
const WIRE_LENGTH_DELIMITED = 2;
const WIRE_FIXED32 = 5;
const TAG_SHIFT = 3;
const FIXED32_FIELD_BYTES = 5;

const FIXED32_BYTES = 4;
/** Stands before each message where it crossed by gRPC, in the same memory. */
const GRPC_HEADER_BYTES = 5;
const UINT32_MAX = 0xffff_ffff;

interface Cell {
  readonly data: Uint8Array;
  readonly checksum: number;
}

interface Run {
  readonly data: Uint8Array;
  readonly cellBytes: number;
  readonly checksums: number[];
}

/**
 * The encoded message when it is one that carries a cell or a run with data and checksums, else
 * undefined.
 */
export function encodeCellMessage(schema: DescMessage, message: object): Uint8Array | undefined {
  if (schema === ReadShardResponseSchema) {
    const run = runOf(Reflect.get(message, "run"));
    if (run !== undefined) return encodeRun(run);
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
  return isUint32(checksum) ? { data, checksum } : undefined;
}

function isUint32(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= UINT32_MAX;
}

/** `value` when it is a run of cells, with every field that one has; else undefined. */
export function runOf(value: unknown): Run | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const data: unknown = Reflect.get(value, "data");
  const cellBytes: unknown = Reflect.get(value, "cellBytes");
  const checksums: unknown = Reflect.get(value, "checksums");
  if (!(data instanceof Uint8Array) || data.byteLength === 0) return undefined;
  if (!isUint32(cellBytes) || cellBytes === 0) return undefined;
  if (!Array.isArray(checksums) || checksums.length === 0) return undefined;
  return checksums.every(isUint32) ? { data, cellBytes, checksums } : undefined;
}

function encodeRun({ data, cellBytes, checksums }: Run): Uint8Array {
  const sumsBytes = checksums.length * FIXED32_BYTES;
  const runBytes = 1 + varintBytes(data.byteLength) + data.byteLength + 1 + varintBytes(cellBytes);
  const wholeBytes = runBytes + 1 + varintBytes(sumsBytes) + sumsBytes;
  const [bytes, behindData] = beginMessage(RUN_FIELD_IN_RESPONSE, wholeBytes, data);
  let at = bytes.writeUInt8((RUN_CELL_BYTES_FIELD << TAG_SHIFT) | WIRE_VARINT, behindData);
  at = writeVarint(bytes, cellBytes, at);
  at = bytes.writeUInt8((RUN_CHECKSUMS_FIELD << TAG_SHIFT) | WIRE_LENGTH_DELIMITED, at);
  at = writeVarint(bytes, sumsBytes, at);
  for (const checksum of checksums) at = bytes.writeUInt32LE(checksum, at);
  return bytes;
}

function encode(field: number, cell: Cell): Uint8Array {
  const { data, checksum } = cell;
  const dataLength = varintBytes(data.byteLength);
  const cellBytes = 1 + dataLength + data.byteLength + FIXED32_FIELD_BYTES;
  const [bytes, behindData] = beginMessage(field, cellBytes, data);
  const at = bytes.writeUInt8((CHECKSUM_FIELD << TAG_SHIFT) | WIRE_FIXED32, behindData);
  bytes.writeUInt32LE(checksum, at);
  return bytes;
}

/**
 * A message whose `field` holds `length` bytes, of which the tag, length and bytes of `data` are
 * written; and where the rest goes.
 */
function beginMessage(
  field: number,
  length: number,
  data: Uint8Array,
): readonly [bytes: Buffer, behindData: number] {
  const bytes = takeBuffer(1 + varintBytes(length) + length);
  let at = bytes.writeUInt8((field << TAG_SHIFT) | WIRE_LENGTH_DELIMITED, 0);
  at = writeVarint(bytes, length, at);
  at = bytes.writeUInt8((DATA_FIELD << TAG_SHIFT) | WIRE_LENGTH_DELIMITED, at);
  at = writeVarint(bytes, data.byteLength, at);
  bytes.set(data, at);
  return [bytes, at + data.byteLength];
}

/** The run of cells in a message that was encoded is not needed any more. */
export function releaseCarried(schema: DescMessage, message: object): void {
  if (schema !== ReadShardResponseSchema) return;
  const run = runOf(Reflect.get(message, "run"));
  if (run !== undefined) giveBackRead(run.data);
}

/**
 * The run of cells in `message`, decoded from `bytes`, takes their memory with it: it is freed when
 * all of the run was given back.
 */
export function adoptCarried(schema: DescMessage, message: object, bytes: Uint8Array): void {
  if (schema !== ReadShardResponseSchema) return;
  if (bytes.buffer.byteLength - bytes.byteLength > GRPC_HEADER_BYTES) return;
  const run = runOf(Reflect.get(message, "run"));
  if (run !== undefined) adoptRead(run.data);
}

/** Messages of this length and more are kept; a cell of the usual size is one. */
const KEPT_LENGTH_MIN = 32 * 1024;
const KEPT_BYTES_MAX = 6 * 1024 * 1024;

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
