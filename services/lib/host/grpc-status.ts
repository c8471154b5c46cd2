// Errors on the gRPC wire: the StoreError code and leader hint travel in trailers, with a gRPC
// status that fits for foreign tools. Without our trailer the status itself is read, and with care:
// only what surely never left this process is "unavailable" (nothing happened); a connection that
// broke under a call is "timeout" (it may have happened).
import { createHmac } from "node:crypto";
import { Metadata, status as Status, type StatusObject } from "@grpc/grpc-js";
import { ERROR_CODES, type ErrorCode, StoreError } from "../base/errors.ts";

export const REQUEST_ID_KEY = "x-request-id";
export const SECRET_KEY = "dolium-cluster-token";
const CODE_KEY = "dolium-code";
const LEADER_KEY = "dolium-leader";

const STATUS_OF: Readonly<Record<ErrorCode, Status>> = {
  invalid: Status.INVALID_ARGUMENT,
  "not-found": Status.NOT_FOUND,
  exists: Status.ALREADY_EXISTS,
  precondition: Status.FAILED_PRECONDITION,
  conflict: Status.ABORTED,
  "not-leader": Status.FAILED_PRECONDITION,
  "stale-epoch": Status.FAILED_PRECONDITION,
  sealed: Status.FAILED_PRECONDITION,
  fenced: Status.FAILED_PRECONDITION,
  unavailable: Status.UNAVAILABLE,
  timeout: Status.DEADLINE_EXCEEDED,
  aborted: Status.CANCELLED,
  "no-space": Status.RESOURCE_EXHAUSTED,
  io: Status.INTERNAL,
  corrupt: Status.DATA_LOSS,
  exhausted: Status.RESOURCE_EXHAUSTED,
  denied: Status.PERMISSION_DENIED,
  internal: Status.INTERNAL,
};

const CODE_OF: ReadonlyMap<Status, ErrorCode> = new Map([
  [Status.INVALID_ARGUMENT, "invalid"],
  [Status.UNIMPLEMENTED, "invalid"],
  [Status.OUT_OF_RANGE, "invalid"],
  [Status.NOT_FOUND, "not-found"],
  [Status.ALREADY_EXISTS, "exists"],
  [Status.FAILED_PRECONDITION, "precondition"],
  [Status.PERMISSION_DENIED, "denied"],
  [Status.UNAUTHENTICATED, "denied"],
  [Status.RESOURCE_EXHAUSTED, "exhausted"],
  [Status.DEADLINE_EXCEEDED, "timeout"],
]);

/** What a server answers for `error`. */
export function toStatus(error: StoreError): StatusObject {
  const metadata = new Metadata();
  metadata.set(CODE_KEY, error.code);
  const { leaderHint } = error;
  if (leaderHint !== undefined && /^[\x21-\x7e]{1,300}$/.test(leaderHint)) {
    metadata.set(LEADER_KEY, leaderHint);
  }
  return { code: STATUS_OF[error.code], details: error.message, metadata };
}

/** `wasSent`: the call had been given to a connection, so the peer may have acted on it. */
export function fromStatus(status: StatusObject, path: string, wasSent: boolean): StoreError {
  const [code] = status.metadata.get(CODE_KEY);
  const known = ERROR_CODES.find((candidate) => candidate === code);
  if (known !== undefined) {
    const [leader] = status.metadata.get(LEADER_KEY);
    const hint = typeof leader === "string" ? { leaderHint: leader } : {};
    return new StoreError(known, status.details, hint);
  }
  const message = `${path}: ${Status[status.code]}: ${status.details}`;
  return new StoreError(foreignCode(status, wasSent), message);
}

function foreignCode({ code, details }: StatusObject, wasSent: boolean): ErrorCode {
  const known = CODE_OF.get(code);
  if (known !== undefined) return known;
  const isLost =
    code === Status.UNAVAILABLE ||
    code === Status.CANCELLED ||
    // How grpc-js reports a stream that was reset, ended without a status, or ended under a write.
    (code === Status.INTERNAL && /^Received RST_STREAM|write after end/.test(details));
  if (!isLost) return "internal";
  // A refused stream was never shown to a handler (RFC 9113 section 8.7).
  const wasRefused = /Stream refused by server|NGHTTP2_REFUSED_STREAM/.test(details);
  return wasSent && !wasRefused ? "timeout" : "unavailable";
}

/**
 * Ends the requests of every call that streams them, as one last message: an unknown field with the
 * highest number, which no message of ours has. HTTP/2's own end of stream cannot be trusted with
 * that: Node's client sends it even when it cancels, before the reset, so a broken upload would
 * look whole.
 */
export const END_MARK: Uint8Array = Uint8Array.of(0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01);

/** What proves membership of the cluster; the secret itself never crosses the wire. */
export function clusterToken(secret: string): string {
  return createHmac("sha256", secret).update("dolium cluster rpc v1").digest("hex");
}
