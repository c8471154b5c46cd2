// Messages that calls within one process hand over as they are: cells, the bulk of all bytes, which
// would only be copied by encoding. Everything else is encoded there too, so that neither side ever
// sees the other's memory change. A cell that is sent is lent: the sender leaves it alone until its
// write resolves, and the handler keeps none of its bytes beyond the message that brought it. A
// cell that is answered belongs to the caller.
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { assert } from "../base/assert.ts";
import {
  ReadShardResponseSchema,
  WriteShardRequestSchema,
} from "../gen/dolium/storage/v1/storage_pb.ts";
import { runOf } from "./cell-codec.ts";

export class PassedMessage {
  readonly byteLength: number;
  readonly #schema: DescMessage;
  readonly #message: unknown;

  constructor(schema: DescMessage, message: unknown, byteLength: number) {
    this.#schema = schema;
    this.#message = message;
    this.byteLength = byteLength;
  }

  /** The message; `schema` is that of the method on both sides. */
  message<D extends DescMessage>(schema: D): MessageShape<D> {
    assert(this.#schema === schema, "PassedMessage: another message than the method's");
    // What was made with a schema has its shape.
    return this.#message as MessageShape<D>;
  }
}

/** What a raw call carries. */
export type Frame = Uint8Array | PassedMessage;

/** The message, to be passed as it is; undefined where it has no cell and is to be encoded. */
export function passable(schema: DescMessage, message: object): PassedMessage | undefined {
  if (schema === ReadShardResponseSchema) {
    const run = runOf(Reflect.get(message, "run"));
    if (run !== undefined) {
      return new PassedMessage(schema, create(ReadShardResponseSchema, { run }), run.data.length);
    }
    const cell = cellOf(Reflect.get(message, "cell"));
    if (cell === undefined) return undefined;
    return new PassedMessage(schema, create(ReadShardResponseSchema, { cell }), cell.data.length);
  }
  if (schema !== WriteShardRequestSchema) return undefined;
  const kind: unknown = Reflect.get(message, "kind");
  if (typeof kind !== "object" || kind === null || Reflect.get(kind, "case") !== "cell") {
    return undefined;
  }
  const value = cellOf(Reflect.get(kind, "value"));
  if (value === undefined) return undefined;
  const made = create(WriteShardRequestSchema, { kind: { case: "cell", value } });
  return new PassedMessage(schema, made, value.data.length);
}

interface Cell {
  readonly data: Uint8Array;
  readonly checksum: number;
}

function cellOf(value: unknown): Cell | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const data: unknown = Reflect.get(value, "data");
  const checksum: unknown = Reflect.get(value, "checksum");
  const isCell = data instanceof Uint8Array && typeof checksum === "number";
  return isCell ? { data, checksum } : undefined;
}
