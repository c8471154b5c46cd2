// Asks whether the caller of a request may do something, and refuses. Where the answer depends on
// the version that is asked about (its list, its owner, its tags), the first answer is pending
// until the version is known; nothing is told of the version before. Whoever may not list a bucket
// is refused alike where an object is missing and where it is closed. Source: Amazon S3 user guide,
// "How Amazon S3 authorizes a request"; API reference, GetObject, Permissions.
import { assert } from "../../../lib/base/assert.ts";
import { utf8 } from "../../../lib/base/bytes.ts";
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Version } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import type {
  AuthorizationRequest,
  BucketFacts,
  Decision,
  UploadFacts,
} from "../../../lib/iam/model.ts";
import { isS3Error, S3Error } from "../../../lib/s3/errors.ts";
import type { HeaderList } from "../../../lib/s3/headers.ts";
import type { ObjectContext, ServiceContext } from "../../operation.ts";
import { findObject } from "../object-reader.ts";
import { initiatorOf, noSuchUpload, requestedUploadId, uploadIdText } from "../uploads.ts";
import { parseVersionId } from "../version-id.ts";
import { bucketFacts, type ObjectSubject, subjectOf } from "./bucket-facts.ts";
import { principalOf } from "./caller.ts";
import { conditionContext } from "./condition-context.ts";

export type Permission = `s3:${string}`;

export interface AccessQuestion {
  readonly permission: Permission;
  /** Undefined for a bucket that is not there yet, and for actions on no bucket. */
  readonly bucket: BucketRecord | undefined;
  readonly key: string | undefined;
  /** Of the version that is meant, as the client wrote it; undefined for the current one. */
  readonly versionId?: string | undefined;
  /** The version, where it is known, or the object that a write is about to make. */
  readonly subject?: ObjectSubject | undefined;
  /** In place of those of the bucket's record. */
  readonly facts?: BucketFacts;
  /** The fields of a form, in place of the headers of the request. */
  readonly headers?: HeaderList | undefined;
  /** About a multipart upload that was begun before: somebody else's, until it is looked up. */
  readonly upload?: UploadFacts | undefined;
  /** A missing version is no reason to refuse: who asks hides by itself what is missing. */
  readonly toleratesMissing?: true;
  /** Condition keys that the body of the request fills. */
  readonly fromBody?: ReadonlyMap<string, readonly string[]> | undefined;
}

export type Caller = Pick<ServiceContext, "gateway" | "identity" | "log" | "request">;

/** The question as the rules are asked it. Throws StoreError "corrupt" (settings of the bucket). */
export function authorizationRequest(
  caller: Caller,
  question: AccessQuestion,
): AuthorizationRequest {
  const { gateway, identity, request } = caller;
  const { permission: action, bucket, key, subject, headers } = question;
  return {
    principal: principalOf(identity),
    action,
    resource: resourceOf(bucket?.name ?? question.facts?.name, key),
    bucket: question.facts ?? (bucket === undefined ? undefined : bucketFacts(gateway, bucket)),
    object: subject?.facts,
    upload: question.upload,
    context: conditionContext({
      identity,
      request,
      region: gateway.settings.region,
      action,
      headers: headers ?? request.headers,
      isForm: headers !== undefined,
      versionId: question.versionId,
      viewPrefix: request.view?.prefix,
      existingTags: subject?.tags,
      fromBody: question.fromBody,
    }),
  };
}

function resourceOf(bucket: string | undefined, key: string | undefined): string {
  if (bucket === undefined) return "arn:aws:s3:::*";
  return key === undefined ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/${key}`;
}

/** The decision about what is known; nothing is refused or counted. */
export function decide(caller: Caller, question: AccessQuestion): Decision {
  return caller.gateway.authorizer.decide(authorizationRequest(caller, question));
}

/** Throws AccessDenied unless what is known allows it. */
export function allow(caller: Caller, question: AccessQuestion): void {
  const decision = decide(caller, question);
  if (!decision.allowed) throw refusal(caller, question, decision);
}

/** As allow, but looks the version up where it could change the answer. */
export async function allowVersion(
  context: ServiceContext,
  question: AccessQuestion & { readonly bucket: BucketRecord; readonly key: string },
): Promise<void> {
  const check = new AccessCheck(context, question);
  await check.settleByLookup(context);
}

/** Counts and logs; the answer says no more than that access is denied. */
function refusal(
  { gateway, log }: Caller,
  { permission, bucket, key }: AccessQuestion,
  { by }: Decision,
): S3Error {
  gateway.denials.increment({ action: permission, rule: by.rule });
  const fields = { action: permission, bucket: bucket?.name, key, by };
  log.debug("access denied", fields);
  return new S3Error("AccessDenied");
}

/** Whether the caller may know which keys there are. */
export function mayList(caller: Caller, bucket: BucketRecord): boolean {
  return decide(caller, { permission: "s3:ListBucket", bucket, key: undefined }).allowed;
}

/**
 * Runs `work` about an object of the bucket. That it is missing is told to those only who may list.
 */
export async function hidingMissing<T>(
  caller: Caller,
  bucket: BucketRecord,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const tells = isS3Error(error, "NoSuchKey") || isS3Error(error, "NoSuchVersion");
    if (!tells || mayList(caller, bucket)) throw error;
    throw new S3Error("AccessDenied", undefined, { cause: error });
  }
}

/** One question about a bucket or an object of it, until it is answered. */
export class AccessCheck {
  readonly #caller: Caller;
  #question: AccessQuestion | undefined;
  #first: Decision | undefined;
  #isPending: boolean;
  /** Refused, unless it turns out that the caller began the upload. */
  #awaitsUpload = false;

  /**
   * `question` undefined: the action asks by itself. Throws AccessDenied where no version could
   * change that.
   */
  constructor(caller: Caller, question: AccessQuestion | undefined) {
    this.#caller = caller;
    this.#question = question;
    this.#isPending = false;
    if (question === undefined) return;
    const request = authorizationRequest(caller, question);
    const { authorizer } = caller.gateway;
    this.#first = authorizer.decide(request);
    this.#isPending =
      question.key !== undefined &&
      question.subject === undefined &&
      authorizer.needsObject(request);
    this.#awaitsUpload = !this.#first.allowed && mayBeInitiator(caller, question);
    if (this.#first.allowed || this.#isPending || this.#awaitsUpload) return;
    throw refusal(caller, question, this.#first);
  }

  /** True while the version or upload that is asked about must be told. */
  get isPending(): boolean {
    return this.#isPending || this.#awaitsUpload;
  }

  /**
   * Looks up who began the upload, where that counts. Throws AccessDenied; NoSuchUpload where there
   * is none, to those who might write the object by themselves.
   */
  async settleUpload(context: ObjectContext): Promise<void> {
    if (!this.#awaitsUpload || this.#question === undefined) return;
    const caller = this.#caller;
    const uploadId = requestedUploadId(context);
    const initiator = await initiatorOf(context, uploadId);
    const upload = { initiator: initiator ?? "" };
    const question = { ...this.#question, upload };
    const decision = decide(caller, question);
    if (!decision.allowed && !this.#isPending) {
      const { bucket, key } = question;
      const write: AccessQuestion = { permission: "s3:PutObject", bucket, key };
      const mayLearn = initiator === undefined && decide(caller, write).allowed;
      throw mayLearn ? noSuchUpload(uploadIdText(uploadId)) : refusal(caller, question, decision);
    }
    this.#question = question;
    this.#first = decision;
    this.#awaitsUpload = false;
  }

  /**
   * Tells the version that the request is about; undefined: there is none. Throws AccessDenied.
   * Where there is none, whoever may list goes on: for actions only that answer so themselves.
   */
  settle(version: Version | undefined): void {
    this.#settle(version, (caller, bucket) => mayList(caller, bucket));
  }

  /**
   * Looks the version up, where that is needed, and settles. Where there is none, what is known
   * without it counts: an action that makes an object is not let in by what a missing one lacks.
   */
  async settleByLookup(context: ServiceContext): Promise<void> {
    if (!this.#isPending || this.#question === undefined) return;
    const { bucket, key, versionId } = this.#question;
    assert(bucket !== undefined, "AccessCheck: an object without its bucket");
    assert(key !== undefined, "AccessCheck: an object without its key");
    const found = await findObject(context, {
      bucket,
      key: utf8(key),
      versionId: parseVersionId(versionId),
      extent: { kind: "all" },
      withBody: false,
    });
    this.#settle(found?.version, () => false);
  }

  #settle(
    version: Version | undefined,
    mayLearn: (caller: Caller, bucket: BucketRecord) => boolean,
  ): void {
    if (!this.#isPending || this.#question === undefined) return;
    const caller = this.#caller;
    const question = this.#question;
    const { bucket } = question;
    assert(bucket !== undefined, "AccessCheck: an object without its bucket");
    const isCurrent = question.versionId === undefined;
    const isMissing = version === undefined || (isCurrent && version.deleteMarker);
    if (isMissing) {
      const isAllowed =
        question.toleratesMissing === true ||
        this.#first?.allowed === true ||
        mayLearn(caller, bucket);
      if (!isAllowed) throw refusal(caller, question, this.#first ?? DENIED);
    } else {
      allow(caller, { ...question, subject: subjectOf(caller.gateway, bucket, version) });
    }
    this.#isPending = false;
  }
}

/** Whether the caller would be let in if the upload that is asked about were his. */
function mayBeInitiator(caller: Caller, question: AccessQuestion): boolean {
  const { identity } = caller;
  if (question.upload === undefined || identity.kind !== "user") return false;
  return decide(caller, { ...question, upload: { initiator: identity.userId } }).allowed;
}

const DENIED: Decision = { allowed: false, by: { rule: "no-rule-allows" } };
