// Calls of S3 actions from within: what the admin API does with buckets goes through the same code,
// and the same authorization, as if the caller had sent it to the S3 port.
import { type HeaderField, HeaderList } from "../../../lib/s3/headers.ts";
import { parseRequestTarget } from "../../../lib/s3/request-target.ts";
import { RequestBody } from "../../data/request-body.ts";
import type { UserContext } from "../../operation.ts";
import type { S3Request } from "../../request.ts";
import { callerOf } from "../admin-access.ts";
import type { AdminContext } from "../admin-operation.ts";

export interface InnerCall {
  readonly method: "GET" | "PUT" | "DELETE";
  readonly bucket: string;
  readonly headers?: readonly HeaderField[];
  readonly document?: Uint8Array;
}

/** The context of an S3 action on a bucket, with the caller of the admin API as its user. */
export function s3Context(context: AdminContext, call: InnerCall): UserContext {
  const { deps, request } = context;
  const { identity } = callerOf(context);
  const s3Request: S3Request = {
    requestId: request.requestId,
    method: call.method,
    target: parseRequestTarget(`/${encodeURIComponent(call.bucket)}`),
    headers: new HeaderList(call.headers ?? []),
    address: { style: "path", bucket: call.bucket, key: undefined },
    isWebsite: false,
    receivedMs: request.receivedMs,
    origin: request.origin,
  };
  return {
    gateway: deps.gateway,
    request: s3Request,
    identity,
    authenticated: { identity, payload: { kind: "unsigned" }, chunkSigning: undefined },
    remoteAddress: request.origin.remoteAddress,
    hostId: deps.name,
    signal: request.gone,
    log: deps.log,
    document: call.document ?? new Uint8Array(0),
    body: noBody(context),
  };
}

function noBody({ deps }: AdminContext): RequestBody {
  return new RequestBody({
    views: () => nothing(),
    contentLength: 0,
    isChunked: false,
    onStart: () => undefined,
    clock: deps.clock,
    pace: deps.gateway.settings,
  });
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A body of no bytes.
}
