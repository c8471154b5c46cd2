// What a command knows besides the state: the leader's stamp, its place in the log, and the group's
// clocks and counters. Sequences grow with every use, whatever the leaders' clocks do, so versions
// and modification times of a group never go back.
import { create } from "@bufbuild/protobuf";
import { assert } from "../../lib/base/assert.ts";
import {
  type GroupMeta,
  GroupMetaSchema,
  type Origin,
} from "../../lib/gen/dolium/record/v1/group_pb.ts";
import { META_KEY } from "./keys.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";
import type { UsageLedger } from "./usage.ts";

const SEQUENCE_TIME_BITS = 16n;
const RANDOM_BYTES = 8;

/** Counters that commands change; never below zero. */
export type Counter =
  | "versions"
  | "noncurrentVersions"
  | "bodyBytes"
  | "uploads"
  | "garbageEntries"
  | "repairEntries"
  | "shardsOwed"
  | "replies"
  | "outboxEntries"
  | "outboxBytes"
  | "outboxDropped";

export function readMeta(reader: StateReader): GroupMeta {
  return readRecord(reader, GroupMetaSchema, META_KEY) ?? create(GroupMetaSchema);
}

export function writeMeta(writer: StateWriter, meta: GroupMeta): void {
  putRecord(writer, GroupMetaSchema, { key: META_KEY, record: meta });
}

/** Milliseconds since 1970 in a sequence. */
export function sequenceMs(sequence: bigint): bigint {
  return sequence >> SEQUENCE_TIME_BITS;
}

function larger(a: bigint, b: bigint): bigint {
  return a < b ? b : a;
}

export interface Stamp {
  /** Index of the command in the log. */
  readonly index: number;
  /** The leader's wall clock when it proposed the command. */
  readonly nowMs: bigint;
  /** 8 bytes. */
  readonly random: Uint8Array;
  /** Who caused the command. */
  readonly origin?: Origin | undefined;
}

export class CommandContext {
  readonly index: number;
  readonly nowMs: bigint;
  readonly meta: GroupMeta;
  readonly usage: UsageLedger;
  readonly origin: Origin | undefined;
  readonly #random: Uint8Array;

  constructor(stamp: Stamp, meta: GroupMeta, usage: UsageLedger) {
    this.index = stamp.index;
    this.nowMs = stamp.nowMs;
    this.meta = meta;
    this.usage = usage;
    this.origin = stamp.origin;
    this.#random = stamp.random;
  }

  /** The time of this command as the group sees it: never before that of an earlier one. */
  get timeMs(): bigint {
    return larger(sequenceMs(this.meta.lastSequence), this.nowMs);
  }

  nextSequence(): bigint {
    const byClock = this.nowMs << SEQUENCE_TIME_BITS;
    this.meta.lastSequence = larger(this.meta.lastSequence + 1n, byClock);
    return this.meta.lastSequence;
  }

  /** Id of the version written at `sequence`. */
  versionId(sequence: bigint): Uint8Array {
    const id = Buffer.alloc(8 + RANDOM_BYTES);
    id.writeBigUInt64BE(sequence, 0);
    id.set(this.#random.subarray(0, RANDOM_BYTES), 8);
    return id;
  }

  count(counter: Counter, by: number | bigint): void {
    this.meta[counter] += BigInt(by);
    assert(this.meta[counter] >= 0n, `counter ${counter} below zero`);
  }
}
