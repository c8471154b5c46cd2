// UploadPart. A part becomes part of the upload only when its body was verified and is durable;
// sending the same number again replaces it.
import { assert, present } from "../../lib/base/assert.ts";
import { PART_BYTES_MAX } from "../../lib/base/limits.ts";
import { parseChecksumHeaders } from "../../lib/s3/checksum-headers.ts";
import { md5Etag, quoteEtag } from "../../lib/s3/etag.ts";
import { parsePartNumber } from "../../lib/s3/xml-requests.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { checksumFields, fullObject } from "../data/checksum-records.ts";
import { writeBody } from "../data/object-writer.ts";
import { entityDigest, sealingOfPart } from "../data/sealing.ts";
import { encryptionFields } from "../data/sealing-fields.ts";
import { commitPart, openUpload, partAlgorithm, requestedUploadId } from "../data/uploads.ts";
import { VerifiedBody } from "../data/verified-body.ts";
import type { ObjectContext, ObjectOperation } from "../operation.ts";

export const uploadPart: ObjectOperation = {
  name: "UploadPart",
  method: "PUT",
  match: { level: "object", query: ["partNumber", "uploadId"] },
  permission: "s3:PutObject",
  body: "object",
  bodyBytesMax: PART_BYTES_MAX,
  errors: [
    "BadDigest",
    "EntityTooLarge",
    "IncompleteBody",
    "InvalidArgument",
    "InvalidDigest",
    "InvalidEncryptionAlgorithmError",
    "InvalidRequest",
    "MissingContentLength",
    "NoSuchBucket",
    "NoSuchUpload",
    "QuotaExceeded",
    "XAmzContentSHA256Mismatch",
  ],
  page: "UploadPart",
  scope: "object",
  ofUpload: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway, bucket, key } = context;
  const { headers, target } = request;
  const partNumber = parsePartNumber(target.query.get("partNumber") ?? "");
  const uploadId = requestedUploadId(context);
  const stated = parseChecksumHeaders(headers)?.algorithm;
  const upload = await openUpload(context, uploadId);
  const algorithm = partAlgorithm(upload, stated);
  const sealing = await sealingOfPart(context, upload);
  const body = new VerifiedBody({
    body: context.body,
    headers,
    authenticated: context.authenticated,
    checksums: gateway.checksums,
    bytesMax: PART_BYTES_MAX,
    tooLarge: "EntityTooLarge",
    needsLength: true,
    alsoCompute: algorithm === undefined ? ["MD5"] : ["MD5", algorithm],
  });
  const size = present(body.size, "size of the body");
  const written = await writeBody(context, {
    bucket,
    key,
    size,
    storageClass: upload.storageClass,
    source: body.stream(),
    inlineBytesMax: -1,
    sealing,
  });
  assert(body.isVerified, "UploadPart: the body was not verified before its commit");
  assert(written.kind === "manifest", "UploadPart: a part is never inline");
  const md5 = entityDigest(context, sealing, body.digest("MD5"));
  const checksums = algorithm === undefined ? [] : [fullObject(algorithm, body.digest(algorithm))];
  const { manifest, seal } = written;
  await commitPart(context, { uploadId, partNumber, size, md5, checksums, manifest, seal });
  return emptyAnswer(200, [
    ["ETag", quoteEtag(md5Etag(md5))],
    ...checksumFields(checksums).filter(([name]) => name !== "x-amz-checksum-type"),
    ...encryptionFields(context, sealing?.encryption),
  ]);
}
