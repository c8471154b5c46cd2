// One life of a simulated process: from its start to the crash that ends it. Everything a process
// has of the world it has through its life; once that is over, timers do not fire, and calls of
// disk and network never settle, so that nothing of a dead process acts on.
import type { Clock } from "../../../services/lib/ports/clock.ts";
import type { Disk, DiskFile } from "../../../services/lib/ports/disk.ts";
import type { SimClock } from "../clock.ts";

export class Life {
  /** host:port of the process. */
  readonly address: string;
  readonly clock: Clock;
  #isOver = false;
  readonly #onEnd = new Set<() => void>();

  /** `wallOffsetMs`: how far the wall clock of this machine is off. */
  constructor(address: string, clock: SimClock, wallOffsetMs: () => number) {
    this.address = address;
    this.clock = {
      wallMs: () => clock.wallMs() + wallOffsetMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, run) => clock.after(ms, () => (this.#isOver ? undefined : run())),
      sleep: (ms, signal) => this.unlessOver(() => clock.sleep(ms, signal)),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Told when the life ends. */
  onEnd(tell: () => void): () => void {
    this.#onEnd.add(tell);
    return () => this.#onEnd.delete(tell);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const tell of [...this.#onEnd]) tell();
    this.#onEnd.clear();
  }

  /** The call, whose result nobody hears of after the end. */
  async unlessOver<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isOver) return forever();
    try {
      const result = await call();
      if (this.#isOver) return await forever();
      return result;
    } catch (error) {
      if (this.#isOver) return forever();
      throw error;
    }
  }

  disk(disk: Disk): Disk {
    const alive = <T>(call: () => Promise<T>): Promise<T> => this.unlessOver(call);
    const file = (open: DiskFile): DiskFile => ({
      path: open.path,
      size: () => alive(() => open.size()),
      read: (into, offset) => alive(() => open.read(into, offset)),
      write: (pieces, offset) => alive(() => open.write(pieces, offset)),
      datasync: () => alive(() => open.datasync()),
      truncate: (length) => alive(() => open.truncate(length)),
      close: () => alive(() => open.close()),
    });
    return {
      open: async (path, mode) => file(await alive(() => disk.open(path, mode))),
      list: (path) => alive(() => disk.list(path)),
      exists: (path) => alive(() => disk.exists(path)),
      mkdir: (path) => alive(() => disk.mkdir(path)),
      remove: (path) => alive(() => disk.remove(path)),
      removeTree: (path) => alive(() => disk.removeTree(path)),
      rename: (from, to) => alive(() => disk.rename(from, to)),
      syncDirectory: (path) => alive(() => disk.syncDirectory(path)),
      usage: (path) => alive(() => disk.usage(path)),
    };
  }
}

function forever(): Promise<never> {
  return new Promise<never>(() => undefined);
}
