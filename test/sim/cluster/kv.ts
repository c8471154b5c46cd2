// LevelDB's manners on a simulated disk. Every batch is one record at the end of a log file; a
// synced write makes all batches before it power-safe too. After a crash the store holds a prefix
// of its batches, none of them torn; with the process alone gone it holds them all. Faults of the
// disk are the store's faults.
import { crc32 } from "node:zlib";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { Disk, DiskFile } from "../../../services/lib/ports/disk.ts";
import type {
  Kv,
  KvFactory,
  KvOperation,
  KvReader,
  KvSnapshot,
} from "../../../services/lib/ports/kv.ts";
import { KvMemory } from "./kv-memory.ts";

const LOG = "000001.log";
const HEAD_BYTES = 8;
const DELETE = 0;
const PUT = 1;
const LENGTH_BYTES = 4;

export function createSimKvFactory(disk: Disk): KvFactory {
  return {
    open: (path) => openStore(disk, path),
    // Reads the files as far as they are whole; rot in them is not part of this simulation.
    verify: async (path) => {
      await disk.exists(path);
    },
    destroy: (path) => disk.removeTree(path),
  };
}

async function openStore(disk: Disk, path: string): Promise<Kv> {
  const log = `${path}/${LOG}`;
  const memory = new KvMemory();
  if (!(await disk.exists(log))) {
    if (!(await disk.exists(path))) await disk.mkdir(path);
    const file = await disk.open(log, "create");
    await file.datasync();
    await disk.syncDirectory(path);
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent !== "") await disk.syncDirectory(parent);
    return new SimKv(file, memory, 0);
  }
  const file = await disk.open(log, "write");
  const bytes = new Uint8Array(await file.size());
  await file.read(bytes, 0);
  const end = replay(bytes, memory);
  if (end < bytes.byteLength) await file.truncate(end);
  return new SimKv(file, memory, end);
}

/** Applies the whole records from the beginning; returns where they end. */
function replay(bytes: Uint8Array, memory: KvMemory): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + HEAD_BYTES <= view.byteLength) {
    const length = view.readUInt32LE(at);
    const end = at + HEAD_BYTES + length;
    if (length === 0 || end > view.byteLength) break;
    const payload = view.subarray(at + HEAD_BYTES, end);
    if (crc32(payload) !== view.readUInt32LE(at + 4)) break;
    memory.apply(decodeBatch(payload));
    at = end;
  }
  return at;
}

function encodeBatch(operations: readonly KvOperation[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const operation of operations) {
    const value = operation.type === "put" ? operation.value : new Uint8Array(0);
    const head = Buffer.alloc(1 + 2 * LENGTH_BYTES);
    head.writeUInt8(operation.type === "put" ? PUT : DELETE, 0);
    head.writeUInt32LE(operation.key.byteLength, 1);
    head.writeUInt32LE(value.byteLength, 1 + LENGTH_BYTES);
    pieces.push(head, operation.key, value);
  }
  const payload = Buffer.concat(pieces);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(payload.byteLength, 0);
  head.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([head, payload]);
}

function decodeBatch(payload: Buffer): KvOperation[] {
  const operations: KvOperation[] = [];
  let at = 0;
  while (at < payload.byteLength) {
    const type = payload.readUInt8(at);
    const keyStart = at + 1 + 2 * LENGTH_BYTES;
    const valueStart = keyStart + payload.readUInt32LE(at + 1);
    const end = valueStart + payload.readUInt32LE(at + 1 + LENGTH_BYTES);
    const key = payload.subarray(keyStart, valueStart);
    if (type === DELETE) operations.push({ type: "delete", key });
    else operations.push({ type: "put", key, value: payload.subarray(valueStart, end) });
    at = end;
  }
  return operations;
}

class SimKv implements Kv {
  readonly #file: DiskFile;
  readonly #memory: KvMemory;
  #end: number;
  #isOpen = true;
  /** A write that failed leaves the log in doubt: the store takes no more, as LevelDB does. */
  #failure: StoreError | undefined;

  constructor(file: DiskFile, memory: KvMemory, end: number) {
    this.#file = file;
    this.#memory = memory;
    this.#end = end;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#reader(undefined).get(key);
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#reader(undefined).getMany(keys);
  }

  iterate(range: Parameters<KvReader["iterate"]>[0]): ReturnType<KvReader["iterate"]> {
    return this.#reader(undefined).iterate(range);
  }

  approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number> {
    return this.#reader(undefined).approximateBytes(from, to);
  }

  async write(
    operations: readonly KvOperation[],
    options: { readonly sync?: boolean } = {},
  ): Promise<void> {
    this.#check();
    if (this.#failure !== undefined) throw this.#failure;
    const record = encodeBatch(operations);
    const at = this.#end;
    if (operations.length > 0) this.#end += record.byteLength;
    try {
      if (operations.length > 0) await this.#file.write([record], at);
      if (options.sync === true) await this.#file.datasync();
    } catch (error) {
      this.#failure = new StoreError("io", "leveldb: its log could not be written", {
        cause: error,
      });
      throw error;
    }
    if (operations.length > 0) this.#memory.apply(operations);
  }

  snapshot(): KvSnapshot {
    const sequence = this.#memory.hold();
    let isOpen = true;
    return {
      ...this.#reader(sequence),
      close: async () => {
        if (isOpen) this.#memory.release();
        isOpen = false;
      },
    };
  }

  async compact(): Promise<void> {
    this.#check();
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }

  #check(): void {
    if (!this.#isOpen) throw new StoreError("unavailable", "leveldb: the store is closed");
  }

  #reader(sequence: number | undefined): KvReader {
    const memory = this.#memory;
    const at = (): number => sequence ?? memory.sequence;
    return {
      get: (key) => {
        this.#check();
        return memory.get(key, at());
      },
      getMany: async (keys) => {
        this.#check();
        return keys.map((key) => memory.get(key, at()));
      },
      iterate: (range) => {
        this.#check();
        return memory.iterate(range, sequence);
      },
      approximateBytes: async (from, to) => {
        this.#check();
        return memory.bytesBetween(from, to);
      },
    };
  }
}
