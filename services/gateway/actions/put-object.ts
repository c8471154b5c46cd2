// PutObject. The object appears only when its whole body was received, verified and made durable,
// in one command that also evaluates the condition.
import { assert, present } from "../../lib/base/assert.ts";
import { PUT_BODY_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseWriteCondition } from "../../lib/s3/conditions.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import { md5Etag, quoteEtag } from "../../lib/s3/etag.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { checksumFields, fullObject } from "../data/checksum-records.ts";
import { besideOfWrite } from "../data/object-beside.ts";
import { commitObject } from "../data/object-commit.ts";
import { expirationFields } from "../data/object-expiration.ts";
import { headersOfWrite, storageClassOf } from "../data/object-record.ts";
import { writeBody } from "../data/object-writer.ts";
import { entityDigest, sealingOfWrite } from "../data/sealing.ts";
import { writtenEncryptionFields } from "../data/sealing-fields.ts";
import { VerifiedBody } from "../data/verified-body.ts";
import { versionIdFields } from "../data/version-id.ts";
import { commandCondition } from "../data/write-condition.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const putObject: ObjectOperation = {
  name: "PutObject",
  method: "PUT",
  match: { level: "object" },
  permission: "s3:PutObject",
  body: "object",
  bodyBytesMax: PUT_BODY_BYTES_MAX,
  errors: [
    "AccessControlListNotSupported",
    "BadDigest",
    "BadRequest",
    "EntityTooLarge",
    "IncompleteBody",
    "InvalidArgument",
    "InvalidDigest",
    "InvalidEncryptionAlgorithmError",
    "InvalidRequest",
    "InvalidStorageClass",
    "InvalidTag",
    "KMS.NotFoundException",
    "KeyTooLongError",
    "MetadataTooLarge",
    "MissingContentLength",
    "NoSuchBucket",
    "NoSuchKey",
    "NotImplemented",
    "PreconditionFailed",
    "QuotaExceeded",
    "UnresolvableGrantByEmailAddress",
    "XAmzContentSHA256Mismatch",
  ],
  page: "PutObject",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway, bucket, key } = context;
  const { headers } = request;
  const storageClass = storageClassOf(gateway, headers);
  const stored = headersOfWrite(gateway, headers);
  const beside = await besideOfWrite(context, headers);
  const condition = commandCondition(parseWriteCondition(headers));
  const body = new VerifiedBody({
    body: context.body,
    headers,
    authenticated: context.authenticated,
    checksums: gateway.checksums,
    bytesMax: PUT_BODY_BYTES_MAX,
    tooLarge: "EntityTooLarge",
    needsLength: true,
    alsoCompute: ["MD5"],
  });
  if (beside.lock !== undefined) requireDigest(body);
  const sealing = await sealingOfWrite(context, headers);
  const size = present(body.size, "size of the body");
  const written = await writeBody(context, {
    bucket,
    key,
    size,
    storageClass,
    source: body.stream(),
    inlineBytesMax: gateway.settings.inlineBytes,
    sealing,
  });
  assert(body.isVerified, "PutObject: the body was not verified before its commit");
  const etag = md5Etag(entityDigest(context, sealing, body.digest("MD5")));
  const stated = body.statedChecksum();
  const checksums = stated === undefined ? [] : [fullObject(stated.algorithm, stated.digest)];
  const version = { size, etag, headers: stored, checksums, storageClass, beside };
  const event = "ObjectCreated:Put";
  const { versionId, modifiedMs } = await commitObject(context, {
    version,
    body: written,
    condition,
    event,
  });
  return emptyAnswer(200, [
    ["ETag", quoteEtag(etag)],
    ...checksumFields(checksums),
    ...versionIdFields(versionId),
    ...expirationFields(context, { size, tags: beside.tags, modifiedMs }),
    ...writtenEncryptionFields(context, sealing?.encryption),
  ]);
}

/** What cannot be deleted again must have arrived as it was sent, as on AWS. */
function requireDigest(body: VerifiedBody): void {
  if (body.contentMd5 !== undefined || body.checksum !== undefined) return;
  throw new S3Error(
    "InvalidRequest",
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object " +
      "Lock parameters",
  );
}
