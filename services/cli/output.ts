// What commands print: with --json one JSON object a line on stdout, else words. Errors go to
// stderr in words, and with --json also to stdout as an object.
import process from "node:process";

export interface Output {
  readonly json: boolean;
  /** A JSON line, only with --json. */
  event(object: Readonly<Record<string, unknown>>): void;
  /** A line for people, only without --json and -q. */
  say(line: string): void;
}

export function createOutput(json: boolean, quiet = false): Output {
  return {
    json,
    event: (object) => {
      if (json) process.stdout.write(`${JSON.stringify(object)}\n`);
    },
    say: (line) => {
      if (!json && !quiet) process.stdout.write(`${line}\n`);
    },
  };
}

/** Reports a failure the way scripts and people expect it. */
export function reportFailure(json: boolean, message: string, code: string): void {
  process.stderr.write(`dolium: ${message}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ event: "error", code, message })}\n`);
}
