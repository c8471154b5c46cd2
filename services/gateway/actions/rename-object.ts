// RenameObject: the object of one key becomes that of another in the same bucket, in one step and
// without touching a byte. Only in buckets without versioning, as what it replaces is gone.
import { equalBytes, utf8 } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import { checkKey } from "../../lib/s3/addressing.ts";
import { parseRenameConditions } from "../../lib/s3/conditions.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import { HeaderList } from "../../lib/s3/headers.ts";
import { percentDecodeText } from "../../lib/s3/uri-encoding.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { allowVersion } from "../data/access/access-check.ts";
import { allowWriteCondition } from "../data/access/condition-rights.ts";
import { shownBucket, storedKey } from "../data/bucket-view.ts";
import { executeAt } from "../data/name-space.ts";
import { isVersioned } from "../data/version-id.ts";
import { renameCondition } from "../data/write-condition.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";

const SOURCE_PREFIX = "x-amz-rename-source-";
const CONDITIONS = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];

export const renameObject: ObjectOperation = {
  name: "RenameObject",
  method: "PUT",
  match: { level: "object", query: ["renameObject"] },
  permission: "s3:PutObject",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "InvalidArgument",
    "InvalidBucketState",
    "InvalidRequest",
    "KeyTooLongError",
    "NoSuchBucket",
    "NoSuchKey",
    "NotImplemented",
    "PreconditionFailed",
  ],
  page: "RenameObject",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, key, request, gateway } = context;
  const { headers } = request;
  const named = sourceKey(headers.get("x-amz-rename-source"), shownBucket(context));
  const sourceText = storedKey(context, named);
  const source = utf8(sourceText);
  if (equalBytes(source, key)) {
    throw new S3Error("InvalidRequest", "An object cannot be renamed to its own name.");
  }
  // The old name goes, which is as much as deleting it.
  for (const permission of ["s3:GetObject", "s3:DeleteObject"] as const) {
    await allowVersion(context, { permission, bucket, key: sourceText });
  }
  if (isVersioned(bucket)) throw versioned();
  const { buckets } = gateway.dependencies;
  if (buckets.groupOf(bucket, source) !== buckets.groupOf(bucket, key)) {
    throw new S3Error("NotImplemented", "The two keys are kept by different index groups.");
  }
  await allowWriteCondition(context, headers);
  const { receivedMs } = request;
  const targetCondition = renameCondition(parseRenameConditions(headers, receivedMs));
  const ofSource = parseRenameConditions(sourceHeaders(headers), receivedMs);
  const place = { bucket, key, condition: blamedHeader(headers) };
  const value = {
    bucketId: bucket.bucketId,
    sourceKey: source,
    targetKey: key,
    sourceCondition: renameCondition(ofSource),
    targetCondition,
    // S3 has no event of its own for it: to who listens, an object came to be under the new key.
    event: "ObjectCreated:Copy",
  };
  try {
    await executeAt(context, place, { case: "renameObject", value });
  } catch (error) {
    throw isStoreError(error, "conflict") ? versioned() : error;
  }
  return emptyAnswer(200);
}

function versioned(): S3Error {
  return new S3Error(
    "InvalidBucketState",
    "Objects can be renamed only in buckets that never had versioning.",
  );
}

/** `/bucket/key` or `key`, percent-encoded. */
function sourceKey(header: string | undefined, bucketName: string): string {
  const text = percentDecodeText(header ?? "", false);
  const prefix = `/${bucketName}/`;
  const key = text.startsWith(prefix) ? text.slice(prefix.length) : text.replace(/^\//, "");
  if (key === "") {
    throw invalidArgument("The rename source must name a key.", "x-amz-rename-source", text);
  }
  return checkKey(key);
}

/** The conditions of the source, under the names they have for the target. */
function sourceHeaders(headers: HeaderList): HeaderList {
  return new HeaderList(
    headers.fields
      .filter(([name]) => name.startsWith(SOURCE_PREFIX))
      .map(([name, value]) => [name.slice(SOURCE_PREFIX.length), value] as const),
  );
}

/** What a failed condition is said to be, as the state machine does not tell which one it was. */
function blamedHeader(headers: HeaderList): string {
  const ofSource = CONDITIONS.map((name) => `${SOURCE_PREFIX}${name.toLowerCase()}`);
  const names = [...CONDITIONS, ...ofSource];
  return names.find((name) => headers.has(name.toLowerCase())) ?? "If-Match";
}
