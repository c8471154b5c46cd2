// Calls of the admin API and of bucket settings that the cluster makes itself, in the name of its
// root user: the same handlers, checks and audit lines as for an administrator who asks over HTTP.
import { utf8 } from "../../../lib/base/bytes.ts";
import { StoreError } from "../../../lib/base/errors.ts";
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { HeaderList } from "../../../lib/s3/headers.ts";
import { parseRequestTarget } from "../../../lib/s3/request-target.ts";
import { AccessCheck } from "../../data/access/access-check.ts";
import type { BucketOperation } from "../../operation.ts";
import { ROOT_USER } from "../admin-access.ts";
import type { Caller } from "../admin-caller.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import type { AdminContext, AdminMethod } from "../admin-operation.ts";
import type { AdminRequest } from "../admin-request.ts";
import type { AdminService } from "../admin-service.ts";
import { s3Context } from "../storage/s3-context.ts";

const REQUEST_ID_BYTES = 8;

export interface OwnCalls {
  /** One call of the admin API. Throws AdminError. */
  call(method: AdminMethod, path: string, body?: unknown): Promise<void>;
  /**
   * Changes a setting of a bucket as its S3 action does; without a document, one that takes it
   * away. Throws S3Error, StoreError.
   */
  setting(bucket: BucketRecord, operation: BucketOperation, document?: string): Promise<void>;
  /** Somebody who may sign in has this key and this secret. */
  proves(accessKeyId: string, secret: string): Promise<boolean>;
}

/** `signal` ends what is under way. Throws StoreError "unavailable" while there is no root. */
export async function ownCalls(
  deps: AdminDependencies,
  service: Pick<AdminService, "callAs">,
  signal: AbortSignal,
): Promise<OwnCalls> {
  const identity = await deps.identities.ofUser(ROOT_USER);
  if (identity === undefined) throw new StoreError("unavailable", "there is no root user yet");
  const caller: Caller = { identity, session: undefined };
  return {
    call: async (method, path, body) => {
      const document = body === undefined ? new Uint8Array(0) : utf8(JSON.stringify(body));
      await service.callAs(caller, innerRequest(deps, { method, path, body: document, signal }));
    },
    proves: async (accessKeyId, secret) => {
      const body = new Uint8Array(0);
      const { signed } = innerRequest(deps, { method: "POST", path: "/", body, signal });
      return (await deps.identities.signIn(accessKeyId, secret, signed)) !== undefined;
    },
    setting: async (bucket, operation, text) => {
      const method = text === undefined ? "DELETE" : "PUT";
      const request = innerRequest(deps, { method, path: "/", body: utf8(text ?? ""), signal });
      const parameters = {};
      const query = request.query;
      const context: AdminContext = { deps, request, caller, parameters, query, body: undefined };
      const { name } = bucket;
      const inner = s3Context(context, { method, bucket: name, document: request.body });
      const access = new AccessCheck(inner, undefined);
      await operation.run({ ...inner, bucket, access });
      const { requestId } = request;
      const facts = { actor: ROOT_USER, action: operation.name, target: name, outcome: "ok" };
      deps.log.info("admin", { audit: true, requestId, ...facts });
    },
  };
}

function innerRequest(
  { random, clock }: AdminDependencies,
  what: Pick<AdminRequest, "method" | "path" | "body"> & { readonly signal: AbortSignal },
): AdminRequest {
  const { method, path, body, signal } = what;
  const requestId = Buffer.from(random.bytes(REQUEST_ID_BYTES)).toString("hex").toUpperCase();
  const headers = new HeaderList([]);
  const receivedMs = clock.wallMs();
  // It never leaves the process.
  const origin = { remoteAddress: "127.0.0.1", isSecure: true, certificate: undefined };
  const signed = {
    ...{ requestId, method, headers, receivedMs, origin },
    target: parseRequestTarget("/"),
    address: { style: "path", bucket: undefined, key: undefined },
    isWebsite: false,
  } as const;
  const query = new URLSearchParams();
  const common = { requestId, method, path, query, headers, body, origin, receivedMs, signed };
  return { ...common, isOnS3Port: false, gone: signal };
}
