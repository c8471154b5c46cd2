// Ports of a process that a power cut ends: after `end` its disk calls never settle and its timers
// never run, so that nothing of it reaches the next life.
import type { Clock } from "../../services/lib/ports/clock.ts";
import type { Disk } from "../../services/lib/ports/disk.ts";

export class OneLife {
  readonly disk: Disk;
  readonly clock: Clock;
  #isOver = false;

  constructor(disk: Disk, clock: Clock) {
    this.disk = this.#diskOf(disk);
    this.clock = this.#clockOf(clock);
  }

  end(): void {
    this.#isOver = true;
  }

  #alive<T>(call: () => Promise<T>): Promise<T> {
    return this.#isOver ? new Promise<never>(() => undefined) : call();
  }

  #diskOf(disk: Disk): Disk {
    return {
      open: (path, mode) => this.#alive(() => disk.open(path, mode)),
      list: (path) => this.#alive(() => disk.list(path)),
      exists: (path) => this.#alive(() => disk.exists(path)),
      mkdir: (path) => this.#alive(() => disk.mkdir(path)),
      remove: (path) => this.#alive(() => disk.remove(path)),
      removeTree: (path) => this.#alive(() => disk.removeTree(path)),
      rename: (from, to) => this.#alive(() => disk.rename(from, to)),
      syncDirectory: (path) => this.#alive(() => disk.syncDirectory(path)),
      usage: (path) => this.#alive(() => disk.usage(path)),
    };
  }

  #clockOf(clock: Clock): Clock {
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, run) => clock.after(ms, () => (this.#isOver ? undefined : run())),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        if (this.#isOver) await new Promise<never>(() => undefined);
      },
    };
  }
}
