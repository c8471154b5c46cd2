// Small files that are replaced as a whole: after a crash either the old or the new content is
// there. The last 9 bytes are a line feed and a CRC-32 in hex; a file that does not end so is
// corrupt.
import { crc32 } from "node:zlib";
import { fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Disk } from "../../lib/ports/disk.ts";

const TRAILER_BYTES = 9;
const FILE_BYTES_MAX = 1024 * 1024;

function trailer(text: string): string {
  return `\n${crc32(text).toString(16).padStart(8, "0")}`;
}

/** Power-safe when it resolves. */
export async function writeAtomically(
  disk: Disk,
  place: { readonly folder: string; readonly name: string },
  text: string,
): Promise<void> {
  const path = `${place.folder}/${place.name}`;
  const temporary = `${path}.new`;
  if (await disk.exists(temporary)) await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.write([utf8(text + trailer(text))], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(place.folder);
}

/** The content; undefined when there is no such file. Throws StoreError "corrupt". */
export async function readAtomically(
  disk: Disk,
  place: { readonly folder: string; readonly name: string },
): Promise<string | undefined> {
  const path = `${place.folder}/${place.name}`;
  if (!(await disk.exists(path))) return undefined;
  const file = await disk.open(path, "read");
  try {
    const size = await file.size();
    if (size < TRAILER_BYTES || size > FILE_BYTES_MAX) {
      throw new StoreError("corrupt", `${place.name} has ${size} bytes`);
    }
    const bytes = new Uint8Array(size);
    const count = await file.read(bytes, 0);
    const text = fromUtf8(bytes.subarray(0, size - TRAILER_BYTES));
    const end = fromUtf8(bytes.subarray(size - TRAILER_BYTES));
    if (count !== size || text === undefined || end !== trailer(text)) {
      throw new StoreError("corrupt", `${place.name} does not match its checksum`);
    }
    return text;
  } finally {
    await file.close();
  }
}
