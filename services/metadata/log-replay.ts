// Reads the segments back after a start. What was synced is all there and in order, or the log is
// "corrupt": then this replica must not vote any more and is rebuilt under a new id. Only the last
// batch, which nobody was told about, may be torn, and it is cut off whole.
//
// A torn last batch and rot are told apart by batch numbers: batch b+1 (or a seal of b) is written
// only after batch b was synced. So a bad record followed by anything of a later batch is rot.
import { asBuffer } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { Disk, DiskFile } from "../lib/ports/disk.ts";
import {
  checksumSeed,
  decodeGroupMeta,
  decodeNumbers,
  decodeRecord,
  decodeSegmentHeader,
  type LogRecord,
  RECORD_HEADER_BYTES,
  RECORD_TYPES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
  segmentNumber,
} from "./log-format.ts";
import { GroupLog } from "./log-group.ts";
import { Segment } from "./log-segment.ts";

export interface ReplayedLog {
  readonly groups: Map<number, GroupLog>;
  /** In order of their numbers; empty for a new log. */
  readonly segments: Segment[];
  readonly lastBatch: number;
  readonly lastChecksum: number;
  readonly cutBytes: number;
}

/** Of a segment being written again; a crash may leave one behind. */
const COPY_ENDING = ".copy";

interface Placed {
  readonly record: LogRecord;
  readonly offset: number;
}

/**
 * Replays the log in folder `path`. Cuts a torn tail and removes a segment whose creation was cut
 * short, durably. Throws "corrupt" for anything else that does not fit.
 */
export async function replayLog(disk: Disk, path: string): Promise<ReplayedLog> {
  const names = await disk.list(path);
  for (const name of names.filter((one) => one.endsWith(COPY_ENDING))) {
    await disk.remove(`${path}/${name}`);
  }
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []);
  numbers.sort((a, b) => a - b);
  const replay = new Replay();
  const opened = new Set<DiskFile>();
  try {
    await readSegments({ disk, path, numbers, opened }, replay);
    return replay.finish();
  } catch (error) {
    for (const file of opened) await file.close();
    throw error;
  }
}

/** Files that stay open are in `opened`. */
async function readSegments(
  log: {
    readonly disk: Disk;
    readonly path: string;
    readonly numbers: readonly number[];
    readonly opened: Set<DiskFile>;
  },
  replay: Replay,
): Promise<void> {
  const { disk, path, numbers, opened } = log;
  for (const [at, number] of numbers.entries()) {
    const expected = (numbers[0] ?? 0) + at;
    if (number !== expected) {
      throw new StoreError("corrupt", `${path}: ${segmentName(expected)} is missing`);
    }
    const newest = at === numbers.length - 1;
    const name = `${path}/${segmentName(number)}`;
    const file = await disk.open(name, "write");
    opened.add(file);
    if (newest && (await isUnbornSegment(file))) {
      opened.delete(file);
      await file.close();
      await disk.remove(name);
      await disk.syncDirectory(path);
      return;
    }
    const { header, view, end } = await replay.read({ path: name, file }, number, newest);
    let kept = file;
    if (newest) {
      opened.delete(file);
      await file.close();
      kept = await rewrite(disk, name, view.subarray(0, end));
      opened.add(kept);
    }
    replay.add(new Segment({ path: name, file: kept }, header, end));
  }
}

/**
 * Writes the newest segment again under its name. What is read after a restart may never have
 * reached the disk: the process may have been killed before its sync, or the sync may have failed,
 * after which another sync of the same file reports success for pages that are gone. A new file has
 * neither fault.
 */
async function rewrite(disk: Disk, name: string, content: Uint8Array): Promise<DiskFile> {
  const copy = `${name}${COPY_ENDING}`;
  const file = await disk.open(copy, "create");
  try {
    await file.write([content], 0);
    await file.datasync();
    await disk.rename(copy, name);
    await disk.syncDirectory(name.slice(0, name.lastIndexOf("/")));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Its header never became durable, so it never held a batch. */
async function isUnbornSegment(file: DiskFile): Promise<boolean> {
  if ((await file.size()) > SEGMENT_HEADER_BYTES) return false;
  const head = new Uint8Array(SEGMENT_HEADER_BYTES);
  const got = await file.read(head, 0);
  return decodeSegmentHeader(head.subarray(0, got)).kind === "bad";
}

class Replay {
  readonly #groups = new Map<number, GroupLog>();
  readonly #segments: Segment[] = [];
  #lastBatch = 0;
  #checksum = 0;
  #cutBytes = 0;
  /** Records of the segment read last, until it is known which file holds them. */
  #unplaced: Placed[] = [];

  finish(): ReplayedLog {
    for (const group of this.#groups.values()) group.verifyComplete();
    return {
      groups: this.#groups,
      segments: this.#segments,
      lastBatch: this.#lastBatch,
      lastChecksum: this.#checksum,
      cutBytes: this.#cutBytes,
    };
  }

  /** Checks the next segment and finds where it ends; `add` lets it take effect. */
  async read(
    place: { readonly path: string; readonly file: DiskFile },
    number: number,
    newest: boolean,
  ): Promise<{ readonly header: SegmentHeader; readonly view: Uint8Array; readonly end: number }> {
    const { path, file } = place;
    const bytes = new Uint8Array(await file.size());
    const view = bytes.subarray(0, await file.read(bytes, 0));
    const header = this.#header(view, path, number);
    const scan = this.#scan(view, header, path);
    this.#unplaced = scan.records;
    if (scan.end < view.byteLength) {
      if (!newest || this.#laterBatchFollows(view, scan.end, header)) {
        throw new StoreError("corrupt", `${path}: bad record at ${scan.badAt}`);
      }
      this.#cutBytes += view.byteLength - scan.end;
    }
    return { header, view, end: scan.end };
  }

  add(segment: Segment): void {
    for (const placed of this.#unplaced) this.#take(placed, segment);
    this.#unplaced = [];
    this.#segments.push(segment);
  }

  #header(view: Uint8Array, path: string, number: number): SegmentHeader {
    const decoded = decodeSegmentHeader(view);
    if (decoded.kind === "unknown-version") {
      throw new StoreError("invalid", `${path}: log version ${decoded.version} is newer than this`);
    }
    if (decoded.kind === "bad") throw new StoreError("corrupt", `${path}: bad segment header`);
    const { header } = decoded;
    if (header.number !== number) throw new StoreError("corrupt", `${path}: misplaced segment`);
    if (this.#segments.length === 0) {
      this.#lastBatch = header.firstBatch - 1;
      this.#checksum = header.previousChecksum;
    }
    const follows =
      header.firstBatch === this.#lastBatch + 1 && header.previousChecksum === this.#checksum;
    if (!follows) throw new StoreError("corrupt", `${path}: does not follow the segment before`);
    return header;
  }

  /** The records of whole batches, and where they end. */
  #scan(
    view: Uint8Array,
    header: SegmentHeader,
    path: string,
  ): { readonly records: Placed[]; readonly end: number; readonly badAt: number } {
    const seed = checksumSeed(header.nonce);
    const records: Placed[] = [];
    let open: Placed[] = [];
    let offset = SEGMENT_HEADER_BYTES;
    let end = offset;
    let checksum = this.#checksum;
    while (offset < view.byteLength) {
      const found = decodeRecord(view, offset, seed);
      if (found === undefined || found.previousChecksum !== checksum) break;
      const { record } = found;
      const seal = record.type === RECORD_TYPES.seal;
      const expected = seal ? this.#lastBatch : this.#lastBatch + 1;
      if (record.batch !== expected || (seal && open.length > 0)) {
        throw new StoreError("corrupt", `${path}: batch ${record.batch} out of place at ${offset}`);
      }
      open.push({ record, offset });
      checksum = found.checksum;
      offset += found.bytes;
      if (record.endOfBatch) {
        for (const placed of open) records.push(placed);
        open = [];
        end = offset;
        this.#lastBatch = record.batch;
        this.#checksum = checksum;
      }
    }
    return { records, end, badAt: offset };
  }

  /** Looks behind `from` for proof that the batch which begins there was synced. */
  #laterBatchFollows(view: Uint8Array, from: number, header: SegmentHeader): boolean {
    const seed = checksumSeed(header.nonce);
    const torn = this.#lastBatch + 1;
    const bytes = asBuffer(view);
    for (let at = bytes.indexOf("RL", from + 8); at >= 0; at = bytes.indexOf("RL", at + 1)) {
      const found = decodeRecord(view, at - 8, seed);
      if (found === undefined) continue;
      const { record } = found;
      if (record.batch > torn) return true;
      if (record.batch === torn && record.type === RECORD_TYPES.seal) return true;
    }
    return false;
  }

  #take(placed: Placed, segment: Segment): void {
    const { record } = placed;
    if (record.type === RECORD_TYPES.seal) return;
    if (record.type === RECORD_TYPES.meta) {
      this.#takeMeta(record);
    } else if (record.type === RECORD_TYPES.start && !this.#groups.has(record.groupId)) {
      const group = new GroupLog(record.groupId);
      group.start(record.index, record.term);
      this.#groups.set(record.groupId, group);
    } else {
      const group = this.#groups.get(record.groupId);
      if (group === undefined) {
        throw new StoreError(
          "corrupt",
          `${segment.path}: group ${record.groupId} has no beginning`,
        );
      }
      if (record.type === RECORD_TYPES.remove) this.#groups.delete(record.groupId);
      else applyRecord(group, record, { segment, offset: placed.offset });
    }
  }

  #takeMeta(record: LogRecord): void {
    const meta = decodeGroupMeta(record.payload);
    const group = this.#groups.get(record.groupId);
    if (group === undefined) {
      this.#groups.set(record.groupId, GroupLog.fromMeta(record.groupId, meta));
      return;
    }
    if (group.lastIndex !== meta.lastIndex) {
      throw new StoreError("corrupt", `log of group ${record.groupId}: its end moved unseen`);
    }
    group.cut(meta.snapshotIndex, meta.snapshotTerm);
  }
}

/** Lets a durable record of an existing group take effect. */
export function applyRecord(
  group: GroupLog,
  record: Pick<LogRecord, "type" | "index" | "term" | "payload">,
  place: { readonly segment: Segment; readonly offset: number },
): void {
  const { type, index, term, payload } = record;
  if (type === RECORD_TYPES.entry || type === RECORD_TYPES.membersEntry) {
    const kind = type === RECORD_TYPES.entry ? "normal" : "members";
    group.put(index, { ...place, payloadBytes: payload.byteLength, term, kind });
  } else if (type === RECORD_TYPES.hardState) {
    const [vote] = decodeNumbers(payload, 1);
    group.hardState = { term, vote: vote ?? 0, commit: index };
  } else if (type === RECORD_TYPES.start) {
    group.start(index, term);
  } else if (type === RECORD_TYPES.compact) {
    group.cut(index, term);
  } else if (type === RECORD_TYPES.restoring) {
    group.note({ index, term });
  }
}

/** Bytes a record of this payload takes in the file. */
export function recordBytes(payloadBytes: number): number {
  return RECORD_HEADER_BYTES + payloadBytes;
}
