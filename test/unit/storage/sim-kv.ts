// An ordered key-value store on a simulated disk, so that a power cut treats the index like
// everything else: one log of checksummed batches, read whole when it is opened. A torn end is cut,
// a hole before something valid is "corrupt".
import { crc32 } from "node:zlib";
import { compareBytes } from "../../../services/lib/base/bytes.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { Disk, DiskFile } from "../../../services/lib/ports/disk.ts";
import type {
  Kv,
  KvEntry,
  KvFactory,
  KvIterator,
  KvOperation,
  KvRange,
} from "../../../services/lib/ports/kv.ts";

const LOG = "log";

function encodeBatch(operations: readonly KvOperation[]): Uint8Array {
  const body = Buffer.from(
    JSON.stringify(
      operations.map((operation) => [
        Buffer.from(operation.key).toString("hex"),
        operation.type === "put" ? Buffer.from(operation.value).toString("hex") : null,
      ]),
    ),
  );
  const head = Buffer.alloc(8);
  head.writeUInt32LE(body.byteLength, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

interface Loaded {
  readonly entries: Map<string, Uint8Array>;
  readonly end: number;
}

function applyBatch(entries: Map<string, Uint8Array>, body: Buffer): void {
  const rows: [string, string | null][] = JSON.parse(body.toString());
  for (const [key, value] of rows) {
    if (value === null) entries.delete(key);
    else entries.set(key, Buffer.from(value, "hex"));
  }
}

async function load(file: DiskFile): Promise<Loaded> {
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0);
  const entries = new Map<string, Uint8Array>();
  let at = 0;
  while (at + 8 <= bytes.byteLength) {
    const end = at + 8 + bytes.readUInt32LE(at);
    const body = bytes.subarray(at + 8, end);
    if (body.byteLength === 0 || end > bytes.byteLength) break;
    if (crc32(body) !== bytes.readUInt32LE(at + 4)) {
      if (end < bytes.byteLength) throw new StoreError("corrupt", `${file.path}: a bad batch`);
      break;
    }
    applyBatch(entries, body);
    at = end;
  }
  return { entries, end: at };
}

class SimKv implements Kv {
  readonly #file: DiskFile;
  readonly #entries: Map<string, Uint8Array>;
  #end: number;

  constructor(file: DiskFile, loaded: Loaded) {
    this.#file = file;
    this.#entries = loaded.entries;
    this.#end = loaded.end;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(Buffer.from(key).toString("hex"));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.get(key));
  }

  iterate(range: KvRange): KvIterator {
    const rows = [...this.#entries]
      .map(([key, value]): KvEntry => [Buffer.from(key, "hex"), value])
      .filter(([key]) => range.from === undefined || compareBytes(key, range.from) >= 0)
      .filter(([key]) => range.to === undefined || compareBytes(key, range.to) < 0)
      .sort(([a], [b]) => compareBytes(a, b));
    return {
      seek: () => {
        throw new Error("not used here");
      },
      next: async (count) => rows.splice(0, count),
      close: async () => undefined,
    };
  }

  approximateBytes(): never {
    throw new Error("not used here");
  }

  async write(
    operations: readonly KvOperation[],
    options?: { readonly sync?: boolean },
  ): Promise<void> {
    const bytes = encodeBatch(operations);
    const at = this.#end;
    this.#end += bytes.byteLength;
    await this.#file.write([bytes], at);
    if (options?.sync === true) await this.#file.datasync();
    applyBatch(this.#entries, Buffer.from(bytes.subarray(8)));
  }

  snapshot(): never {
    throw new Error("not used here");
  }

  async compact(): Promise<void> {
    await this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export function createSimKvFactory(disk: Disk): KvFactory {
  return {
    async open(path) {
      const log = `${path}/${LOG}`;
      if (!(await disk.exists(log))) {
        await disk.mkdir(path);
        const made = await disk.open(log, "create");
        await made.datasync();
        await made.close();
        await disk.syncDirectory(path);
        await disk.syncDirectory(path.slice(0, path.lastIndexOf("/")));
      }
      const file = await disk.open(log, "write");
      return new SimKv(file, await load(file));
    },
    async verify(path) {
      const file = await disk.open(`${path}/${LOG}`, "read");
      await load(file);
      await file.close();
    },
    destroy: (path) => disk.removeTree(path),
  };
}
