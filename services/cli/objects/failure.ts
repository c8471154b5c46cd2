// Failures of S3 calls and of local files as errors of the command: which exit code, which S3 code,
// and a sentence that names the thing. Texts from elsewhere are made safe to print.
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode, exitCodeOfStatus } from "../exit-code.ts";
import { shown } from "./shown-text.ts";

const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EPIPE",
  "ETIMEDOUT",
  "TimeoutError",
]);
const DENIED = new Set(["EACCES", "EPERM", "EROFS"]);
const WITHOUT_TEXT = new Set(["UnknownError", "Unknown", ""]);

interface FailureFacts {
  readonly name: string;
  readonly message: string;
  /** Code of a system error, or "". */
  readonly systemCode: string;
  readonly status: number | undefined;
}

/** `subject`: what the call was about, as people know it; it starts the sentence. */
export function asCommandError(thrown: unknown, subject: string): CommandError | UsageError {
  if (thrown instanceof CommandError || thrown instanceof UsageError) return thrown;
  const facts = factsOf(thrown);
  const [exitCode, code, sentence] = meaningOf(facts);
  return new CommandError(exitCode, code, `${shown(subject)}: ${shown(sentence)}`, {
    cause: thrown,
  });
}

/** Runs `work`; what it throws becomes an error about `subject`. */
export async function about<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asCommandError(error, subject);
  }
}

export function isNotFound(thrown: unknown): boolean {
  return thrown instanceof CommandError
    ? thrown.exitCode === ExitCode.NOT_FOUND
    : factsOf(thrown).status === 404;
}

/** The S3 or system code of a failure, before or after asCommandError. */
export function codeOf(thrown: unknown): string {
  if (thrown instanceof CommandError) return thrown.code;
  const { name, systemCode } = factsOf(thrown);
  return systemCode === "" ? name : systemCode;
}

/** Whether another attempt may help: the network, a short answer, a server out of breath. */
export function isPassing(thrown: unknown): boolean {
  if (thrown instanceof CommandError) return thrown.exitCode === ExitCode.UNAVAILABLE;
  const { name, systemCode, status } = factsOf(thrown);
  if (UNREACHABLE.has(systemCode) || UNREACHABLE.has(name)) return true;
  if (name === "ShortBody" || systemCode === "ERR_STREAM_PREMATURE_CLOSE") return true;
  return status !== undefined && status >= 500;
}

function meaningOf(facts: FailureFacts): readonly [ExitCode, string, string] {
  const { name, message, systemCode, status } = facts;
  if (name === "AbortError") return [ExitCode.FAILED, "interrupted", "interrupted"];
  if (UNREACHABLE.has(systemCode) || UNREACHABLE.has(name)) {
    return [ExitCode.UNAVAILABLE, "unavailable", `cannot be reached (${message || systemCode})`];
  }
  if (systemCode === "ENOENT") return [ExitCode.NOT_FOUND, "not-found", "no such file"];
  if (DENIED.has(systemCode)) return [ExitCode.DENIED, "denied", message];
  if (name === "CredentialsProviderError") return [ExitCode.DENIED, "no-credentials", message];
  if (status !== undefined && status >= 300) {
    const exitCode = exitCodeOfStatus(status);
    const text = WITHOUT_TEXT.has(message)
      ? (BY_STATUS.get(status) ?? `status ${status}`)
      : message;
    const code =
      /^[A-Za-z]+$/.test(name) && !WITHOUT_TEXT.has(name) ? name : (codes(status) ?? name);
    return [status >= 500 ? ExitCode.UNAVAILABLE : exitCode, code, text];
  }
  return [ExitCode.FAILED, systemCode === "" ? "failed" : systemCode, message];
}

/** What a HEAD, which has no body, means. */
const BY_STATUS = new Map([
  [400, "refused as wrong (another region, or sealed with a key of your own?)"],
  [403, "access denied"],
  [404, "not found"],
  [412, "it has changed meanwhile"],
]);

function codes(status: number): string | undefined {
  if (status === 403) return "AccessDenied";
  if (status === 404) return "NotFound";
  return status === 412 ? "PreconditionFailed" : undefined;
}

function factsOf(thrown: unknown): FailureFacts {
  if (typeof thrown !== "object" || thrown === null) {
    return { name: "", message: String(thrown), systemCode: "", status: undefined };
  }
  // Nothing is known of what was thrown: every field is looked at before it is used.
  const fields = thrown as Readonly<Record<string, unknown>>;
  const inner = Array.isArray(fields.errors) ? factsOf(fields.errors[0]) : undefined;
  const metadata = fields.$metadata;
  const status =
    typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
      ? metadata.httpStatusCode
      : undefined;
  const name = textOf(fields.name);
  const message = textOf(fields.message);
  return {
    name: name === "AggregateError" ? (inner?.name ?? name) : name,
    message: message === "" ? (inner?.message ?? "") : message,
    systemCode: textOf(fields.code) || (inner?.systemCode ?? ""),
    status: typeof status === "number" ? status : undefined,
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
