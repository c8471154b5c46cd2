// What a replica is written with besides its bytes: the version's headers, metadata, tags, lock,
// storage class and encryption, and the mark that it is one. Source: Amazon S3 API reference,
// PutObject; user guide, "What does Amazon S3 replicate?".
import { toSafeNumber } from "../../lib/base/bytes.ts";
import {
  Encryption_Kind,
  ObjectLock_Mode,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { formatIsoDate } from "../../lib/s3/http-date.ts";
import { userMetadataHeaders } from "../../lib/s3/object-headers.ts";
import type { AclGrant } from "../../lib/s3/settings/acl.ts";
import type { ReplicationDestination } from "../../lib/s3/settings/replication.ts";
import { STANDARD_CLASS } from "../../lib/s3/storage-classes.ts";
import { uriEncode } from "../../lib/s3/uri-encoding.ts";

/** So that the destination shows it as a replica, and does not replicate it further. */
export const REPLICA_MARK: HeaderField = ["x-amz-replication-status", "REPLICA"];

/** What is written, where to, and when. */
export interface ReplicaDescription {
  readonly source: { readonly version: Version };
  readonly destination: ReplicationDestination;
  readonly grants: readonly AclGrant[] | undefined;
  /** Wall clock. */
  readonly nowMs: number;
}

/** `isFramed`: the body is sent in aws-chunked. */
export function replicaHeaders(
  { source, destination, grants, nowMs }: ReplicaDescription,
  { isFramed }: { readonly isFramed: boolean },
): readonly HeaderField[] {
  const { version } = source;
  const { headers, tags } = version;
  const encodings = [isFramed ? "aws-chunked" : "", headers?.contentEncoding ?? ""];
  const described: readonly HeaderField[] = [
    ["Content-Type", headers?.contentType ?? ""],
    ["Content-Encoding", encodings.filter((coding) => coding !== "").join(",")],
    ["Content-Language", headers?.contentLanguage ?? ""],
    ["Content-Disposition", headers?.contentDisposition ?? ""],
    ["Cache-Control", headers?.cacheControl ?? ""],
    ["Expires", headers?.expires ?? ""],
    ["x-amz-website-redirect-location", headers?.websiteRedirectLocation ?? ""],
    ["x-amz-tagging", tagsText(tags)],
    ["x-amz-storage-class", classOf(version, destination)],
    ...grantHeaders(grants ?? []),
    ...lockHeaders(version, nowMs),
    ...encryptionHeaders(version, destination),
  ];
  return [
    ...described.filter(([, value]) => value !== ""),
    ...userMetadataHeaders(headers?.userMetadata ?? []),
    REPLICA_MARK,
  ];
}

function tagsText(tags: Version["tags"]): string {
  return tags
    .map(({ name, value }) => `${uriEncode(name, false)}=${uriEncode(value, false)}`)
    .join("&");
}

function classOf({ storageClass }: Version, destination: ReplicationDestination): string {
  const wanted = destination.storageClass ?? storageClass;
  return wanted === STANDARD_CLASS ? "" : wanted;
}

const GRANT_HEADERS = [
  ["FULL_CONTROL", "x-amz-grant-full-control"],
  ["READ", "x-amz-grant-read"],
  ["READ_ACP", "x-amz-grant-read-acp"],
  ["WRITE_ACP", "x-amz-grant-write-acp"],
] as const;

/** A list as the headers of a write; WRITE says nothing of an object. */
export function grantHeaders(grants: readonly AclGrant[]): readonly HeaderField[] {
  return GRANT_HEADERS.flatMap(([permission, header]) => {
    const named = grants.filter((grant) => grant.permission === permission).map(granteeText);
    return named.length === 0 ? [] : [[header, named.join(", ")] as const];
  });
}

function granteeText({ grantee }: AclGrant): string {
  return grantee.kind === "user" ? `id="${grantee.id}"` : `uri="${grantee.uri}"`;
}

export function modeName(mode: ObjectLock_Mode): "COMPLIANCE" | "GOVERNANCE" | undefined {
  switch (mode) {
    case ObjectLock_Mode.COMPLIANCE:
      return "COMPLIANCE";
    case ObjectLock_Mode.GOVERNANCE:
      return "GOVERNANCE";
    default:
      return undefined;
  }
}

/** A retention that has ended protects nothing, and could not be set anew. */
function lockHeaders({ lock }: Version, nowMs: number): readonly HeaderField[] {
  if (lock === undefined) return [];
  const headers: HeaderField[] = [];
  const mode = modeName(lock.mode);
  const retainUntilMs = toSafeNumber(lock.retainUntilMs);
  if (mode !== undefined && retainUntilMs > nowMs) {
    headers.push(
      ["x-amz-object-lock-mode", mode],
      ["x-amz-object-lock-retain-until-date", formatIsoDate(retainUntilMs)],
    );
  }
  if (lock.legalHold) headers.push(["x-amz-object-lock-legal-hold", "ON"]);
  return headers;
}

function encryptionHeaders(
  { encryption }: Version,
  { kmsKey }: ReplicationDestination,
): readonly HeaderField[] {
  const name = "x-amz-server-side-encryption";
  switch (encryption?.kind) {
    case Encryption_Kind.SSE_S3:
      return [[name, "AES256"]];
    case Encryption_Kind.SSE_KMS: {
      const key = kmsKey ?? "";
      return [
        [name, "aws:kms"],
        [`${name}-aws-kms-key-id`, key],
      ];
    }
    default:
      return [];
  }
}
