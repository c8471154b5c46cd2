// A disk that knows which files are open.
import type { Disk, DiskFile, OpenMode } from "../../services/lib/ports/disk.ts";

export class WatchedDisk implements Disk {
  readonly #disk: Disk;
  readonly #open = new Set<DiskFile>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get openPaths(): string[] {
    return [...this.#open].map(({ path }) => path);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    const watched: DiskFile = {
      path,
      size: () => file.size(),
      read: (into, offset) => file.read(into, offset),
      write: (pieces, offset) => file.write(pieces, offset),
      datasync: () => file.datasync(),
      truncate: (length) => file.truncate(length),
      close: async () => {
        this.#open.delete(watched);
        await file.close();
      },
    };
    this.#open.add(watched);
    return watched;
  }

  list(path: string): Promise<string[]> {
    return this.#disk.list(path);
  }

  exists(path: string): Promise<boolean> {
    return this.#disk.exists(path);
  }

  mkdir(path: string): Promise<void> {
    return this.#disk.mkdir(path);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  removeTree(path: string): Promise<void> {
    return this.#disk.removeTree(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  usage(path: string) {
    return this.#disk.usage(path);
  }
}
