// How far one store is: written with every batch. And a guard against holes. Writes are synced now and
// then only, and LevelDB does not sync its write-ahead log when it begins a new one, so a power cut may
// take the end of the old log while the new one survives. Every write therefore leaves its number in a
// ring of slots; a lost write leaves an old number behind, and the store is known to be corrupt.
//
// The ring is long enough when the numbers in it cover more than one write buffer: LevelDB holds writes
// back until the former buffer is a synced table, and a write takes over 128 bytes, so 65,536 slots suit
// write buffers up to 8 MiB.
import { create, toBinary } from "@bufbuild/protobuf";
import { StoreError } from "../../lib/base/errors.ts";
import { type ReplicaMark, ReplicaMarkSchema } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Kv, KvOperation } from "../../lib/ports/kv.ts";
import { decodeChecked, encodeChecked } from "./checked-value.ts";
import { MARK_KEY, prefixRange, TABLE } from "./keys.ts";
import { decodeRecord, type StateReader } from "./records.ts";

const RING_SLOTS = 65_536n;
const SLOT_TAG = 0x73;
const PAGE = 1024;

function slotKey(writeNumber: bigint): Uint8Array {
  const key = Buffer.alloc(4);
  key[0] = TABLE.local;
  key[1] = SLOT_TAG;
  key.writeUInt16BE(Number(writeNumber % RING_SLOTS), 2);
  return key;
}

/** The mark of a store; an empty store has none yet. Throws "corrupt". */
export function readMark(kv: Kv): ReplicaMark {
  const stored = kv.get(MARK_KEY);
  return markFrom(stored === undefined ? undefined : decodeChecked(MARK_KEY, stored));
}

/** The mark as of a frozen state. */
export function frozenMark(view: StateReader): ReplicaMark {
  return markFrom(view.get(MARK_KEY));
}

function markFrom(payload: Uint8Array | undefined): ReplicaMark {
  if (payload === undefined) return create(ReplicaMarkSchema);
  return decodeRecord(ReplicaMarkSchema, payload);
}

/** The same mark for the next write. */
export function nextMark(mark: ReplicaMark): ReplicaMark {
  return { ...mark, writeNumber: mark.writeNumber + 1n };
}

/** What a write has to carry besides its effects. */
export function markOperations(mark: ReplicaMark): KvOperation[] {
  const slot = slotKey(mark.writeNumber);
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(mark.writeNumber, 0);
  return [
    {
      type: "put",
      key: MARK_KEY,
      value: encodeChecked(MARK_KEY, toBinary(ReplicaMarkSchema, mark)),
    },
    { type: "put", key: slot, value: encodeChecked(slot, number) },
  ];
}

/** Throws StoreError "corrupt" when a write is missing before the last one. */
export async function checkNoHole(kv: Kv): Promise<void> {
  const last = readMark(kv).writeNumber;
  const first = last >= RING_SLOTS ? last - RING_SLOTS + 1n : 1n;
  const found = new Set<bigint>();
  const iterator = kv.iterate(prefixRange(Uint8Array.of(TABLE.local, SLOT_TAG)));
  try {
    for (;;) {
      const page = await iterator.next(PAGE);
      if (page.length === 0) break;
      for (const [key, stored] of page) {
        const number = decodeChecked(key, stored);
        found.add(Buffer.from(number.buffer, number.byteOffset, 8).readBigUInt64BE(0));
      }
    }
  } finally {
    await iterator.close();
  }
  for (let number = first; number <= last; number += 1n) {
    if (!found.has(number)) {
      throw new StoreError("corrupt", `state store: write ${number} of ${last} is missing`);
    }
  }
}
