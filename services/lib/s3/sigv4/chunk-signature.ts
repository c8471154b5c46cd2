// Signatures of aws-chunked bodies: each chunk signs the one before it, so chunks cannot be
// dropped, reordered or replayed; a trailer signs the last chunk. Source: Amazon S3 API reference,
// "Transferring Payload in Multiple Chunks" and "Including Trailing Headers".
import { createHash } from "node:crypto";
import { toHex } from "../../base/bytes.ts";
import { EMPTY_SHA256, type SignedMoment } from "./canonical-request.ts";
import { hmacSha256 } from "./signing-key.ts";

export interface ChunkSigning extends SignedMoment {
  readonly signingKey: Uint8Array;
  /** Signature of the request's headers: 64 hex digits. */
  readonly seedSignature: string;
  /** The request was proven by an access token: signatures must be there, but say nothing. */
  readonly bearer?: boolean;
}

/** Hex signature of a chunk whose payload has the hex SHA-256 `payloadHash`. */
export function chunkSignature(
  signing: ChunkSigning,
  previous: string,
  payloadHash: string,
): string {
  const { amzDate, scope } = signing;
  const lines = ["AWS4-HMAC-SHA256-PAYLOAD", amzDate, scope, previous, EMPTY_SHA256, payloadHash];
  return toHex(hmacSha256(signing.signingKey, lines.join("\n")));
}

/** Hex signature of the trailer: lines `name:value` in order of sending. */
export function trailerSignature(
  signing: ChunkSigning,
  previous: string,
  lines: readonly string[],
): string {
  const content = lines.map((line) => `${line}\n`).join("");
  const digest = createHash("sha256").update(Buffer.from(content, "latin1")).digest("hex");
  const { amzDate, scope } = signing;
  const text = ["AWS4-HMAC-SHA256-TRAILER", amzDate, scope, previous, digest].join("\n");
  return toHex(hmacSha256(signing.signingKey, text));
}
