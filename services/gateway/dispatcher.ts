// From a request to its answer, in the one order of checks that every action shares: parse,
// authenticate, admit, route, check and read the body (small ones), find the bucket and authorize,
// run the action. Nothing is looked up for a caller who is not known, and nothing is told to one
// who may not.
import { unreachable } from "../lib/base/assert.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Answer } from "./answer.ts";
import { type BucketQuestion, inBucket } from "./data/bucket-access.ts";
import type { RequestBody } from "./data/request-body.ts";
import { collect, VerifiedBody } from "./data/verified-body.ts";
import type { BucketOperation, ObjectOperation, Operation, ServiceContext } from "./operation.ts";
import { type BucketContext, bucketName, type Gateway, withKey } from "./operation.ts";
import type { Authenticated, Authentication } from "./plugins/authentication.ts";
import type { Authorizer } from "./plugins/authorization.ts";
import type { S3Request } from "./request.ts";
import type { Route } from "./router.ts";

export interface Incoming {
  readonly request: S3Request;
  readonly route: Route;
  readonly body: RequestBody;
  readonly remoteAddress: string;
  readonly hostId: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Told as soon as it is known who asks. */
  readonly onIdentity: (authenticated: Authenticated) => void;
}

export class Dispatcher {
  readonly #gateway: Gateway;
  readonly #authentication: Authentication;

  constructor(gateway: Gateway, authentication: Authentication) {
    this.#gateway = gateway;
    this.#authentication = authentication;
  }

  /** The answer of the action. Throws S3Error, StoreError, or whatever went wrong. */
  async dispatch(incoming: Incoming): Promise<Answer> {
    const { request, route, body, signal, log, remoteAddress, hostId } = incoming;
    const authenticated = await this.#authentication.authenticate(request);
    incoming.onIdentity(authenticated);
    const { identity } = authenticated;
    const authorizer: Authorizer = this.#gateway.authorizer;
    authorizer.admit(identity);
    if (route.kind === "refused") throw route.error;
    const { operation } = route;
    const document = await this.#readDocument(operation, incoming, authenticated);
    return this.#run(operation, {
      gateway: this.#gateway,
      request,
      authenticated,
      identity,
      remoteAddress,
      hostId,
      signal,
      log,
      document,
      body,
    });
  }

  async #readDocument(
    operation: Operation,
    { request, body }: Incoming,
    authenticated: Authenticated,
  ): Promise<Uint8Array> {
    if (operation.body === "object") return new Uint8Array(0);
    const verified = new VerifiedBody({
      body,
      headers: request.headers,
      authenticated,
      checksums: this.#gateway.checksums,
      bytesMax: operation.bodyBytesMax,
      tooLarge: "MaxMessageLengthExceeded",
      needsLength: false,
      usesChecksums: operation.body === "xml" && operation.bodyChecksums !== false,
    });
    return collect(verified);
  }

  async #run(operation: Operation, context: ServiceContext): Promise<Answer> {
    switch (operation.scope) {
      case "service":
        return operation.run(context);
      case "bucket":
        return this.#runInBucket(operation, context, (inner) => operation.run(inner));
      case "object":
        return this.#runInBucket(operation, context, (inner) => operation.run(withKey(inner)));
      default:
        return unreachable(operation);
    }
  }

  async #runInBucket(
    operation: BucketOperation | ObjectOperation,
    context: ServiceContext,
    run: (context: BucketContext) => Promise<Answer>,
  ): Promise<Answer> {
    const question: BucketQuestion = {
      name: bucketName(context),
      permission: permissionOf(operation, context),
      key: context.request.address.key,
      ownerHeader: "x-amz-expected-bucket-owner",
      fresh: operation.scope === "bucket" && operation.fresh === true,
    };
    return inBucket(context, question, {
      work: (bucket) => run({ ...context, bucket }),
      // A streamed body was consumed by the first attempt.
      mayRepeat: () => operation.body !== "object" || !context.body.isStarted,
    });
  }
}

function permissionOf(
  operation: BucketOperation | ObjectOperation,
  { request }: ServiceContext,
): `s3:${string}` {
  const { permission, versionPermission = permission } = operation;
  return request.target.query.has("versionId") ? versionPermission : permission;
}
