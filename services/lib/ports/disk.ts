// Files as the storage engine and the Raft log need them. One implementation over node:fs
// (lib/host), one simulated with crashes and faults (test/sim). Paths are absolute or relative to
// the disk's root; they come from our own code, never from users.
//
// All methods throw StoreError: "no-space" (ENOSPC, EDQUOT), "io" (EIO and whatever else the system
// reports), "not-found" (ENOENT on open, stat, remove, rename).

export interface DiskFile {
  readonly path: string;
  /** Current length in bytes. */
  size(): Promise<number>;
  /** Fills `into` from `offset`; returns the bytes read, short only at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /**
   * Writes every byte of `pieces`, in order, from `offset`; a short count is an error, not a
   * result.
   */
  write(pieces: readonly Uint8Array[], offset: number): Promise<void>;
  /**
   * Resolves when all bytes written before the call are power-safe (fdatasync). After one failure
   * the file must not be synced again: the pages are gone while a second call reports success.
   */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface DiskUsage {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

export type OpenMode = "read" | "write" | "create";

export interface Disk {
  /**
   * "create" fails with "exists" when the file is there; "write" opens an existing file for both.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a folder, sorted; "not-found" when it does not exist. */
  list(path: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  mkdir(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /**
   * Makes creations, renames and removals inside the folder power-safe (fsync of the directory).
   */
  syncDirectory(path: string): Promise<void>;
  usage(path: string): Promise<DiskUsage>;
}
