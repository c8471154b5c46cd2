// Asks before what cannot be undone: the name of the thing must be typed, or --yes be given. Where
// nobody can be asked, a call without --yes is a usage error and nothing happens.
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { UsageError } from "./command-line.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface Confirmation {
  /** What is about to happen, as a sentence without full stop. */
  readonly act: string;
  /** What must be typed. */
  readonly name: string;
  readonly yes: boolean;
}

/** Throws UsageError where nobody can be asked, CommandError when the answer is another. */
export async function confirm({ act, name, yes }: Confirmation): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`${act}: give --yes to do it without being asked`);
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${act}. Type ${name} to go on: `);
    if (answer.trim() === name) return;
  } finally {
    lines.close();
  }
  throw new CommandError(ExitCode.FAILED, "aborted", "nothing was done");
}
