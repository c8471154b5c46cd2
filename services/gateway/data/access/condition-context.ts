// The condition keys of a request. Every key has one source, and keys that tell of the server or of
// what is stored are never read from what a client sends: a header can fill only the key that is
// about that header, and only for actions that have the key. Source: AWS service authorization
// reference, "Actions, resources, and condition keys for Amazon S3"; IAM user guide, "AWS global
// condition context keys".
import type { ConditionContext } from "../../../lib/iam/model.ts";
import { S3Error } from "../../../lib/s3/errors.ts";
import type { HeaderList } from "../../../lib/s3/headers.ts";
import { LIFTED_TAG_LIMITS, parseTaggingHeader } from "../../../lib/s3/settings/tagging.ts";
import type { Tag } from "../../../lib/s3/xml-requests.ts";
import type { Identity } from "../../plugins/authentication.ts";
import type { S3Request } from "../../request.ts";
import { DeferredKeys } from "./deferred-keys.ts";

/** What the keys are read from. */
export interface ConditionSource {
  readonly identity: Identity;
  readonly request: S3Request;
  readonly region: string;
  readonly action: string;
  /** Those of the request, or the fields of a form. */
  readonly headers: HeaderList;
  readonly isForm: boolean;
  /** Of the version that is asked about, as the client wrote it. */
  readonly versionId: string | undefined;
  /** Stands before the prefix of a listing in a view of a part of a bucket. */
  readonly viewPrefix: string | undefined;
  /** Of the version that is there; undefined where it is not looked up. */
  readonly existingTags: readonly Tag[] | undefined;
  /** Keys in lower case that come from the body; undefined for requests without such a body. */
  readonly fromBody: ReadonlyMap<string, readonly string[]> | undefined;
}

const LISTS = ["s3:ListBucket", "s3:ListBucketVersions"];
const ACL_WRITES = ["s3:CreateBucket", "s3:PutBucketAcl", "s3:PutObject", "s3:PutObjectAcl"].concat(
  ["s3:PutObjectVersionAcl"],
);
const WRITES = ["s3:PutObject"];
const CONDITIONAL = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"];
const LOCK_WRITES = ["s3:PutObject", "s3:PutObjectLegalHold", "s3:PutObjectRetention"];
/** Where these are requests of their own, their bodies have the keys, and no header. */
const BODY_ACTIONS = [
  "s3:PutObjectLegalHold",
  "s3:PutObjectRetention",
  "s3:PutObjectTagging",
].concat(["s3:PutObjectVersionTagging"]);

/** A header, the key that is about it, and the actions that have it. */
const HEADER_KEYS: readonly (readonly [header: string, key: string, actions: readonly string[]])[] =
  [
    ["x-amz-acl", "s3:x-amz-acl", ACL_WRITES],
    ["x-amz-grant-full-control", "s3:x-amz-grant-full-control", ACL_WRITES],
    ["x-amz-grant-read", "s3:x-amz-grant-read", ACL_WRITES],
    ["x-amz-grant-read-acp", "s3:x-amz-grant-read-acp", ACL_WRITES],
    ["x-amz-grant-write", "s3:x-amz-grant-write", ACL_WRITES],
    ["x-amz-grant-write-acp", "s3:x-amz-grant-write-acp", ACL_WRITES],
    ["x-amz-copy-source", "s3:x-amz-copy-source", WRITES],
    ["x-amz-metadata-directive", "s3:x-amz-metadata-directive", WRITES],
    ["x-amz-server-side-encryption", "s3:x-amz-server-side-encryption", WRITES],
    [
      "x-amz-server-side-encryption-aws-kms-key-id",
      "s3:x-amz-server-side-encryption-aws-kms-key-id",
      WRITES,
    ],
    [
      "x-amz-server-side-encryption-customer-algorithm",
      "s3:x-amz-server-side-encryption-customer-algorithm",
      WRITES,
    ],
    ["x-amz-storage-class", "s3:x-amz-storage-class", WRITES],
    ["x-amz-website-redirect-location", "s3:x-amz-website-redirect-location", WRITES],
    ["x-amz-object-lock-mode", "s3:object-lock-mode", LOCK_WRITES],
    ["x-amz-object-lock-retain-until-date", "s3:object-lock-retain-until-date", LOCK_WRITES],
    ["x-amz-object-lock-legal-hold", "s3:object-lock-legal-hold", LOCK_WRITES],
    ["if-match", "s3:if-match", CONDITIONAL],
    ["if-none-match", "s3:if-none-match", CONDITIONAL],
    ["x-amz-object-ownership", "s3:x-amz-object-ownership", ["s3:CreateBucket"]],
  ];

const DAY_MS = 86_400_000;

/** The keys, worked out when one of them is looked at. */
export function conditionContext(source: ConditionSource): ConditionContext {
  return new DeferredKeys(() => allKeys(source));
}

function allKeys(source: ConditionSource): ConditionContext {
  const keys = new Map<string, readonly string[]>();
  addCaller(keys, source);
  addTransport(keys, source);
  addAuthentication(keys, source);
  addHeaders(keys, source);
  addQuery(keys, source);
  addTags(keys, source);
  for (const [key, values] of source.fromBody ?? []) keys.set(key, values);
  return keys;
}

type Keys = Map<string, readonly string[]>;

function set(keys: Keys, key: string, value: string | undefined): void {
  if (value !== undefined) keys.set(key, [value]);
}

function addCaller(keys: Keys, { identity }: ConditionSource): void {
  if (identity.kind === "anonymous") {
    set(keys, "aws:principaltype", "Anonymous");
    set(keys, "aws:userid", "anonymous");
    return;
  }
  const { principal, userId, userName, session: temporary } = identity;
  set(keys, "aws:principalarn", principal.arn);
  if (temporary !== undefined) {
    set(keys, "aws:tokenissuetime", new Date(temporary.issuedMs).toISOString());
  }
  const session = /^arn:aws:sts:::assumed-role\/([^/]+)\/(.+)$/.exec(principal.arn);
  if (session !== null) {
    set(keys, "aws:principaltype", "AssumedRole");
    set(keys, "aws:userid", `${session[1] ?? ""}:${session[2] ?? ""}`);
    return;
  }
  set(keys, "aws:principaltype", userId === "root" ? "Account" : "User");
  set(keys, "aws:userid", userId);
  // As of the account's root on AWS, there is no user name.
  if (userId !== "root") set(keys, "aws:username", userName ?? userId);
}

function addTransport(keys: Keys, source: ConditionSource): void {
  const { request, region } = source;
  const { headers, receivedMs, origin } = request;
  // Of the client itself, or as a trusted proxy tells it.
  const { remoteAddress, isSecure } = origin;
  set(keys, "aws:sourceip", plainAddress(remoteAddress));
  set(keys, "aws:securetransport", String(isSecure));
  set(keys, "aws:currenttime", new Date(receivedMs).toISOString());
  set(keys, "aws:epochtime", String(Math.floor(receivedMs / 1000)));
  set(keys, "aws:requestedregion", region);
  set(keys, "aws:viaawsservice", "false");
  set(keys, "aws:useragent", headers.get("user-agent"));
  set(keys, "aws:referer", headers.get("referer"));
}

/** An IPv4 address that arrived on an IPv6 socket, as the IPv4 address that policies name. */
function plainAddress(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=[0-9]+\.)/i, "").replace(/%.*$/, "");
  return plain === "" ? undefined : plain;
}

function addAuthentication(keys: Keys, source: ConditionSource): void {
  const { identity, request, headers, isForm } = source;
  set(keys, "s3:x-amz-content-sha256", request.headers.get("x-amz-content-sha256"));
  if (identity.kind === "anonymous") return;
  const { query } = request.target;
  const authorization = request.headers.get("authorization");
  if (isForm) {
    set(keys, "s3:authtype", "POST");
    const isV4 = headers.has("x-amz-signature") || headers.has("x-amz-algorithm");
    set(keys, "s3:signatureversion", isV4 ? "AWS4-HMAC-SHA256" : "AWS");
    return;
  }
  if (authorization !== undefined) {
    set(keys, "s3:authtype", "REST-HEADER");
    set(keys, "s3:signatureversion", authorization.startsWith("AWS ") ? "AWS" : "AWS4-HMAC-SHA256");
    const signed = request.headers.get("x-amz-date") ?? request.headers.get("date");
    set(keys, "s3:signatureage", ageOf(signed, request.receivedMs));
    return;
  }
  const isV4 = query.has("X-Amz-Signature");
  if (!isV4 && !query.has("Signature")) return;
  set(keys, "s3:authtype", "REST-QUERY-STRING");
  set(keys, "s3:signatureversion", isV4 ? "AWS4-HMAC-SHA256" : "AWS");
  set(keys, "s3:signatureage", ageOf(query.get("X-Amz-Date"), request.receivedMs));
}

/** Milliseconds since `text`, a basic ISO 8601 time or a date of HTTP; undefined for others. */
function ageOf(text: string | undefined, nowMs: number): string | undefined {
  if (text === undefined) return undefined;
  const basic = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const iso =
    basic === null ? text : text.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const time = Date.parse(iso);
  return Number.isNaN(time) ? undefined : String(Math.max(0, nowMs - time));
}

function addHeaders(keys: Keys, source: ConditionSource): void {
  const { headers, action, request } = source;
  if (tellsInBody(source)) return;
  for (const [header, key, actions] of HEADER_KEYS) {
    if (actions.includes(action)) set(keys, key, headers.get(header));
  }
  const until = keys.get("s3:object-lock-retain-until-date")?.[0];
  if (until !== undefined) addRemainingDays(keys, until, request.receivedMs);
}

function tellsInBody({ action, fromBody }: ConditionSource): boolean {
  return fromBody !== undefined && BODY_ACTIONS.includes(action);
}

/** s3:object-lock-remaining-retention-days, from a date to retain until. */
export function addRemainingDays(keys: Keys, until: string, nowMs: number): void {
  const time = Date.parse(until);
  if (Number.isNaN(time)) return;
  const days = Math.max(0, Math.ceil((time - nowMs) / DAY_MS));
  set(keys, "s3:object-lock-remaining-retention-days", String(days));
}

function addQuery(keys: Keys, { request, action, versionId, viewPrefix }: ConditionSource): void {
  const { query } = request.target;
  set(keys, "s3:versionid", versionId);
  if (LISTS.includes(action) && request.address.key === undefined) {
    const prefix = query.get("prefix");
    const stored = viewPrefix === undefined ? prefix : viewPrefix + (prefix ?? "");
    set(keys, "s3:prefix", stored);
    set(keys, "s3:delimiter", query.get("delimiter"));
    set(keys, "s3:max-keys", query.get("max-keys"));
  }
  if (action !== "s3:PutObject") return;
  // These bring no object about yet, and take no conditions.
  const isPiece = query.has("uploads") || (query.has("partNumber") && query.has("uploadId"));
  set(keys, "s3:objectcreationoperation", String(!isPiece));
}

function addTags(keys: Keys, source: ConditionSource): void {
  const { action, headers, existingTags } = source;
  for (const { key, value } of existingTags ?? []) {
    set(keys, `s3:existingobjecttag/${key.toLowerCase()}`, value);
  }
  const isWrite = action === "s3:PutObject" || action === "s3:PutObjectTagging";
  const text = isWrite && !tellsInBody(source) ? headers.get("x-amz-tagging") : undefined;
  if (text !== undefined) addRequestTags(keys, tagsOfHeader(text));
}

/** s3:RequestObjectTag/... and s3:RequestObjectTagKeys. */
export function addRequestTags(keys: Keys, tags: readonly Tag[]): void {
  for (const { key, value } of tags) set(keys, `s3:requestobjecttag/${key.toLowerCase()}`, value);
  if (tags.length > 0) {
    keys.set(
      "s3:requestobjecttagkeys",
      tags.map(({ key }) => key),
    );
  }
}

/** What cannot be read is refused by the action, after it was authorized without it. */
function tagsOfHeader(text: string): readonly Tag[] {
  try {
    return parseTaggingHeader(text, LIFTED_TAG_LIMITS);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return [];
  }
}
