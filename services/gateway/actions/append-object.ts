// PutObject with x-amz-write-offset-bytes: adds the body at the end of the object, which must be
// exactly there. Of two that add at one offset, one is refused. Only in buckets without versioning.
import { present } from "../../lib/base/assert.ts";
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { isStoreError, StoreError } from "../../lib/base/errors.ts";
import { OBJECT_BYTES_MAX, PUT_BODY_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseWriteCondition } from "../../lib/s3/conditions.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import { md5Etag, quoteEtag } from "../../lib/s3/etag.ts";
import { parseDecimal } from "../../lib/s3/integers.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { allowWriteCondition } from "../data/access/condition-rights.ts";
import { fullObject, toRecord } from "../data/checksum-records.ts";
import { executeAt } from "../data/name-space.ts";
import { type Addition, bodyFields, writeAddition } from "../data/object-append.ts";
import { besideOfWrite } from "../data/object-beside.ts";
import { findObject } from "../data/object-reader.ts";
import { headersOfWrite, storageClassOf } from "../data/object-record.ts";
import { writeBody } from "../data/object-writer.ts";
import { entityDigest, sealingOfWrite } from "../data/sealing.ts";
import { encryptionFields } from "../data/sealing-fields.ts";
import { VerifiedBody } from "../data/verified-body.ts";
import { CURRENT_VERSION, isVersioned } from "../data/version-id.ts";
import { commandCondition } from "../data/write-condition.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";
import { putObject } from "./put-object.ts";

export const appendObject: ObjectOperation = {
  name: "AppendObject",
  method: "PUT",
  match: { level: "object", header: "x-amz-write-offset-bytes" },
  permission: "s3:PutObject",
  body: "object",
  bodyBytesMax: PUT_BODY_BYTES_MAX,
  errors: [...putObject.errors, "InvalidBucketState", "InvalidWriteOffset", "TooManyParts"],
  page: "PutObject",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { bucket, key, request, gateway } = context;
  const offset = parseOffset(context);
  const condition = commandCondition(parseWriteCondition(request.headers));
  await allowWriteCondition(context, request.headers);
  if (isVersioned(bucket)) throw versioned();
  const extent = { kind: "bytes", first: 0, last: 0 } as const;
  const place = { bucket, key, versionId: CURRENT_VERSION };
  const found = await findObject(context, { ...place, extent, withBody: true });
  // Refused before the body is sent; the state machine has the last word.
  if (offset !== (found?.size ?? 0)) throw new S3Error("InvalidWriteOffset");
  const body = new VerifiedBody({
    body: context.body,
    headers: request.headers,
    authenticated: context.authenticated,
    checksums: gateway.checksums,
    bytesMax: Math.min(PUT_BODY_BYTES_MAX, OBJECT_BYTES_MAX - offset),
    tooLarge: "EntityTooLarge",
    needsLength: true,
    alsoCompute: ["MD5"],
  });
  const size = present(body.size, "size of the body");
  const addition =
    found === undefined
      ? await writeFirst(context, body, size)
      : await writeAddition(context, { found, body, size });
  const encryption = found === undefined ? addition.version.encryption : found.version.encryption;
  return commit(context, { offset, addition, condition, encryption });
}

function parseOffset({ request }: ObjectContext): number {
  const text = request.headers.get("x-amz-write-offset-bytes") ?? "";
  const offset = parseDecimal(text);
  if (offset !== undefined) return offset;
  throw invalidArgument(
    "The write offset must be a number of bytes.",
    "x-amz-write-offset-bytes",
    text,
  );
}

/** The first bytes of an object that is not there yet: as PutObject writes it. */
async function writeFirst(
  context: ObjectContext,
  body: VerifiedBody,
  size: number,
): Promise<Addition> {
  const { bucket, key, gateway, request } = context;
  const { headers } = request;
  const storageClass = storageClassOf(gateway, headers);
  const stored = headersOfWrite(gateway, headers);
  const beside = await besideOfWrite(context, headers);
  const sealing = await sealingOfWrite(context, headers);
  const inlineBytesMax = gateway.settings.inlineBytes;
  const source = body.stream();
  const target = { bucket, key, size, storageClass, source, inlineBytesMax, sealing };
  const written = await writeBody(context, target);
  const md5 = entityDigest(context, sealing, body.digest("MD5"));
  const etag = md5Etag(md5);
  const stated = body.statedChecksum();
  const checksums = stated === undefined ? [] : [fullObject(stated.algorithm, stated.digest)];
  const fields = bodyFields(written, { size, etag, checksums: checksums.map(toRecord) });
  const version = { ...fields.version, ...beside, headers: stored, storageClass };
  return { ...fields, version, md5, whole: false };
}

interface AppendCommit {
  readonly offset: number;
  readonly addition: Addition;
  readonly condition: ReturnType<typeof commandCondition>;
  /** Of the object, for the answer. */
  readonly encryption: Parameters<typeof encryptionFields>[1];
}

async function commit(
  context: ObjectContext,
  { offset, addition, condition, encryption }: AppendCommit,
): Promise<Answer> {
  const { bucket, key } = context;
  const { ifVersionId, ...body } = addition;
  const value = {
    ...body,
    bucketId: bucket.bucketId,
    key,
    offset: BigInt(offset),
    condition: {
      ...condition.condition,
      ...(ifVersionId === undefined ? {} : { ifVersionId }),
    },
    event: "ObjectCreated:Put",
  };
  const place = { bucket, key, condition: condition.header };
  const reply = await executeAt(context, place, { case: "appendObject", value }).catch(changed);
  if (reply.kind.case !== "appendObject") {
    throw new StoreError("internal", "an append was answered by another reply");
  }
  const { size, etag } = reply.kind.value;
  return emptyAnswer(200, [
    ["ETag", quoteEtag(etag)],
    ["x-amz-object-size", String(toSafeNumber(size))],
    ...encryptionFields(context, encryption),
  ]);
}

/** The object became another one while its bytes came in; the client may send them again. */
function changed(error: unknown): never {
  throw isStoreError(error, "conflict")
    ? new S3Error("ConditionalRequestConflict", undefined, { cause: error })
    : error;
}

function versioned(): S3Error {
  return new S3Error(
    "InvalidBucketState",
    "Objects can be appended to only in buckets that never had versioning.",
  );
}
