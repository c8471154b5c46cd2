// Folders that keys imply, shown as empty objects where the setting wants them (client row C6):
// some clients find no `dir/a` unless `dir/` is listed before it. Listings by delimiter have common
// prefixes for that. Only listings show them; nothing is stored.
import { present } from "../../lib/base/assert.ts";
import { compareBytes, toHex } from "../../lib/base/bytes.ts";
import type { ListedEntry } from "./listed-entry.ts";
import type { ObjectPage, PageQuestion } from "./listing.ts";

const SLASH = 0x2f;
const MD5_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e";

/**
 * The page with implied folders in their places, each once over all pages; cut to the limit again.
 */
export function withImpliedFolders(page: ObjectPage, question: PageQuestion): ObjectPage {
  if (question.delimiter !== undefined) return page;
  const shown = new Set(page.entries.map(({ key }) => toHex(key)));
  const entries: ListedEntry[] = [];
  for (const entry of page.entries) {
    for (const folder of foldersOf(entry.key, question)) {
      const name = toHex(folder);
      if (shown.has(name)) continue;
      shown.add(name);
      entries.push(folderEntry(folder, entry));
    }
    entries.push(entry);
  }
  if (entries.length <= question.limit) return { ...page, entries };
  const kept = entries.slice(0, question.limit);
  return { ...page, entries: kept, nextStartAfter: present(kept.at(-1), "last entry").key };
}

/** Folders around `key`, outermost first, that are under the prefix and were on no page before. */
function foldersOf(key: Uint8Array, { prefix, startAfter }: PageQuestion): Uint8Array[] {
  const prefixBytes = Buffer.byteLength(prefix);
  const folders: Uint8Array[] = [];
  for (let at = key.indexOf(SLASH); at >= 0; at = key.indexOf(SLASH, at + 1)) {
    const folder = key.subarray(0, at + 1);
    // Whatever lies after the folder and before the key is inside the folder.
    const isPast = compareBytes(startAfter, folder) >= 0;
    if (folder.byteLength >= prefixBytes && folder.byteLength < key.byteLength && !isPast) {
      folders.push(folder);
    }
  }
  return folders;
}

/** As old as what is in it, and of the same owner. */
function folderEntry(key: Uint8Array, inside: ListedEntry): ListedEntry {
  const { modifiedMs, owner } = inside;
  const alike = { modifiedMs, owner, storageClass: "", checksum: undefined };
  return { key, ...alike, size: 0, etag: MD5_OF_NOTHING };
}
