// A key in a listing, with what documents show of its version. Read field by field from the packed
// entries of an answer: a page has a thousand of them, and shows six fields of each. A test
// compares this with the entries decoded as messages.
import { present } from "../../lib/base/assert.ts";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { WireReader } from "../../lib/base/wire-reader.ts";
import {
  type ListObjectsAnswer,
  type ListObjectsAnswer_Entry,
  ListObjectsAnswer_EntrySchema,
} from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { ChecksumSchema, VersionSchema } from "../../lib/gen/dolium/record/v1/object_pb.ts";

export interface ListedEntry {
  readonly key: Uint8Array;
  readonly modifiedMs: number;
  readonly size: number;
  /** Unquoted. */
  readonly etag: string;
  readonly storageClass: string;
  /** Canonical id. */
  readonly owner: string;
  /** Of the first checksum, by their numbers in records; undefined: there is none. */
  readonly checksum: { readonly algorithm: number; readonly type: number } | undefined;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const ENTRY = ListObjectsAnswer_EntrySchema.field;
const VERSION = VersionSchema.field;
const CHECKSUM = ChecksumSchema.field;
const NO_KEY = new Uint8Array(0);

/** Entries of an answer, packed or not. Keys are views. Throws StoreError "corrupt". */
export function listedEntries(answer: ListObjectsAnswer): ListedEntry[] {
  const entries = answer.entries.map(fromMessage);
  const reader = new WireReader(answer.packedEntries);
  while (!reader.isAtEnd) entries.push(readEntry(reader.delimited()));
  return entries;
}

function fromMessage(entry: ListObjectsAnswer_Entry): ListedEntry {
  const version = present(entry.version, "version of a listed key");
  const { etag, storageClass, owner, checksums } = version;
  const [first] = checksums;
  return {
    key: entry.key,
    modifiedMs: toSafeNumber(version.modifiedMs),
    size: toSafeNumber(version.size),
    ...{ etag, storageClass, owner },
    checksum: first === undefined ? undefined : { algorithm: first.algorithm, type: first.type },
  };
}

function readEntry(reader: WireReader): ListedEntry {
  const entry: Writable<ListedEntry> = {
    key: NO_KEY,
    modifiedMs: 0,
    size: 0,
    etag: "",
    storageClass: "",
    owner: "",
    checksum: undefined,
  };
  while (reader.next()) {
    if (reader.field === ENTRY.key.number) entry.key = reader.bytes();
    else if (reader.field === ENTRY.version.number) readVersion(reader.message(), entry);
    else reader.skip();
  }
  return entry;
}

function readVersion(reader: WireReader, entry: Writable<ListedEntry>): void {
  while (reader.next()) {
    switch (reader.field) {
      case VERSION.modifiedMs.number:
        entry.modifiedMs = reader.number();
        break;
      case VERSION.size.number:
        entry.size = reader.number();
        break;
      case VERSION.etag.number:
        entry.etag = reader.text();
        break;
      case VERSION.storageClass.number:
        entry.storageClass = reader.text();
        break;
      case VERSION.owner.number:
        entry.owner = reader.text();
        break;
      case VERSION.checksums.number:
        if (entry.checksum === undefined) entry.checksum = readChecksum(reader.message());
        else reader.skip();
        break;
      default:
        reader.skip();
    }
  }
}

function readChecksum(reader: WireReader): ListedEntry["checksum"] {
  const checksum = { algorithm: 0, type: 0 };
  while (reader.next()) {
    if (reader.field === CHECKSUM.algorithm.number) checksum.algorithm = reader.number();
    else if (reader.field === CHECKSUM.type.number) checksum.type = reader.number();
    else reader.skip();
  }
  return checksum;
}
