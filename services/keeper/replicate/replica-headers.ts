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
import type { ReplicationDestination } from "../../lib/s3/settings/replication.ts";
import { STANDARD_CLASS } from "../../lib/s3/storage-classes.ts";
import { uriEncode } from "../../lib/s3/uri-encoding.ts";

/** So that the destination shows it as a replica, and does not replicate it further. */
export const REPLICA_MARK: HeaderField = ["x-amz-replication-status", "REPLICA"];

/** `isFramed`: the body is sent in aws-chunked. */
export function replicaHeaders(
  version: Version,
  destination: ReplicationDestination,
  { isFramed }: { readonly isFramed: boolean },
): readonly HeaderField[] {
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
    ...lockHeaders(version),
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

function lockHeaders({ lock }: Version): readonly HeaderField[] {
  if (lock === undefined) return [];
  const headers: HeaderField[] = [];
  if (lock.mode !== ObjectLock_Mode.MODE_UNSPECIFIED) {
    const isCompliance = lock.mode === ObjectLock_Mode.COMPLIANCE;
    headers.push(
      ["x-amz-object-lock-mode", isCompliance ? "COMPLIANCE" : "GOVERNANCE"],
      ["x-amz-object-lock-retain-until-date", formatIsoDate(toSafeNumber(lock.retainUntilMs))],
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
