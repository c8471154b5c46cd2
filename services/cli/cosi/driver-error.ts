// Refusals of the COSI driver as gRPC knows them, with a sentence for events of Kubernetes.
import { status } from "@grpc/grpc-js";
import { CommandError, ExitCode } from "../exit-code.ts";

export class DriverError extends Error {
  override readonly name = "DriverError";
  readonly code: status;

  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const CODES: ReadonlyMap<ExitCode, status> = new Map([
  [ExitCode.NOT_FOUND, status.NOT_FOUND],
  [ExitCode.DENIED, status.PERMISSION_DENIED],
  [ExitCode.UNAVAILABLE, status.UNAVAILABLE],
  [ExitCode.USAGE, status.INVALID_ARGUMENT],
]);

export function toDriverError(cause: unknown): DriverError {
  if (cause instanceof DriverError) return cause;
  if (!(cause instanceof CommandError)) {
    return new DriverError(status.INTERNAL, "the driver failed; its log says why", { cause });
  }
  const code = /NotEmpty|Conflict/.test(cause.code)
    ? status.FAILED_PRECONDITION
    : (CODES.get(cause.exitCode) ?? status.FAILED_PRECONDITION);
  return new DriverError(code, `${cause.code}: ${cause.message}`, { cause });
}
