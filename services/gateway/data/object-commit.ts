// The command that makes a written body visible as the current version of its key.

import { toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { StoredChecksum } from "../../lib/s3/document-parts.ts";
import type { ObjectContext } from "../operation.ts";
import { toRecord } from "./checksum-records.ts";
import { executeAt } from "./name-space.ts";
import type { BesideInit } from "./object-beside.ts";
import type { ObjectHeadersInit } from "./object-record.ts";
import type { WrittenBody } from "./object-writer.ts";
import { versionIdText } from "./version-id.ts";
import type { CommandCondition } from "./write-condition.ts";

/**
 * Events of writes, as S3 spells them; it has none for locks: those are told to replication alone.
 */
export type ObjectEvent =
  | "ObjectCreated:Put"
  | "ObjectCreated:Post"
  | "ObjectCreated:Copy"
  | "ObjectCreated:CompleteMultipartUpload"
  | "ObjectTagging:Put"
  | "ObjectTagging:Delete"
  | "ObjectAcl:Put"
  | "ObjectRetention:Put"
  | "ObjectLegalHold:Put";

export interface NewVersion {
  readonly size: number;
  /** Unquoted. */
  readonly etag: string;
  readonly headers: ObjectHeadersInit;
  readonly checksums: readonly StoredChecksum[];
  readonly storageClass: string;
  readonly beside: BesideInit;
}

export interface Commit {
  readonly version: NewVersion;
  readonly body: WrittenBody;
  readonly condition: CommandCondition;
  readonly event: ObjectEvent;
}

export interface Committed {
  readonly modifiedMs: number;
  /** As answers show it; undefined in a bucket without versioning. */
  readonly versionId: string | undefined;
}

/** Throws PreconditionFailed, NoSuchKey (If-Match without an object) and StoreError. */
export async function commitObject(context: ObjectContext, commit: Commit): Promise<Committed> {
  const { bucket, key } = context;
  const { version, body, condition } = commit;
  const place = { bucket, key, condition: condition.header };
  const reply = await executeAt(context, place, {
    case: "putObject",
    value: {
      bucketId: bucket.bucketId,
      key,
      version: {
        size: BigInt(version.size),
        etag: version.etag,
        headers: version.headers,
        checksums: version.checksums.map(toRecord),
        storageClass: version.storageClass,
        ...version.beside,
        body:
          body.kind === "inline"
            ? { case: "inline", value: body.bytes }
            : { case: "manifestId", value: body.manifest.manifestId },
        ...body.seal,
      },
      ...(body.kind === "manifest" ? { manifest: body.manifest } : {}),
      condition: condition.condition,
      event: commit.event,
    },
  });
  if (reply.kind.case !== "putObject") {
    throw new StoreError("internal", "a put was answered by another reply");
  }
  const { modifiedMs, versionId } = reply.kind.value;
  return { modifiedMs: toSafeNumber(modifiedMs), versionId: versionIdText(versionId) };
}
