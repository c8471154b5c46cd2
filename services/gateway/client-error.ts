// Answers what the HTTP parser refuses, which no handler ever sees: malformed requests, oversized
// header sections, bodies that stop early. Writes to the socket itself, and always closes it.
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { S3Error, type S3ErrorCode, s3ErrorDocument } from "../lib/s3/errors.ts";
import type { AnswerIds } from "./response-writer.ts";
import { SERVER_NAME } from "./response-writer.ts";

const CODES: Readonly<Record<string, S3ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "RequestHeaderSectionTooLarge",
  HPE_INVALID_EOF_STATE: "IncompleteBody",
  ERR_HTTP_REQUEST_TIMEOUT: "RequestTimeout",
};

export interface BrokenRequest {
  readonly error: Error & { readonly code?: string };
  readonly socket: Duplex;
  /** The response that is under way on this socket, if any. */
  readonly response: ServerResponse | undefined;
  readonly ids: AnswerIds;
}

/** Answers with an S3 error where an answer can still be told from one under way; then closes. */
export function refuseBrokenRequest({ error, socket, response, ids }: BrokenRequest): void {
  const mayAnswer = socket.writable && response?.headersSent !== true;
  if (!mayAnswer || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const refusal = new S3Error(CODES[error.code ?? ""] ?? "BadRequest");
  const text = s3ErrorDocument(refusal, { resource: "", ...ids });
  const head = [
    `HTTP/1.1 ${refusal.status} ${refusal.code}`,
    `x-amz-request-id: ${ids.requestId}`,
    `x-amz-id-2: ${ids.hostId}`,
    `Server: ${SERVER_NAME}`,
    "Content-Type: application/xml",
    `Content-Length: ${Buffer.byteLength(text)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`, () => socket.destroy());
}
