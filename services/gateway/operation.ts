// A row of the operation table: what an S3 action matches, needs and does. The router, the
// authorization, the metrics label, the body limit and the list of supported actions come from it.
import { present } from "../lib/base/assert.ts";
import type { Semaphore } from "../lib/base/bounded.ts";
import { utf8 } from "../lib/base/bytes.ts";
import type { UserUsage } from "../lib/clients/user-usage.ts";
import type { BucketRecord } from "../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Counter } from "../lib/ports/metrics.ts";
import type { ChecksumFactory } from "../lib/s3/checksums.ts";
import type { S3ErrorCode } from "../lib/s3/errors.ts";
import type { HeaderList } from "../lib/s3/headers.ts";
import type { FormFields } from "../lib/s3/post-form/form-fields.ts";
import type { LengthRange } from "../lib/s3/post-form/form-policy.ts";
import type { Answer } from "./answer.ts";
import type { S3Settings } from "./config.ts";
import type { AccessCheck } from "./data/access/access-check.ts";
import type { People } from "./data/access/people.ts";
import type { BucketSettings } from "./data/bucket-settings.ts";
import type { FormBody } from "./data/form-body.ts";
import type { RequestBody } from "./data/request-body.ts";
import type { GatewayDependencies } from "./dependencies.ts";
import type { Authenticated, Identity, UserIdentity } from "./plugins/authentication.ts";
import type { Authorizer } from "./plugins/authorization.ts";
import type { S3Request } from "./request.ts";

export type Level = "service" | "bucket" | "object";

export interface OperationMatch {
  readonly level: Level;
  /** Query parameters that must be there, whatever their value. */
  readonly query?: readonly string[];
  /** A query parameter that must have this value. */
  readonly queryValue?: readonly [name: string, value: string];
  /** A header that must be there, in lower case. */
  readonly header?: string;
}

/**
 * What becomes of the request body: `none` is read and dropped, up to a small limit; `xml` is read
 * whole and given to the action; `object` is streamed by the action. The first two are checked
 * against the signed hash before the action runs.
 */
export type BodyKind = "none" | "xml" | "object";

interface OperationRow {
  /** Name of the action, as AWS spells it; the label of its metrics. */
  readonly name: string;
  readonly method: "DELETE" | "GET" | "HEAD" | "POST" | "PUT";
  readonly match: OperationMatch;
  /** The IAM action that allows it. */
  readonly permission: `s3:${string}`;
  /** The one that allows it where the request names a version. */
  readonly versionPermission?: `s3:${string}`;
  readonly body: BodyKind;
  /** Most bytes of body the action takes. */
  readonly bodyBytesMax: number;
  /**
   * Condition keys in lower case that the body fills; with it, the body is read before the request
   * is authorized. A body that cannot be read fills none, and is refused by the action.
   */
  readonly conditionsOf?: (
    document: Uint8Array,
    request: S3Request,
  ) => ReadonlyMap<string, readonly string[]>;
  /** False: x-amz-checksum-* is about something else than the body. */
  readonly bodyChecksums?: false;
  /** Refusals say in which region to ask, as their bodies cannot. */
  readonly tellsRegion?: true;
  /** Errors it may answer besides those of every action (authentication, availability). */
  readonly errors: readonly S3ErrorCode[];
  /** Name of the page of the Amazon S3 API reference it follows. */
  readonly page: string;
}

/** Needs no bucket that exists. */
export interface ServiceOperation extends OperationRow {
  readonly scope: "service";
  /** The action asks by itself, with what the request says about the bucket to be. */
  readonly asksItself?: true;
  readonly run: (context: UserContext) => Promise<Answer>;
}

/** Works in a bucket that exists and that the caller may use. */
export interface BucketOperation extends OperationRow {
  readonly scope: "bucket";
  /** Ask the root group for the bucket, because no other group would notice that it is gone. */
  readonly fresh?: boolean;
  /** Where requesters pay for the bucket, they pay for this; actions on objects they always do. */
  readonly requesterPays?: true;
  /** The action asks by itself, for each key that it is about. */
  readonly asksItself?: true;
  readonly run: (context: BucketContext) => Promise<Answer>;
}

export interface ObjectOperation extends OperationRow {
  readonly scope: "object";
  /**
   * The action tells `access` the version that it is about, before anything of it is answered;
   * otherwise the version is looked up before the action, where it counts.
   */
  readonly settlesAccess?: true;
  /** About a multipart upload that was begun before: who began it may count. */
  readonly ofUpload?: true;
  /** A missing object may be that of another bucket: the action hides by itself what is missing. */
  readonly hidesMissing?: true;
  readonly run: (context: ObjectContext) => Promise<Answer>;
}

/** An upload by an HTML form: its fields say who sends it, and which object it is. */
export interface FormOperation extends OperationRow {
  readonly scope: "form";
  readonly run: (context: FormContext) => Promise<Answer>;
}

export type Operation = ServiceOperation | BucketOperation | ObjectOperation | FormOperation;

/** What every gateway has once. */
export interface Gateway {
  readonly dependencies: GatewayDependencies;
  readonly settings: S3Settings;
  readonly checksums: ChecksumFactory;
  readonly authorizer: Authorizer;
  /** Whom grants and policies name. */
  readonly people: People;
  /** What users hold in all their buckets. */
  readonly userUsage: Pick<UserUsage, "of">;
  /** Refusals, by action and rule. */
  readonly denials: Counter;
  readonly bucketSettings: BucketSettings;
  /** Names of the webhooks that bucket notifications may go to. */
  readonly notificationTargets: ReadonlySet<string>;
  /** Names of the other stores that buckets may be replicated to. */
  readonly replicationTargets: ReadonlySet<string>;
  /** Held while a multipart upload is completed. */
  readonly completions: Semaphore;
}

export interface ServiceContext {
  readonly gateway: Gateway;
  readonly request: S3Request;
  /** Who asks; that may be nobody known. */
  readonly identity: Identity;
  /** What was signed, about the body above all. */
  readonly authenticated: Authenticated;
  readonly remoteAddress: string;
  /** Names this gateway in answers and events. */
  readonly hostId: string;
  /** Fires when the client is gone or the gateway stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The whole body, for `xml`; empty otherwise. */
  readonly document: Uint8Array;
  /** The body as a stream, for `object`. */
  readonly body: RequestBody;
}

/** Of a request that a user sent. */
export interface UserContext extends ServiceContext {
  readonly identity: UserIdentity;
}

export interface BucketContext extends ServiceContext {
  readonly bucket: BucketRecord;
  /** What the request as a whole was asked about. */
  readonly access: AccessCheck;
}

export interface ObjectContext extends BucketContext {
  /** As text; the client of a view knows it by another name (data/bucket-view.ts). */
  readonly keyText: string;
  readonly key: Uint8Array;
}

export interface FormContext extends ObjectContext {
  readonly form: SignedForm;
}

/** A form whose sender is known and whose fields obey its policy. */
export interface SignedForm {
  readonly fields: FormFields;
  /** The fields as the headers of a PutObject. */
  readonly headers: HeaderList;
  readonly body: FormBody;
  /** Bytes of the file that the policy allows. */
  readonly length: LengthRange | undefined;
}

/** Name of the addressed bucket; the router made sure that there is one. */
export function bucketName(context: ServiceContext): string {
  return present(context.request.address.bucket, "bucket in the address");
}

/** Most bytes of body that an action which takes none lets pass. */
export const SMALL_BODY_BYTES_MAX = 64 * 1024;

/** The context of an object operation, from that of its bucket. */
export function withKey(context: BucketContext): ObjectContext {
  const keyText = present(context.request.address.key, "key in the address");
  return { ...context, keyText, key: utf8(keyText) };
}

/** Options of every call to the metadata service on behalf of a request. */
export function callOptions(context: ServiceContext): {
  readonly signal: AbortSignal;
  readonly requestId: string;
} {
  return { signal: context.signal, requestId: context.request.requestId };
}
