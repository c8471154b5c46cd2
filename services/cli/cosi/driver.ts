// Buckets and access for claims of Kubernetes (COSI v1alpha1), by the admin API. Every call may
// come again after it went well: a bucket that is as asked for is an answer, what is gone stays
// gone. An access is a user of its own, named after it, who may use that bucket and nothing else.
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import {
  AuthenticationType,
  type DriverCreateBucketRequest,
  type DriverCreateBucketResponse,
  DriverCreateBucketResponseSchema,
  type DriverDeleteBucketRequest,
  type DriverDeleteBucketResponse,
  DriverDeleteBucketResponseSchema,
  type DriverGetInfoResponse,
  DriverGetInfoResponseSchema,
  type DriverGrantBucketAccessRequest,
  type DriverGrantBucketAccessResponse,
  DriverGrantBucketAccessResponseSchema,
  type DriverRevokeBucketAccessRequest,
  type DriverRevokeBucketAccessResponse,
  DriverRevokeBucketAccessResponseSchema,
  S3SignatureVersion,
} from "../../lib/gen/cosi/v1alpha1/cosi_pb.ts";
import { type AdminClient, record, recordsOf } from "../admin-client/admin-client.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { DriverError } from "./driver-error.ts";

export interface DriverSettings {
  /** Name in BucketClasses. */
  readonly name: string;
  /** Address of S3 for whoever claims. */
  readonly endpoint: string;
  readonly region: string;
}

const USER_PREFIX = "cosi-";
const USER_CHARACTERS_MAX = 63;
const DIGEST_CHARACTERS = 40;
const POLICY = "cosi";
const BUCKET_PARAMETERS: ReadonlySet<string> = new Set([
  "location",
  "objectLock",
  "quotaBytes",
  "quotaObjects",
]);
const READ = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"];
const WRITE = [
  "s3:PutObject",
  "s3:DeleteObject",
  "s3:DeleteObjectVersion",
  "s3:PutObjectTagging",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
];
const LIST = [
  "s3:ListBucket",
  "s3:ListBucketVersions",
  "s3:ListBucketMultipartUploads",
  "s3:GetBucketLocation",
];

export class CosiDriver {
  readonly #admin: Pick<AdminClient, "call">;
  readonly #settings: DriverSettings;

  constructor(admin: Pick<AdminClient, "call">, settings: DriverSettings) {
    this.#admin = admin;
    this.#settings = settings;
  }

  info(): DriverGetInfoResponse {
    return create(DriverGetInfoResponseSchema, { name: this.#settings.name });
  }

  async createBucket(request: DriverCreateBucketRequest): Promise<DriverCreateBucketResponse> {
    const { name, parameters } = request;
    const wish = bucketWish(name, parameters);
    const path = `/buckets/${encodeURIComponent(name)}`;
    // Asked first: making what one owns is allowed, and would change its quota.
    const bucket = await this.#find(path);
    if (bucket === undefined) await this.#admin.call("POST", "/buckets", wish);
    else if (!isAsWished(bucket, wish)) {
      throw new DriverError(status.ALREADY_EXISTS, `bucket ${name} is there with other parameters`);
    }
    const { region } = this.#settings;
    const s3 = { region, signatureVersion: S3SignatureVersion.S3V4 };
    const bucketInfo = { type: { case: "s3", value: s3 } } as const;
    return create(DriverCreateBucketResponseSchema, { bucketId: name, bucketInfo });
  }

  async deleteBucket(request: DriverDeleteBucketRequest): Promise<DriverDeleteBucketResponse> {
    const bucketId = required("bucket_id", request.bucketId);
    await this.#gone("DELETE", `/buckets/${encodeURIComponent(bucketId)}`);
    return create(DriverDeleteBucketResponseSchema);
  }

  async grant(request: DriverGrantBucketAccessRequest): Promise<DriverGrantBucketAccessResponse> {
    const bucketId = required("bucket_id", request.bucketId);
    if (request.authenticationType !== AuthenticationType.Key) {
      throw new DriverError(status.INVALID_ARGUMENT, "authenticationType must be KEY");
    }
    const document = accessPolicy(bucketId, request.parameters);
    if ((await this.#find(`/buckets/${encodeURIComponent(bucketId)}`)) === undefined) {
      throw new DriverError(status.NOT_FOUND, `there is no bucket ${bucketId}`);
    }
    const user = userOf(required("name", request.name));
    await this.#ensureUser(user);
    await this.#admin.call("PUT", `/users/${user}/policies/${POLICY}`, { document });
    const key = await this.#freshKey(user);
    const { endpoint, region } = this.#settings;
    const secrets = {
      accessKeyID: String(key.accessKeyId),
      accessSecretKey: String(key.secretAccessKey),
      ...{ endpoint, region },
    };
    const credentials = { s3: { secrets } };
    return create(DriverGrantBucketAccessResponseSchema, { accountId: user, credentials });
  }

  async revoke(
    request: DriverRevokeBucketAccessRequest,
  ): Promise<DriverRevokeBucketAccessResponse> {
    const accountId = required("account_id", request.accountId);
    // Nobody else's users are deleted, whatever is asked.
    if (!accountId.startsWith(USER_PREFIX)) {
      throw new DriverError(status.INVALID_ARGUMENT, `${accountId} is no account of this driver`);
    }
    await this.#gone("DELETE", `/users/${encodeURIComponent(accountId)}`);
    return create(DriverRevokeBucketAccessResponseSchema);
  }

  async #ensureUser(name: string): Promise<void> {
    if ((await this.#find(`/users/${name}`)) !== undefined) return;
    const displayName = "access of a bucket claim";
    await this.#admin.call("POST", "/users", { name, displayName, withoutKey: true });
  }

  /** Secrets are shown once: if the last answer was lost, so is its key. */
  async #freshKey(user: string): Promise<Readonly<Record<string, unknown>>> {
    const kept = recordsOf(await this.#admin.call("GET", `/users/${user}/keys`));
    for (const { accessKeyId } of kept) {
      await this.#gone("DELETE", `/users/${user}/keys/${encodeURIComponent(String(accessKeyId))}`);
    }
    return record(await this.#admin.call("POST", `/users/${user}/keys`, { description: POLICY }));
  }

  /** Undefined where there is none. */
  async #find(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      return record(await this.#admin.call("GET", path));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async #gone(method: "DELETE", path: string): Promise<void> {
    try {
      await this.#admin.call(method, path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === ExitCode.NOT_FOUND;
}

function required(field: string, value: string): string {
  if (value !== "") return value;
  throw new DriverError(status.INVALID_ARGUMENT, `${field} is missing`);
}

interface BucketWish {
  readonly name: string;
  readonly location?: string;
  readonly objectLock?: boolean;
  readonly quota?: { readonly bytes: number; readonly objects: number };
}

function bucketWish(name: string, parameters: Readonly<Record<string, string>>): BucketWish {
  required("name", name);
  for (const key of Object.keys(parameters)) {
    if (BUCKET_PARAMETERS.has(key)) continue;
    const known = [...BUCKET_PARAMETERS].join(", ");
    const message = `there is no parameter "${key}" of a BucketClass; there are ${known}`;
    throw new DriverError(status.INVALID_ARGUMENT, message);
  }
  const { location, objectLock, quotaBytes, quotaObjects } = parameters;
  const bytes = wholeNumber("quotaBytes", quotaBytes);
  const objects = wholeNumber("quotaObjects", quotaObjects);
  return {
    name,
    ...(location === undefined ? {} : { location }),
    ...(objectLock === undefined ? {} : { objectLock: objectLock === "true" }),
    ...(bytes + objects === 0 ? {} : { quota: { bytes, objects } }),
  };
}

function wholeNumber(name: string, text = "0"): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new DriverError(status.INVALID_ARGUMENT, `${name} must be a whole number, not "${text}"`);
}

function isAsWished(bucket: Readonly<Record<string, unknown>>, wish: BucketWish): boolean {
  const { bytes = 0, objects = 0 } = wish.quota ?? {};
  const quota = record(bucket.quota);
  const isQuota = quota.bytes === bytes && quota.objects === objects;
  return isQuota && (bucket.objectLock ?? false) === (wish.objectLock ?? false);
}

/** A name of the directory; one that is too long is known by its digest. */
function userOf(name: string): string {
  const plain = `${USER_PREFIX}${name.toLowerCase()}`;
  if (plain.length <= USER_CHARACTERS_MAX && /^[a-z0-9-]*[a-z0-9]$/.test(plain)) return plain;
  const digest = createHash("sha256").update(name).digest("hex");
  return `${USER_PREFIX}${digest.slice(0, DIGEST_CHARACTERS)}`;
}

function accessPolicy(bucket: string, parameters: Readonly<Record<string, string>>): unknown {
  const { access = "read-write", ...others } = parameters;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const message = `there is no parameter "${unknown}" of a BucketAccessClass; there is access`;
    throw new DriverError(status.INVALID_ARGUMENT, message);
  }
  const actions = new Map([
    ["read", READ],
    ["write", WRITE],
    ["read-write", [...READ, ...WRITE]],
  ]).get(access);
  if (actions === undefined) {
    const message = `access must be read, write or read-write, not "${access}"`;
    throw new DriverError(status.INVALID_ARGUMENT, message);
  }
  const arn = `arn:aws:s3:::${bucket}`;
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: LIST, Resource: [arn] },
      { Effect: "Allow", Action: actions, Resource: [`${arn}/*`] },
    ],
  };
}
