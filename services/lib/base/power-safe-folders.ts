// Folders whose names a power cut does not take away: every name is synced into the folder above it
// before anything is put below. Works on what a disk can do (lib/ports/disk.ts).

export interface FolderDisk {
  exists(path: string): Promise<boolean>;
  mkdir(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

/** Makes a folder and those above it that are missing; their names are power-safe afterwards. */
export async function makeFolder(disk: FolderDisk, folder: string): Promise<void> {
  if (folder === "" || folder === "." || (await disk.exists(folder))) return;
  const parent = folderAbove(folder);
  await makeFolder(disk, parent);
  await disk.mkdir(folder);
  await disk.syncDirectory(parent);
}

/**
 * The same for a folder in one of ours: also one that is there already has a power-safe name
 * afterwards, since who made it may have ended before.
 */
export async function makeInnerFolder(disk: FolderDisk, folder: string): Promise<void> {
  if (!(await disk.exists(folder))) return makeFolder(disk, folder);
  await disk.syncDirectory(folderAbove(folder));
}

function folderAbove(folder: string): string {
  const slash = folder.lastIndexOf("/");
  if (slash > 0) return folder.slice(0, slash);
  return slash === 0 ? "/" : ".";
}
