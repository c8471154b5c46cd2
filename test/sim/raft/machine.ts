// The state machine of the simulated service: it appends every command it is given to a list, kept
// in a file on the simulated disk. Batches are checksummed records, so a crash leaves a prefix of
// them. Every applied entry is shown to the checker.
import { crc32 } from "node:zlib";
import { assert } from "../../../services/lib/base/assert.ts";
import type { Disk, DiskFile } from "../../../services/lib/ports/disk.ts";
import type {
  CommittedEntry,
  StateMachine,
  StatePoint,
  StateSnapshot,
} from "../../../services/lib/raft/types.ts";

export interface Applied {
  readonly index: number;
  readonly term: number;
  /** Text of the command; empty for entries without one. */
  readonly command: string;
}

interface Content {
  index: number;
  term: number;
  confState: string;
  list: Applied[];
}

export interface MachineOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly watch: (applied: Applied) => void;
  /** A planted bug: `flush` does nothing. */
  readonly flushLies: boolean;
}

export class ListMachine implements StateMachine {
  readonly #options: MachineOptions;
  #file: DiskFile;
  #end: number;
  #content: Content;

  private constructor(
    options: MachineOptions,
    file: DiskFile,
    state: { readonly content: Content; readonly end: number },
  ) {
    this.#options = options;
    this.#file = file;
    this.#content = state.content;
    this.#end = state.end;
  }

  static async open(options: MachineOptions): Promise<ListMachine> {
    const { disk, path } = options;
    const exists = await disk.exists(path);
    const file = await disk.open(path, exists ? "write" : "create");
    if (!exists) await disk.syncDirectory(".");
    const bytes = new Uint8Array(await file.size());
    await file.read(bytes, 0);
    const state = readBack(bytes);
    await file.truncate(state.end);
    await file.datasync();
    return new ListMachine(options, file, state);
  }

  get appliedIndex(): number {
    return this.#content.index;
  }

  get appliedTerm(): number {
    return this.#content.term;
  }

  /** Commands applied so far, in order; grows in place. */
  get list(): readonly Applied[] {
    return this.#content.list;
  }

  confState(): Uint8Array {
    return Buffer.from(this.#content.confState, "hex");
  }

  async apply(entries: readonly CommittedEntry[]): Promise<readonly Uint8Array[]> {
    let { index, term, confState } = this.#content;
    const added: Applied[] = [];
    for (const entry of entries) {
      assert(entry.index === index + 1, `machine: ${entry.index} after ${index}`);
      ({ index, term } = entry);
      const command = entry.kind === "normal" ? Buffer.from(entry.data).toString() : "";
      added.push({ index, term, command });
      if (entry.confState !== undefined) confState = Buffer.from(entry.confState).toString("hex");
    }
    await this.#append({ index, term, confState, list: added });
    this.#content.list.push(...added);
    this.#content = { index, term, confState, list: this.#content.list };
    for (const one of added) this.#options.watch(one);
    return added.map((one) => Buffer.from(one.command === "" ? "" : `did ${one.command}`));
  }

  async flush(): Promise<number> {
    const { index } = this.#content;
    if (this.#options.flushLies) return index;
    await this.#file.datasync();
    return index;
  }

  async snapshot(): Promise<StateSnapshot> {
    const { index, term } = this.#content;
    const confState = this.confState();
    const list = [...this.#content.list];
    async function* chunks(): AsyncIterable<Uint8Array> {
      for (let at = 0; at < list.length; at += 4) {
        yield Buffer.from(JSON.stringify(list.slice(at, at + 4)));
      }
    }
    return { index, term, confState, chunks, close: () => Promise.resolve() };
  }

  async restore(point: StatePoint, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const list: Applied[] = [];
    for await (const chunk of chunks) {
      const part: Applied[] = JSON.parse(Buffer.from(chunk).toString());
      list.push(...part);
    }
    const { index, term } = point;
    const confState = Buffer.from(point.confState).toString("hex");
    const record = encode({ index, term, confState, list });
    const next = `${this.#options.path}.next`;
    if (await this.#options.disk.exists(next)) await this.#options.disk.remove(next);
    const file = await this.#options.disk.open(next, "create");
    await file.write([record], 0);
    await file.datasync();
    await this.#options.disk.rename(next, this.#options.path);
    await this.#options.disk.syncDirectory(".");
    this.#file = file;
    this.#end = record.byteLength;
    this.#content = { index, term, confState, list };
  }

  async #append(batch: Content): Promise<void> {
    const record = encode(batch);
    await this.#file.write([record], this.#end);
    this.#end += record.byteLength;
  }
}

function encode(batch: Content): Uint8Array {
  const body = Buffer.from(JSON.stringify(batch));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(body.byteLength, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

function readBack(bytes: Uint8Array): { readonly content: Content; readonly end: number } {
  const buffer = Buffer.from(bytes);
  const content: Content = { index: 0, term: 0, confState: "", list: [] };
  let end = 0;
  while (end + 8 <= buffer.byteLength) {
    const stop = end + 8 + buffer.readUInt32LE(end);
    const body = buffer.subarray(end + 8, stop);
    if (
      body.byteLength === 0 ||
      stop > buffer.byteLength ||
      crc32(body) !== buffer.readUInt32LE(end + 4)
    )
      break;
    const batch: Content = JSON.parse(body.toString());
    content.list.push(...batch.list);
    content.index = batch.index;
    content.term = batch.term;
    content.confState = batch.confState;
    end = stop;
  }
  return { content, end };
}
