// The command that makes a written body visible as the current version of its key.

import { toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { Versioning } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { StoredChecksum } from "../../lib/s3/document-parts.ts";
import type { ObjectContext } from "../operation.ts";
import { toRecord } from "./checksum-records.ts";
import { executeAt } from "./name-space.ts";
import type { ObjectHeadersInit } from "./object-record.ts";
import type { WrittenBody } from "./object-writer.ts";
import type { CommandCondition } from "./write-condition.ts";

export interface NewVersion {
  readonly size: number;
  /** Unquoted. */
  readonly etag: string;
  readonly headers: ObjectHeadersInit;
  readonly checksums: readonly StoredChecksum[];
  readonly storageClass: string;
}

export interface Commit {
  readonly version: NewVersion;
  readonly body: WrittenBody;
  readonly condition: CommandCondition;
}

export interface Committed {
  readonly modifiedMs: number;
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
        owner: bucket.owner,
        body:
          body.kind === "inline"
            ? { case: "inline", value: body.bytes }
            : { case: "manifestId", value: body.manifest.manifestId },
      },
      ...(body.kind === "manifest" ? { manifest: body.manifest } : {}),
      condition: condition.condition,
      versioning: Versioning.OFF,
    },
  });
  if (reply.kind.case !== "putObject") {
    throw new StoreError("internal", "a put was answered by another reply");
  }
  return { modifiedMs: toSafeNumber(reply.kind.value.modifiedMs) };
}
