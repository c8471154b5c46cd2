// A request of the admin API as it came in, its body read whole. Nothing in it has been proved.
import { fromUtf8 } from "../../lib/base/bytes.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import type { RequestOrigin } from "../identity/request-origin.ts";
import type { S3Request } from "../request.ts";
import { invalidArgument } from "./admin-error.ts";

export interface AdminRequest {
  readonly requestId: string;
  readonly method: string;
  /** Path below the mount point, not decoded, from the first slash on. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  readonly origin: RequestOrigin;
  /** Came to the S3 port, where the API stands below `/_admin`. */
  readonly isOnS3Port: boolean;
  readonly receivedMs: number;
  /** The same request as signatures see it. */
  readonly signed: S3Request;
  /** Fires when the client is gone. */
  readonly gone: AbortSignal;
}

/** The body as JSON; undefined when there is none. Throws AdminError. */
export function jsonBody({ body }: AdminRequest): unknown {
  if (body.byteLength === 0) return undefined;
  const text = fromUtf8(body);
  if (text === undefined) throw invalidArgument("the body is not UTF-8");
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidArgument(`the body is not JSON: ${reason}`);
  }
}
