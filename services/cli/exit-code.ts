// Exit codes of the command, the same for every verb, and the failures that carry them. Scripts
// tell by the code alone whether to mend the call, give up, ask for rights or try again.
import { isStoreError, toStoreError } from "../lib/base/errors.ts";
import { UsageError } from "./command-line.ts";

export const ExitCode = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  NOT_FOUND: 3,
  DENIED: 4,
  UNAVAILABLE: 5,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A command that failed for a reason it can name; `code` goes into the JSON of the error. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;
  /** "NoSuchUser", "denied", "unavailable" ... */
  readonly code: string;

  constructor(exitCode: ExitCode, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.code = code;
  }
}

/** For anything thrown while a command ran. */
export function failureOf(thrown: unknown): {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
} {
  if (thrown instanceof CommandError) {
    return { exitCode: thrown.exitCode, code: thrown.code, message: thrown.message };
  }
  if (thrown instanceof UsageError) {
    return { exitCode: ExitCode.USAGE, code: "usage", message: thrown.message };
  }
  if (isStoreError(thrown)) {
    const { code, message } = toStoreError(thrown);
    return { exitCode: exitCodeOfStore(code), code, message };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { exitCode: ExitCode.FAILED, code: "failed", message };
}

function exitCodeOfStore(code: string): ExitCode {
  if (code === "not-found") return ExitCode.NOT_FOUND;
  if (code === "denied") return ExitCode.DENIED;
  if (code === "unavailable" || code === "timeout") return ExitCode.UNAVAILABLE;
  return ExitCode.FAILED;
}

/** By the status of an HTTP answer that is no success. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 404) return ExitCode.NOT_FOUND;
  if (status === 401 || status === 403) return ExitCode.DENIED;
  if (status === 503 || status === 502 || status === 504) return ExitCode.UNAVAILABLE;
  return ExitCode.FAILED;
}
