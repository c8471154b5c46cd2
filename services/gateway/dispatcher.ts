// From a request to its answer, in the one order of checks that every action shares: parse,
// authenticate, admit, route, check and read the body (small ones), find the bucket and authorize,
// run the action. Nothing is looked up for a caller who is not known, and nothing is told to one
// who may not.
import { present, unreachable } from "../lib/base/assert.ts";
import { utf8 } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { Log } from "../lib/ports/log.ts";
import { formHeaders, formKey } from "../lib/s3/post-form/form-fields.ts";
import { checkFormPolicy, parseFormPolicy } from "../lib/s3/post-form/form-policy.ts";
import { parseFormClaim } from "../lib/s3/post-form/form-signature.ts";
import type { Answer } from "./answer.ts";
import { type BucketQuestion, inBucket } from "./data/bucket-access.ts";
import { refuseInView, storedKey } from "./data/bucket-view.ts";
import { FormBody } from "./data/form-body.ts";
import type { RequestBody } from "./data/request-body.ts";
import { chargeFields, withCharge } from "./data/request-charge.ts";
import { collect, VerifiedBody } from "./data/verified-body.ts";
import type {
  BucketOperation,
  FormOperation,
  ObjectOperation,
  Operation,
  ServiceContext,
} from "./operation.ts";
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
    if (route.kind === "found" && route.operation.scope === "form") {
      return this.#dispatchForm(route.operation, incoming);
    }
    const authenticated = await this.#authentication.authenticate(request);
    incoming.onIdentity(authenticated);
    const { identity } = authenticated;
    const authorizer: Authorizer = this.#gateway.authorizer;
    authorizer.admit(identity);
    if (route.kind === "refused") throw route.error;
    const { operation } = route;
    refuseInView(request, operation);
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
      case "form":
        throw new StoreError("internal", "a form is dispatched by its fields");
      default:
        return unreachable(operation);
    }
  }

  /** The same order for forms: the fields are read, say who sends them, and are checked. */
  async #dispatchForm(operation: FormOperation, incoming: Incoming): Promise<Answer> {
    const { request } = incoming;
    const formBody = new FormBody(incoming.body, request.headers.get("content-type"));
    const { fields: raw, fileName, fileContentType } = await formBody.readFields();
    const claim = parseFormClaim(raw);
    const identity = await this.#authentication.authenticateForm(claim);
    const authenticated: Authenticated = {
      identity,
      payload: { kind: "unsigned" },
      chunkSigning: undefined,
    };
    incoming.onIdentity(authenticated);
    const authorizer: Authorizer = this.#gateway.authorizer;
    authorizer.admit(identity);
    const fields = raw.withFileName(fileName ?? "");
    const bucket = present(request.address.bucket, "bucket in the address");
    const policy = claim.kind === "anonymous" ? undefined : parseFormPolicy(claim.policy);
    if (policy !== undefined) {
      // The names the client signed: in a view they are not those of the bucket and its keys.
      const signed = { bucket: request.view?.name ?? bucket, nowMs: request.receivedMs };
      checkFormPolicy(policy, fields, signed);
    }
    const keyText = storedKey(incoming, formKey(fields));
    const headers = formHeaders(fields, fileContentType);
    const form = { fields, headers, body: formBody, length: policy?.length };
    const { signal, log, body, remoteAddress, hostId } = incoming;
    const context: ServiceContext = {
      gateway: this.#gateway,
      request,
      authenticated,
      identity,
      remoteAddress,
      hostId,
      signal,
      log,
      document: new Uint8Array(0),
      body,
    };
    const { permission } = operation;
    const ownerHeader = "x-amz-expected-bucket-owner";
    const question = { name: bucket, permission, key: keyText, ownerHeader, fresh: false } as const;
    return inBucket(context, question, {
      work: async (found) => {
        const charged = chargeFields(context, found, headers);
        const inner = { ...context, bucket: found, keyText, key: utf8(keyText), form };
        return withCharge(await operation.run(inner), charged);
      },
      mayRepeat: () => false,
    });
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
      tellsRegion: operation.tellsRegion === true,
    };
    const isCharged = operation.scope === "object" || operation.requesterPays === true;
    return inBucket(context, question, {
      work: async (bucket) => {
        const charged = isCharged ? chargeFields(context, bucket) : [];
        return withCharge(await run({ ...context, bucket }), charged);
      },
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
