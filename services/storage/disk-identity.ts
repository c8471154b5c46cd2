// What makes a folder a disk of the cluster: `disk.json` with its uuid. It is written last when a
// folder is formatted, so a folder either is a disk or still counts as empty. A folder with other
// things in it is never formatted: it may be somebody's data, or a disk whose identity was lost.

import { fromHex, fromUtf8, toHex, utf8 } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import { makeFolder } from "../lib/base/power-safe-folders.ts";
import type { Disk } from "../lib/ports/disk.ts";
import type { Random } from "../lib/ports/random.ts";

export const FORMAT_VERSION = 1;
const UUID_BYTES = 16;
const FILE_BYTES_MAX = 4096;
const IDENTITY_FILE = "disk.json";
const IDENTITY_DRAFT = "disk.json.new";
const PROBE_FILE = "write-probe";
export const SEGMENT_FOLDER = "segments";
export const SPARE_FILE = "spare";
/** What a formatting that was cut short, or mkfs, may have left. */
const HARMLESS = new Set(["lost+found", IDENTITY_DRAFT, PROBE_FILE, SPARE_FILE]);

export interface DiskIdentity {
  readonly uuid: Uint8Array;
  readonly isNew: boolean;
}

/**
 * The identity of the disk in `folder`, formatting it when it is empty. Throws "denied" when the
 * process may not write there, "corrupt" when disk.json is damaged, "invalid" when the folder holds
 * other things, "io", "no-space".
 */
export async function openIdentity(
  disk: Disk,
  random: Random,
  folder: string,
): Promise<DiskIdentity> {
  await permitted(folder, () => makeFolder(disk, folder));
  await permitted(folder, () => probe(disk, folder));
  const path = `${folder}/${IDENTITY_FILE}`;
  if (await disk.exists(path)) return { uuid: await readIdentity(disk, path), isNew: false };
  await requireEmpty(disk, folder);
  return { uuid: await format(disk, random, folder), isNew: true };
}

/** Throws "io" or "no-space" unless a file can be written, synced and removed in `folder`. */
export async function probeFolder(disk: Disk, folder: string): Promise<void> {
  const path = `${folder}/${PROBE_FILE}`;
  if (await disk.exists(path)) await disk.remove(path);
  const file = await disk.open(path, "create");
  try {
    await file.write([new Uint8Array(FILE_BYTES_MAX).fill(0x5a)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.remove(path);
  await disk.syncDirectory(folder);
}

/** A file is made and removed: later is too late to find that the service's user may not. */
async function probe(disk: Disk, folder: string): Promise<void> {
  const path = `${folder}/${PROBE_FILE}`;
  if (await disk.exists(path)) await disk.remove(path);
  const file = await disk.open(path, "create");
  await file.close();
  await disk.remove(path);
}

async function permitted(folder: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = systemCodeOf(error);
    if (code !== "EACCES" && code !== "EPERM") throw error;
    const message = `${folder}: this service's user may not write there`;
    throw new StoreError("denied", message, { cause: error });
  }
}

function systemCodeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

async function requireEmpty(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (HARMLESS.has(name)) continue;
    const isEmptyFolder =
      name === SEGMENT_FOLDER && (await disk.list(`${folder}/${name}`)).length === 0;
    if (isEmptyFolder) continue;
    throw new StoreError(
      "invalid",
      `${folder} has no ${IDENTITY_FILE} but holds ${name}: not a disk, and not empty`,
    );
  }
}

async function format(disk: Disk, random: Random, folder: string): Promise<Uint8Array> {
  const uuid = random.bytes(UUID_BYTES);
  const draft = `${folder}/${IDENTITY_DRAFT}`;
  await disk.mkdir(`${folder}/${SEGMENT_FOLDER}`);
  if (await disk.exists(draft)) await disk.remove(draft);
  const file = await disk.open(draft, "create");
  try {
    const text = JSON.stringify({ format: FORMAT_VERSION, uuid: toHex(uuid) });
    await file.write([utf8(`${text}\n`)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(draft, `${folder}/${IDENTITY_FILE}`);
  await disk.syncDirectory(folder);
  return uuid;
}

async function readIdentity(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, "read");
  try {
    const bytes = new Uint8Array(FILE_BYTES_MAX);
    const text = fromUtf8(bytes.subarray(0, await file.read(bytes, 0)));
    return parseIdentity(path, text ?? "");
  } finally {
    await file.close();
  }
}

function parseIdentity(path: string, text: string): Uint8Array {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StoreError("corrupt", `${path}: not JSON`, { cause: error });
  }
  const fields: { format?: unknown; uuid?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  if (fields.format !== FORMAT_VERSION) {
    throw new StoreError("corrupt", `${path}: format ${String(fields.format)} is not known`);
  }
  const uuid = typeof fields.uuid === "string" ? fromHex(fields.uuid) : undefined;
  if (uuid?.byteLength === UUID_BYTES) return uuid;
  throw new StoreError("corrupt", `${path}: no uuid of ${UUID_BYTES} bytes`);
}

/** The uuid of a disk that may not be usable otherwise; undefined when it cannot be read. */
export async function readUuid(disk: Disk, folder: string): Promise<Uint8Array | undefined> {
  try {
    return await readIdentity(disk, `${folder}/${IDENTITY_FILE}`);
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}
