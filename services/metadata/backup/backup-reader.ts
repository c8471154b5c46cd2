// Reads a backup group by group. What it gives was checked by frame, by group (order, number and
// digest of the entries, each under its own checksum) and, once the last group was read to its end,
// as a whole. The file's SHA-256 names the backup.
import { createHash } from "node:crypto";
import { StoreError } from "../../lib/base/errors.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { Disk } from "../../lib/ports/disk.ts";
import type { KvEntry } from "../../lib/ports/kv.ts";
import { readSnapshot } from "../state/snapshot-stream.ts";
import {
  BACKUP_FORMAT,
  type BackupHeader,
  bad,
  FRAME,
  type Frame,
  field,
  fieldsOf,
  type GroupMoment,
  readFrames,
} from "./backup-file.ts";

export interface BackupGroup extends GroupMoment {
  /** In byte order of keys; to be read to their end before the next group. */
  readonly entries: AsyncIterable<KvEntry>;
}

export interface BackupSummary {
  readonly header: BackupHeader;
  readonly groups: readonly (GroupMoment & { readonly entries: number; readonly bytes: number })[];
}

/**
 * Calls `onGroup` with each group in the order of the file; resolves with the header once all of it
 * proved right. What `onGroup` did before a rejection stands: verify first where that matters.
 */
export async function readBackup(
  disk: Disk,
  path: string,
  onGroup: (group: BackupGroup, header: BackupHeader) => Promise<void>,
): Promise<BackupHeader> {
  const file = await disk.open(path, "read");
  const frames = readFrames(file);
  try {
    const header = headerOf(await nextFrame(frames));
    const seen: number[] = [];
    for (;;) {
      const next = await frames.next();
      if (next.done === true) break;
      const moment = momentOf(next.value);
      seen.push(moment.groupId);
      let isRead = false;
      const chunks = groupChunks(frames, () => {
        isRead = true;
      });
      await onGroup({ ...moment, entries: entriesOf(chunks) }, header);
      if (!isRead) throw new StoreError("internal", "a group of the backup was not read");
    }
    if (seen.join() !== header.groupIds.join()) throw bad("other groups than it says");
    return header;
  } finally {
    await frames.return();
    await file.close();
  }
}

/** Reads and checks all of a backup. Throws "corrupt", "not-found". */
export async function verifyBackup(disk: Disk, path: string): Promise<BackupSummary> {
  const groups: (GroupMoment & { entries: number; bytes: number })[] = [];
  const header = await readBackup(disk, path, async ({ groupId, index, term, entries }) => {
    let count = 0;
    let bytes = 0;
    for await (const [key, stored] of entries) {
      count += 1;
      bytes += key.byteLength + stored.byteLength;
    }
    groups.push({ groupId, index, term, entries: count, bytes });
  });
  return { header, groups };
}

/** 16 bytes that name the backup: of the digest of its header and of what its groups are. */
export function backupId({ header, groups }: BackupSummary): Uint8Array {
  const text = JSON.stringify([header, groups]);
  return createHash("sha256").update(text, "utf8").digest().subarray(0, 16);
}

async function nextFrame(frames: AsyncGenerator<Frame, void>): Promise<Frame> {
  const next = await frames.next();
  if (next.done === true) throw bad("it ends early");
  return next.value;
}

async function* groupChunks(
  frames: AsyncGenerator<Frame, void>,
  ended: () => void,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash("sha256");
  for (;;) {
    const { kind, payload } = await nextFrame(frames);
    if (kind === FRAME.groupEnd) {
      if (field(payload, "sha256") !== hash.digest("hex")) throw bad("a group is not as written");
      return ended();
    }
    if (kind !== FRAME.chunk) throw bad("a group without end");
    hash.update(payload);
    yield payload;
  }
}

async function* entriesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<KvEntry, void> {
  yield* readSnapshot(chunks);
}

function headerOf({ kind, payload }: Frame): BackupHeader {
  if (kind !== FRAME.header) throw bad("no header");
  const { format, clusterId, createdMs, release, groupIds } = fieldsOf(payload);
  if (format !== BACKUP_FORMAT) throw new StoreError("invalid", `backup of format ${format}`);
  const isWhole =
    typeof clusterId === "string" &&
    typeof createdMs === "number" &&
    typeof release === "string" &&
    Array.isArray(groupIds) &&
    groupIds.every((groupId) => Number.isSafeInteger(groupId)) &&
    groupIds.at(-1) === ROOT_GROUP;
  if (!isWhole) throw bad("a bad header");
  return { format, clusterId, createdMs, release, groupIds };
}

function momentOf({ kind, payload }: Frame): GroupMoment {
  if (kind !== FRAME.group) throw bad("something beside groups");
  const { groupId, index, term } = fieldsOf(payload);
  const isWhole =
    Number.isSafeInteger(groupId) && Number.isSafeInteger(index) && Number.isSafeInteger(term);
  if (!isWhole) throw bad("a group without a moment");
  return { groupId: Number(groupId), index: Number(index), term: Number(term) };
}
