// Flips one bit of a canary's shard where it lies, behind the back of all who must notice. Whose
// shard it is is read from the record's own header on the disk, not from the index and not from the
// caller: nothing but a canary is ever touched.

import { equalBytes } from "../lib/base/bytes.ts";
import { isCanaryKey } from "../lib/base/canary.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { DiskFile } from "../lib/ports/disk.ts";
import { placeOf } from "./index-entry.ts";
import { decodeRecordHeader } from "./record-format.ts";
import type { ShardPlace } from "./segment-scan.ts";
import { withFile } from "./shard-reader.ts";
import { nameText, printName, type ShardName } from "./shard-types.ts";
import type { StoreContext } from "./store-context.ts";

/**
 * Resolves when the damage is on the disk. Throws "not-found" when the shard is not there, "denied"
 * unless its header says that it is a canary's and of that manifest, "io".
 */
export async function damageCanary(
  context: StoreContext,
  name: ShardName,
  manifestId: Uint8Array,
): Promise<void> {
  const { locks, segments, disk, health } = context.parts;
  health.requireAlive();
  // Under the shard's lock: no rewrite or delete comes between the look and the deed.
  await locks.runAll([nameText(name)], async () => {
    const entry = context.requireEntry(name);
    const segment = context.segmentOf(entry);
    const header = await segments.header(segment);
    if (header === null) throw refused(name, "its segment has no header");
    await withFile(context, entry, async (file) => {
      const place = { ...placeOf(entry), nonce: header.nonce };
      await requireCanary(file, place, manifestId);
      const writable = await disk.open(segment.path, "write");
      try {
        await flipFirstBit(writable, place);
      } finally {
        await writable.close();
      }
    });
  });
  context.parts.log.info("a canary's shard was damaged on purpose", { shard: printName(name) });
}

async function requireCanary(
  file: DiskFile,
  place: ShardPlace & { readonly nonce: Uint8Array },
  manifestId: Uint8Array,
): Promise<void> {
  const { offset, nonce, layout, shard } = place;
  const bytes = Buffer.alloc(layout.headerBytes);
  await file.read(bytes, offset);
  const found = decodeRecordHeader(bytes, { nonce, offset })?.header;
  if (found?.kind !== "shard") throw refused(shard.name, "its header can not be read");
  const { name, owner } = found.shard;
  if (nameText(name) !== nameText(shard.name)) throw refused(shard.name, "it is another one");
  if (!isCanaryKey(owner.key)) throw refused(shard.name, "it is no canary's");
  if (!equalBytes(owner.manifestId, manifestId)) throw refused(shard.name, "of another manifest");
}

/** The first byte of the first cell. */
async function flipFirstBit(file: DiskFile, { offset, layout }: ShardPlace): Promise<void> {
  const at = offset + layout.headerBytes;
  const byte = Buffer.alloc(1);
  await file.read(byte, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 1);
  await file.write([byte], at);
  await file.datasync();
}

function refused(name: ShardName, why: string): StoreError {
  return new StoreError("denied", `shard ${printName(name)} is not damaged: ${why}`);
}
