// S3 error codes with their HTTP status and default message, the error class every protocol module
// throws, and the XML error document. Codes, statuses and messages are part of the interface that
// clients match on; they follow the Amazon S3 API reference, "Error responses", List of error
// codes.
import { ERROR_ROWS, type S3ErrorCode } from "./error-table.ts";
import type { HeaderField } from "./headers.ts";
import { XmlWriter } from "./xml-writer.ts";

export type { S3ErrorCode };

/** Every code of the table, in alphabetical order. */
export const S3_ERROR_CODES: readonly S3ErrorCode[] = codesOf(ERROR_ROWS).toSorted();

function codesOf<Code extends string>(rows: Record<Code, unknown>): Code[] {
  // The keys of a literal are exactly its key type.
  return Object.keys(rows) as Code[];
}

/** HTTP status of `code`. */
export function s3ErrorStatus(code: S3ErrorCode): number {
  return ERROR_ROWS[code][0];
}

/** Default message of `code`, as AWS words it. */
export function s3ErrorMessage(code: S3ErrorCode): string {
  return ERROR_ROWS[code][1];
}

/** An extra element of the error document: its name and its text. */
export type S3ErrorDetail = readonly [name: string, text: string];

export interface S3ErrorOptions {
  /** Elements written after Message, in this order (ArgumentName, StringToSign, Condition, ...). */
  readonly details?: readonly S3ErrorDetail[];
  /** Headers of the answer that carries it. */
  readonly headers?: readonly HeaderField[];
  readonly cause?: unknown;
}

/** An answer to the client that is an error. `status` is the HTTP status of the response. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly code: S3ErrorCode;
  readonly status: number;
  readonly details: readonly S3ErrorDetail[];
  readonly headers: readonly HeaderField[];

  /** Without `message` the table's default is used. */
  constructor(code: S3ErrorCode, message?: string, options: S3ErrorOptions = {}) {
    super(
      message ?? s3ErrorMessage(code),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = s3ErrorStatus(code);
    this.details = options.details ?? [];
    this.headers = options.headers ?? [];
  }
}

/** True when `error` is an S3Error, and has `code` where one is given. */
export function isS3Error(error: unknown, code?: S3ErrorCode): error is S3Error {
  return error instanceof S3Error && (code === undefined || error.code === code);
}

/** InvalidArgument as AWS writes it, with the argument's name and value as elements. */
export function invalidArgument(message: string, name: string, value: string): S3Error {
  return new S3Error("InvalidArgument", message, {
    details: [
      ["ArgumentName", name],
      ["ArgumentValue", value],
    ],
  });
}

export interface S3ErrorContext {
  /** Path of the request as the client wrote it: `/bucket/key`. */
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** The error as the XML body of a response (content type application/xml). */
export function s3ErrorDocument(error: S3Error, context: S3ErrorContext): string {
  const writer = new XmlWriter();
  writer.open("Error").leaf("Code", error.code).leaf("Message", error.message);
  for (const [name, text] of error.details) writer.leaf(name, text);
  writer.leaf("Resource", context.resource).leaf("RequestId", context.requestId);
  writer.leaf("HostId", context.hostId).close("Error");
  return writer.finish();
}
