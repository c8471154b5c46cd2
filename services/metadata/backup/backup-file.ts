// A backup of the metadata as one file. Frames after the magic "DLMBACK1": kind (1 byte), length of
// the payload (u32, little-endian), payload, CRC-32 of all three. Kinds: 1 header, 2 a group
// begins, 3 bytes of its state as a snapshot carries it, 4 the group ends, 5 the file ends; all but
// 3 hold JSON. Frame 4 has the SHA-256 of the group's bytes, frame 5 that of the file up to it. A
// file is complete only with frame 5 at its very end.
import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert } from "../../lib/base/assert.ts";
import { fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Disk, DiskFile } from "../../lib/ports/disk.ts";

export const BACKUP_FORMAT = 1;

export interface BackupHeader {
  readonly format: number;
  readonly clusterId: string;
  /** Milliseconds since 1970, when the backup was begun. */
  readonly createdMs: number;
  readonly release: string;
  /** In the order of the file: index groups, then the root group. */
  readonly groupIds: readonly number[];
}

/** The moment of a group's state: everything up to this entry of its log. */
export interface GroupMoment {
  readonly groupId: number;
  readonly index: number;
  readonly term: number;
}

export const FRAME = { header: 1, group: 2, chunk: 3, groupEnd: 4, end: 5 } as const;

export const MAGIC: Uint8Array = Buffer.from("DLMBACK1", "latin1");
export const FRAME_HEAD_BYTES = 5;
export const FRAME_CHECK_BYTES = 4;
const FRAME_BYTES_MAX = 1024 * 1024;

export function bad(what: string): StoreError {
  return new StoreError("corrupt", `backup: ${what}`);
}

/** Writes a backup under another name first; it takes its own once it is whole and power-safe. */
export class BackupWriter {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #name: string;
  readonly #file: DiskFile;
  readonly #hash = createHash("sha256");
  #groupHash: Hash | undefined;
  #offset = 0;

  private constructor(disk: Disk, place: { folder: string; name: string }, file: DiskFile) {
    this.#disk = disk;
    this.#folder = place.folder;
    this.#name = place.name;
    this.#file = file;
  }

  /** Throws "exists" when there is such a file; the rest of one that was cut off is replaced. */
  static async create(
    disk: Disk,
    place: { readonly folder: string; readonly name: string },
    header: BackupHeader,
  ): Promise<BackupWriter> {
    const path = `${place.folder}/${place.name}`;
    if (await disk.exists(path)) throw new StoreError("exists", `${path} is there already`);
    const temporary = partialOf(path);
    if (await disk.exists(temporary)) await disk.remove(temporary);
    const writer = new BackupWriter(disk, place, await disk.open(temporary, "create"));
    await writer.#append(MAGIC);
    await writer.#frame(FRAME.header, json(header));
    return writer;
  }

  async beginGroup(moment: GroupMoment): Promise<void> {
    assert(this.#groupHash === undefined, "backup: two groups at once");
    this.#groupHash = createHash("sha256");
    await this.#frame(FRAME.group, json(moment));
  }

  async chunk(bytes: Uint8Array): Promise<void> {
    assert(this.#groupHash !== undefined, "backup: bytes of no group");
    this.#groupHash.update(bytes);
    await this.#frame(FRAME.chunk, bytes);
  }

  async endGroup(): Promise<void> {
    assert(this.#groupHash !== undefined, "backup: no group to end");
    const sha256 = this.#groupHash.digest("hex");
    this.#groupHash = undefined;
    await this.#frame(FRAME.groupEnd, json({ sha256 }));
  }

  /** The file is whole and power-safe under its name when it resolves; gives its length. */
  async finish(): Promise<number> {
    assert(this.#groupHash === undefined, "backup: a group was not ended");
    await this.#frame(FRAME.end, json({ sha256: this.#hash.copy().digest("hex") }));
    await this.#file.datasync();
    await this.#file.close();
    const path = `${this.#folder}/${this.#name}`;
    await this.#disk.rename(partialOf(path), path);
    await this.#disk.syncDirectory(this.#folder);
    return this.#offset;
  }

  /** Removes what was written so far. */
  async abandon(): Promise<void> {
    await this.#file.close();
    await this.#disk.remove(partialOf(`${this.#folder}/${this.#name}`));
  }

  async #frame(kind: number, payload: Uint8Array): Promise<void> {
    assert(payload.byteLength <= FRAME_BYTES_MAX, "backup: a frame too long");
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt8(kind, 0);
    head.writeUInt32LE(payload.byteLength, 1);
    const check = Buffer.alloc(FRAME_CHECK_BYTES);
    check.writeUInt32LE(crc32(payload, crc32(head)), 0);
    await this.#append(head, payload, check);
  }

  async #append(...pieces: readonly Uint8Array[]): Promise<void> {
    await this.#file.write(pieces, this.#offset);
    for (const piece of pieces) {
      this.#hash.update(piece);
      this.#offset += piece.byteLength;
    }
  }
}

function partialOf(path: string): string {
  return `${path}.partial`;
}

function json(value: object): Uint8Array {
  return utf8(JSON.stringify(value));
}

export interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** Frames in order, each checked, and nothing after the last one. Throws StoreError "corrupt". */
export async function* readFrames(file: DiskFile): AsyncGenerator<Frame, void> {
  const hash = createHash("sha256");
  const size = await file.size();
  const magic = await exactly(file, 0, MAGIC.byteLength);
  if (Buffer.compare(magic, MAGIC) !== 0) throw bad("this is no backup");
  hash.update(magic);
  let at = MAGIC.byteLength;
  for (;;) {
    const head = await exactly(file, at, FRAME_HEAD_BYTES);
    const length = head.readUInt32LE(1);
    if (length > FRAME_BYTES_MAX) throw bad("a bad length");
    const rest = await exactly(file, at + FRAME_HEAD_BYTES, length + FRAME_CHECK_BYTES);
    const payload = rest.subarray(0, length);
    if (rest.readUInt32LE(length) !== crc32(payload, crc32(head))) throw bad("a bad checksum");
    at += FRAME_HEAD_BYTES + rest.byteLength;
    const kind = head.readUInt8(0);
    if (kind === FRAME.end) {
      if (field(payload, "sha256") !== hash.digest("hex")) throw bad("it is not what was written");
      if (at !== size) throw bad("bytes after the end");
      return;
    }
    hash.update(head);
    hash.update(rest);
    yield { kind, payload };
  }
}

async function exactly(file: DiskFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  if ((await file.read(bytes, offset)) !== length) throw bad("it ends early");
  return bytes;
}

/** A text of a frame's JSON object. */
export function field(payload: Uint8Array, name: string): string {
  const value = fieldsOf(payload)[name];
  if (typeof value !== "string") throw bad(`no ${name}`);
  return value;
}

export function fieldsOf(payload: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(fromUtf8(payload) ?? "");
    // Checked boundary: any object has fields; each is checked where it is used.
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw bad("a frame without fields");
}
