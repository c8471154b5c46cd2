// What a verb tells while and after it acts: one line or JSON object a thing, failures too; at the
// end the failures again, and the exit code. Quiet means nothing but failures.
import process from "node:process";
import { ExitCode, failureOf } from "../exit-code.ts";
import type { Output } from "../output.ts";
import { asCommandError } from "./failure.ts";
import type { Progress } from "./progress.ts";
import { counted, shown } from "./shown-text.ts";

const LISTED_MAX = 1000;
/** So many things in a row that the server did not answer: it is not there. */
const UNAVAILABLE_MAX = 32;

export class Report {
  readonly #output: Output;
  readonly #progress: Progress;
  readonly #failures: string[] = [];
  #failed = 0;
  #done = 0;
  #unavailableInRow = 0;
  #only: unknown;

  constructor(output: Output, progress: Progress) {
    this.#output = output;
    this.#progress = progress;
  }

  get done(): number {
    return this.#done;
  }

  /** One thing was done. `line` is already safe to print. */
  tell(fields: Readonly<Record<string, unknown>>, line: string): void {
    this.#done += 1;
    this.#unavailableInRow = 0;
    this.show(fields, line);
  }

  /** As tell, of something that is no act. */
  show(fields: Readonly<Record<string, unknown>>, line: string): void {
    if (this.#output.json) this.#output.event(fields);
    else this.#progress.print(line);
  }

  /**
   * One thing failed; the others go on, unless the server is gone: then it is thrown. `source`: as
   * it was named.
   */
  fail(thrown: unknown, source: string): void {
    const error = asCommandError(thrown, source);
    const { code, message, exitCode } = failureOf(error);
    this.#failed += 1;
    this.#only = error;
    if (this.#output.json) this.#output.event({ event: "error", code, message, source });
    if (this.#failures.length < LISTED_MAX) this.#failures.push(named(message, source));
    this.#unavailableInRow = exitCode === ExitCode.UNAVAILABLE ? this.#unavailableInRow + 1 : 0;
    if (this.#unavailableInRow >= UNAVAILABLE_MAX) throw error;
  }

  /** Runs `work`; what failed until it is thrown out of is listed all the same. */
  async listing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.finish(false);
      throw error;
    }
  }

  /**
   * Lists failures on stderr. The exit code: 0, or 1 when some failed; the only thing of a command,
   * `single`, fails with the code of its failure.
   */
  finish(single: boolean): ExitCode {
    this.#progress.close();
    if (this.#failed === 0) return ExitCode.OK;
    for (const failure of this.#failures) process.stderr.write(`dolium: ${failure}\n`);
    const more = this.#failed - this.#failures.length;
    if (more > 0) process.stderr.write(`dolium: and ${counted(more, "further failure")}\n`);
    if (single && this.#failed === 1 && this.#done === 0) return failureOf(this.#only).exitCode;
    process.stderr.write(`dolium: ${counted(this.#failed, "thing")} failed, ${this.#done} done\n`);
    return ExitCode.FAILED;
  }
}

function named(message: string, source: string): string {
  const name = shown(source);
  return message.startsWith(name) ? message : `${name}: ${message}`;
}
