// From a request to its answer, in the one order of checks that every action shares: parse,
// authenticate, route, find the bucket and authorize, check and read the body (small ones; first
// where conditions of policies are about it), look the version up where the decision needs it, run
// the action. Nothing is told to one who may not, except that a bucket does not exist.
import { assert, present, unreachable } from "../lib/base/assert.ts";
import { utf8 } from "../lib/base/bytes.ts";
import { StoreError } from "../lib/base/errors.ts";
import type { Log } from "../lib/ports/log.ts";
import { formHeaders, formKey } from "../lib/s3/post-form/form-fields.ts";
import { checkFormPolicy, parseFormPolicy } from "../lib/s3/post-form/form-policy.ts";
import { parseFormClaim } from "../lib/s3/post-form/form-signature.ts";
import type { Answer } from "./answer.ts";
import { allow, hidingMissing, type Permission } from "./data/access/access-check.ts";
import { formConditions } from "./data/access/body-conditions.ts";
import { type BucketQuestion, inBucket } from "./data/bucket-access.ts";
import { refuseInView, storedKey } from "./data/bucket-view.ts";
import { FormBody } from "./data/form-body.ts";
import type { RequestBody } from "./data/request-body.ts";
import { chargeFields, checkPayer, withCharge } from "./data/request-charge.ts";
import { collect, VerifiedBody } from "./data/verified-body.ts";
import type {
  BucketOperation,
  FormOperation,
  ObjectOperation,
  Operation,
  ServiceContext,
  ServiceOperation,
} from "./operation.ts";
import { type BucketContext, bucketName, type Gateway, withKey } from "./operation.ts";
import type { Authenticated, Authentication } from "./plugins/authentication.ts";
import { refuseAnonymous } from "./plugins/authorization.ts";
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
    const { request, route } = incoming;
    if (route.kind === "found" && route.operation.scope === "form") {
      return this.#dispatchForm(route.operation, incoming);
    }
    const authenticated = await this.#authentication.authenticate(request);
    incoming.onIdentity(authenticated);
    if (route.kind === "refused") {
      refuseAnonymous(authenticated.identity);
      throw route.error;
    }
    const { operation } = route;
    refuseInView(request, operation);
    const context = this.#contextOf(incoming, authenticated);
    switch (operation.scope) {
      case "service":
        return this.#runService(operation, context);
      case "bucket":
        return this.#runInBucket(operation, context, (inner) => operation.run(inner));
      case "object":
        return this.#runInBucket(operation, context, (inner) =>
          this.#runOnObject(operation, inner),
        );
      case "form":
        throw new StoreError("internal", "a form is dispatched by its fields");
      default:
        return unreachable(operation);
    }
  }

  #contextOf(incoming: Incoming, authenticated: Authenticated): ServiceContext {
    const { request, body, remoteAddress, hostId, signal, log } = incoming;
    const { identity } = authenticated;
    const empty = { document: new Uint8Array(0), body };
    const origin = { remoteAddress, hostId };
    return {
      gateway: this.#gateway,
      request,
      authenticated,
      identity,
      ...origin,
      signal,
      log,
      ...empty,
    };
  }

  async #readDocument(operation: Operation, context: ServiceContext): Promise<Uint8Array> {
    if (operation.body === "object") return context.document;
    const verified = new VerifiedBody({
      body: context.body,
      headers: context.request.headers,
      authenticated: context.authenticated,
      checksums: this.#gateway.checksums,
      bytesMax: operation.bodyBytesMax,
      tooLarge: "MaxMessageLengthExceeded",
      needsLength: false,
      usesChecksums: operation.body === "xml" && operation.bodyChecksums !== false,
    });
    return collect(verified);
  }

  /** What asks for no bucket that exists is for users only. */
  async #runService(operation: ServiceOperation, context: ServiceContext): Promise<Answer> {
    refuseAnonymous(context.identity);
    const document = await this.#readDocument(operation, context);
    if (operation.asksItself !== true) {
      const { permission } = operation;
      allow(context, { permission, bucket: undefined, key: undefined });
    }
    return operation.run({ ...context, identity: context.identity, document });
  }

  async #runOnObject(operation: ObjectOperation, inner: BucketContext): Promise<Answer> {
    const context = withKey(inner);
    await context.access.settleUpload(context);
    if (operation.settlesAccess !== true) await context.access.settleByLookup(context);
    const run = async (): Promise<Answer> => {
      const answer = await operation.run(context);
      assert(!context.access.isPending, "an action answered before it was authorized");
      return answer;
    };
    return operation.hidesMissing === true ? run() : hidingMissing(context, inner.bucket, run);
  }

  /** The same order for forms: the fields are read, say who sends them, and are checked. */
  async #dispatchForm(operation: FormOperation, incoming: Incoming): Promise<Answer> {
    const { request } = incoming;
    const formBody = new FormBody(incoming.body, request.headers.get("content-type"));
    const { fields: raw, fileName, fileContentType } = await formBody.readFields();
    const claim = parseFormClaim(raw);
    const identity = await this.#authentication.authenticateForm(claim, { request, fields: raw });
    const authenticated: Authenticated = {
      identity,
      payload: { kind: "unsigned" },
      chunkSigning: undefined,
    };
    incoming.onIdentity(authenticated);
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
    const context = this.#contextOf(incoming, authenticated);
    const question: BucketQuestion = {
      name: bucket,
      permission: operation.permission,
      key: keyText,
      headers,
      fromBody: formConditions(fields),
      ownerHeader: "x-amz-expected-bucket-owner",
      fresh: false,
    };
    return inBucket(context, question, {
      work: async ({ bucket: found, access }) => {
        checkPayer(context, found, headers);
        const charged = chargeFields(context, found, headers);
        const inner = { ...context, bucket: found, access, keyText, key: utf8(keyText), form };
        await access.settleByLookup(context);
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
    const { conditionsOf } = operation;
    // Read once, whatever happens to the bucket meanwhile.
    let document: Uint8Array | undefined;
    if (conditionsOf !== undefined) document = await this.#readDocument(operation, context);
    const question: BucketQuestion = {
      name: bucketName(context),
      permission: permissionOf(operation, context),
      key: context.request.address.key,
      versionId: operation.scope === "object" ? versionIdOf(context) : undefined,
      upload: operation.scope === "object" && operation.ofUpload ? SOMEBODY_ELSES : undefined,
      fromBody: document === undefined ? undefined : conditionsOf?.(document, context.request),
      ownerHeader: "x-amz-expected-bucket-owner",
      fresh: operation.scope === "bucket" && operation.fresh === true,
      tellsRegion: operation.tellsRegion === true,
    };
    const isCharged = operation.scope === "object" || operation.requesterPays === true;
    return inBucket(context, question, {
      work: async ({ bucket, access }) => {
        if (isCharged) checkPayer(context, bucket);
        const charged = isCharged ? chargeFields(context, bucket) : [];
        document ??= await this.#readDocument(operation, context);
        return withCharge(await run({ ...context, bucket, access, document }), charged);
      },
      // A streamed body was consumed by the first attempt.
      mayRepeat: () => operation.body !== "object" || !context.body.isStarted,
    });
  }
}

/** No user has the empty id. */
const SOMEBODY_ELSES = { initiator: "" } as const;

function versionIdOf({ request }: ServiceContext): string | undefined {
  return request.target.query.get("versionId");
}

function permissionOf(
  operation: BucketOperation | ObjectOperation,
  context: ServiceContext,
): Permission | undefined {
  if (operation.scope === "bucket" && operation.asksItself === true) return undefined;
  const { permission, versionPermission = permission } = operation;
  return versionIdOf(context) === undefined ? permission : versionPermission;
}
