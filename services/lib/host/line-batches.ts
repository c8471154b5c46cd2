// Lines for a file descriptor, several to a write: a system call for each line is a tenth of what
// a small request costs. Lines go out in their order, at the latest after 10 ms, at once where
// somebody asks for it, and before the process exits; only one that is killed outright loses what
// those 10 ms held.
import process from "node:process";

/** Whatever is written at once. */
export interface LineSink {
  write(text: string): unknown;
}

const WAIT_MS = 10;
/** Characters that wait at most. */
const WAITING_MAX = 64 * 1024;

export class LineBatches implements LineSink {
  readonly #sink: LineSink;
  #waiting = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** `line` ends with its line end. */
  write(line: string): void {
    this.#waiting += line;
    if (this.#waiting.length >= WAITING_MAX) this.flush();
    else if (this.#timer === undefined) this.#begin();
  }

  /** Writes what waits; on return the system has it. */
  flush(): void {
    if (this.#timer !== undefined) this.#end(this.#timer);
    const text = this.#waiting;
    this.#waiting = "";
    if (text !== "") this.#sink.write(text);
  }

  readonly #onExit = (): void => this.flush();

  #begin(): void {
    this.#timer = setTimeout(() => this.flush(), WAIT_MS).unref();
    process.on("exit", this.#onExit);
  }

  #end(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#timer = undefined;
    process.off("exit", this.#onExit);
  }
}
