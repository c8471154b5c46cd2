// A key-value store on a simulated disk that loses what LevelDB loses when the power is cut:
// batches are whole or gone; what was not synced may be lost, also when a later batch in the next
// log file was synced, because a log that is full is left unsynced; a torn end of a log is dropped
// in silence. A full log is turned into a table in the background while writes go on.
import { crc32 } from "node:zlib";
import { assert } from "../../services/lib/base/assert.ts";
import { StoreError, toStoreError } from "../../services/lib/base/errors.ts";
import type { Disk, DiskFile } from "../../services/lib/ports/disk.ts";
import type {
  Kv,
  KvEntry,
  KvFactory,
  KvIterator,
  KvOperation,
  KvRange,
  KvReader,
  KvSnapshot,
} from "../../services/lib/ports/kv.ts";

/** Keys and values; keys in hex, which sorts as bytes do. */
type Rows = ReadonlyMap<string, Uint8Array>;

export interface SimKvOptions {
  /** Bytes after which the next log file begins. */
  readonly logBytes?: number;
}

const DEFAULT_LOG_BYTES = 16 * 1024;
const HEAD_BYTES = 8;
const NAME = /^(log|table)-(\d{8})$/;

/** Frames of length and checksum; a frame holds any number of operations. */
function encodeFrame(operations: readonly KvOperation[]): Uint8Array {
  const pieces: Buffer[] = [];
  for (const operation of operations) {
    const isPut = operation.type === "put";
    const head = Buffer.alloc(9);
    head.writeUInt8(isPut ? 1 : 0, 0);
    head.writeUInt32LE(operation.key.byteLength, 1);
    head.writeUInt32LE(isPut ? operation.value.byteLength : 0, 5);
    pieces.push(head, Buffer.from(operation.key));
    if (isPut) pieces.push(Buffer.from(operation.value));
  }
  const body = Buffer.concat(pieces);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.byteLength, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

function applyFrame(rows: Map<string, Uint8Array>, body: Buffer): void {
  let at = 0;
  while (at < body.byteLength) {
    const isPut = body.readUInt8(at) === 1;
    const keyEnd = at + 9 + body.readUInt32LE(at + 1);
    const end = keyEnd + body.readUInt32LE(at + 5);
    const key = body.toString("hex", at + 9, keyEnd);
    if (isPut) rows.set(key, Uint8Array.from(body.subarray(keyEnd, end)));
    else rows.delete(key);
    at = end;
  }
}

/** Applies the whole frames at the start; returns where they end. */
function replay(rows: Map<string, Uint8Array>, bytes: Buffer): number {
  let at = 0;
  while (at + HEAD_BYTES <= bytes.byteLength) {
    const end = at + HEAD_BYTES + bytes.readUInt32LE(at);
    const body = bytes.subarray(at + HEAD_BYTES, end);
    const isWhole = end <= bytes.byteLength && crc32(body) === bytes.readUInt32LE(at + 4);
    // Zeros, as an unsynced page leaves them, would be an empty frame with a good checksum.
    if (!isWhole || body.byteLength === 0) break;
    applyFrame(rows, body);
    at = end;
  }
  return at;
}

async function readWhole(disk: Disk, path: string): Promise<Buffer> {
  const file = await disk.open(path, "read");
  try {
    const bytes = Buffer.alloc(await file.size());
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

function fileName(kind: "log" | "table", number: number): string {
  return `${kind}-${String(number).padStart(8, "0")}`;
}

/** One frozen state, read as a store. */
class Reader implements KvReader {
  readonly #rows: () => Rows;

  constructor(rows: () => Rows) {
    this.#rows = rows;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows().get(Buffer.from(key).toString("hex"))?.slice();
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.get(key));
  }

  async approximateBytes(from: Uint8Array, to: Uint8Array): Promise<number> {
    const [first, end] = [from, to].map((key) => Buffer.from(key).toString("hex"));
    let bytes = 0;
    for (const [key, value] of this.#rows()) {
      if (key >= (first ?? "") && key < (end ?? "")) bytes += key.length / 2 + value.byteLength;
    }
    return bytes;
  }

  iterate(range: KvRange): KvIterator {
    const rows = this.#rows();
    const { from, to, reverse = false } = range;
    const first = from === undefined ? "" : Buffer.from(from).toString("hex");
    const end = to === undefined ? undefined : Buffer.from(to).toString("hex");
    const keys = [...rows.keys()]
      .filter((key) => key >= first && (end === undefined || key < end))
      .sort();
    if (reverse) keys.reverse();
    let at = 0;
    return {
      seek(key): void {
        const wanted = Buffer.from(key).toString("hex");
        const found = keys.findIndex((other) => (reverse ? other <= wanted : other >= wanted));
        at = found < 0 ? keys.length : found;
      },
      async next(count): Promise<KvEntry[]> {
        assert(Number.isSafeInteger(count) && count > 0, "next: count must be positive");
        const page = keys.slice(at, at + count);
        at += page.length;
        return page.map((key) => [
          Uint8Array.from(Buffer.from(key, "hex")),
          (rows.get(key) ?? new Uint8Array(0)).slice(),
        ]);
      },
      close: async () => undefined,
    };
  }
}

class SimKv extends Reader implements Kv {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #logBytes: number;
  #rows: Map<string, Uint8Array>;
  /** A snapshot reads `#rows`: the next write works on a copy. */
  #isShared = false;
  #number: number;
  #log: DiskFile;
  #end = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #table: Promise<void> | undefined;
  #failure: StoreError | undefined;
  #isClosed = false;

  constructor(
    place: { readonly disk: Disk; readonly path: string; readonly logBytes: number },
    state: { readonly rows: Map<string, Uint8Array>; readonly number: number; log: DiskFile },
  ) {
    super(() => this.#readable());
    this.#disk = place.disk;
    this.#path = place.path;
    this.#logBytes = place.logBytes;
    this.#rows = state.rows;
    this.#number = state.number;
    this.#log = state.log;
  }

  write(operations: readonly KvOperation[], options?: { readonly sync?: boolean }): Promise<void> {
    return this.#inTurn(() => this.#write(operations, options?.sync === true));
  }

  snapshot(): KvSnapshot {
    const rows = this.#readable();
    this.#isShared = true;
    const reader = new Reader(() => rows);
    return {
      get: (key) => reader.get(key),
      getMany: (keys) => reader.getMany(keys),
      iterate: (range) => reader.iterate(range),
      approximateBytes: (from, to) => reader.approximateBytes(from, to),
      close: async () => undefined,
    };
  }

  compact(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#table;
      await this.#roll();
      await this.#table;
      if (this.#failure !== undefined) throw this.#failure;
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#turn;
    await this.#table;
    await this.#log.close();
  }

  #readable(): Rows {
    if (this.#isClosed) throw new StoreError("unavailable", `${this.#path} is closed`);
    return this.#rows;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isClosed) throw new StoreError("unavailable", `${this.#path} is closed`);
      return work();
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #write(operations: readonly KvOperation[], isSynced: boolean): Promise<void> {
    if (operations.length === 0) return;
    if (this.#end >= this.#logBytes && this.#table === undefined) await this.#roll();
    const frame = encodeFrame(operations);
    try {
      await this.#log.write([frame], this.#end);
      this.#end += frame.byteLength;
      if (isSynced) await this.#log.datasync();
    } catch (error) {
      // LevelDB takes no writes after one that failed.
      this.#failure = toStoreError(error);
      throw error;
    }
    if (this.#isShared) this.#rows = new Map(this.#rows);
    this.#isShared = false;
    applyFrame(this.#rows, Buffer.from(frame.subarray(HEAD_BYTES)));
  }

  /** The next log begins; the table that replaces those before it is written meanwhile. */
  async #roll(): Promise<void> {
    const next = this.#number + 1;
    const log = await createLog(this.#disk, this.#path, next);
    const former = this.#log;
    this.#log = log;
    this.#number = next;
    this.#end = 0;
    const rows = new Map(this.#rows);
    this.#table = (async () => {
      await former.close();
      await writeTable({ disk: this.#disk, path: this.#path }, rows, next);
    })()
      .catch((error: unknown) => {
        this.#failure ??= toStoreError(error);
      })
      .finally(() => {
        this.#table = undefined;
      });
  }
}

async function createLog(disk: Disk, path: string, number: number): Promise<DiskFile> {
  const file = await disk.open(`${path}/${fileName("log", number)}`, "create");
  await closedOnError(file, () => disk.syncDirectory(path));
  return file;
}

async function closedOnError(file: DiskFile, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Makes `rows` the state before log `number`, and removes what that replaces. */
async function writeTable(
  { disk, path }: { readonly disk: Disk; readonly path: string },
  rows: Rows,
  number: number,
): Promise<void> {
  const name = `${path}/${fileName("table", number)}`;
  const operations = [...rows].map(([key, value]): KvOperation => {
    return { type: "put", key: Buffer.from(key, "hex"), value };
  });
  const file = await disk.open(`${name}.new`, "create");
  try {
    await file.write([encodeFrame(operations)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(`${name}.new`, name);
  await disk.syncDirectory(path);
  for (const old of await disk.list(path)) {
    const digits = NAME.exec(old)?.[2];
    if (digits !== undefined && Number(digits) < number) await disk.remove(`${path}/${old}`);
  }
}

/** What the newest table and the logs after it hold. Throws "corrupt" for a bad table. */
async function load(
  disk: Disk,
  path: string,
): Promise<{ readonly rows: Map<string, Uint8Array>; readonly last: number }> {
  const found = (await disk.list(path)).flatMap((name) => {
    const [, kind, digits] = NAME.exec(name) ?? [];
    return kind === undefined ? [] : [{ name, kind, number: Number(digits) }];
  });
  const rows = new Map<string, Uint8Array>();
  const table = found.filter(({ kind }) => kind === "table").at(-1);
  if (table !== undefined) {
    const bytes = await readWhole(disk, `${path}/${table.name}`);
    const isEmpty = bytes.byteLength === HEAD_BYTES && bytes.readUInt32LE(0) === 0;
    if (!isEmpty && (bytes.byteLength < HEAD_BYTES || replay(rows, bytes) !== bytes.byteLength)) {
      throw new StoreError("corrupt", `${path}/${table.name}: a bad table`);
    }
  }
  for (const { name, kind, number } of found) {
    if (kind !== "log" || number < (table?.number ?? 0)) continue;
    replay(rows, await readWhole(disk, `${path}/${name}`));
  }
  return { rows, last: Math.max(0, ...found.map(({ number }) => number)) };
}

export function createSimKvFactory(disk: Disk, options: SimKvOptions = {}): KvFactory {
  const logBytes = options.logBytes ?? DEFAULT_LOG_BYTES;
  return {
    async open(path) {
      if (!(await disk.exists(path))) {
        await disk.mkdir(path);
        await disk.syncDirectory(path.slice(0, path.lastIndexOf("/")));
      }
      for (const name of await disk.list(path)) {
        if (name.endsWith(".new")) await disk.remove(`${path}/${name}`);
      }
      const { rows, last } = await load(disk, path);
      const number = last + 1;
      const log = await createLog(disk, path, number);
      await closedOnError(log, () => writeTable({ disk, path }, rows, number));
      return new SimKv({ disk, path, logBytes }, { rows, number, log });
    },
    async verify(path) {
      await load(disk, path);
    },
    destroy: (path) => disk.removeTree(path),
  };
}
