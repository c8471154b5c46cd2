// UploadPartCopy: a part from an object that exists, or from a range of it.
import { assert } from "../../lib/base/assert.ts";
import { md5Etag } from "../../lib/s3/etag.ts";
import { parseCopySourceRange } from "../../lib/s3/http-range.ts";
import { copyPartDocument } from "../../lib/s3/object-documents.ts";
import { parsePartNumber } from "../../lib/s3/xml-requests.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { fullObject } from "../data/checksum-records.ts";
import { CopiedBytes, openCopySource, sourceFields } from "../data/copy-source.ts";
import { writeBody } from "../data/object-writer.ts";
import { entityDigest, sealingOfPart } from "../data/sealing.ts";
import { encryptionFields } from "../data/sealing-fields.ts";
import { commitPart, openUpload, partAlgorithm, requestedUploadId } from "../data/uploads.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";
import { getObject } from "./get-object.ts";
import { uploadPart } from "./upload-part.ts";

export const uploadPartCopy: ObjectOperation = {
  name: "UploadPartCopy",
  method: "PUT",
  match: { level: "object", query: ["partNumber", "uploadId"], header: "x-amz-copy-source" },
  permission: "s3:PutObject",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [...new Set([...uploadPart.errors, ...getObject.errors])],
  page: "UploadPartCopy",
  scope: "object",
  ofUpload: true,
  hidesMissing: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway, bucket, key } = context;
  const { headers, target } = request;
  const partNumber = parsePartNumber(target.query.get("partNumber") ?? "");
  const uploadId = requestedUploadId(context);
  const rangeHeader = headers.get("x-amz-copy-source-range");
  const range = rangeHeader === undefined ? undefined : parseCopySourceRange(rangeHeader);
  const upload = await openUpload(context, uploadId);
  const sealing = await sealingOfPart(context, upload);
  const source = await openCopySource(context, range);
  const algorithm = partAlgorithm(upload, undefined);
  const bytes = new CopiedBytes(context, source, {
    checksums: gateway.checksums,
    names: algorithm === undefined ? ["MD5"] : ["MD5", algorithm],
  });
  const { size } = source;
  const written = await writeBody(context, {
    bucket,
    key,
    size,
    storageClass: upload.storageClass,
    source: bytes.stream(),
    inlineBytesMax: -1,
    sealing,
  });
  assert(written.kind === "manifest", "UploadPartCopy: a part is never inline");
  const md5 = entityDigest(context, sealing, bytes.digest("MD5"));
  const checksums = algorithm === undefined ? [] : [fullObject(algorithm, bytes.digest(algorithm))];
  const { manifest, seal } = written;
  const part = { uploadId, partNumber, size, md5, checksums, manifest, seal };
  const { modifiedMs } = await commitPart(context, part);
  const result = { lastModifiedMs: modifiedMs, etag: md5Etag(md5), checksums };
  return xmlAnswer(copyPartDocument(result), [
    ...sourceFields(context, source),
    ...encryptionFields(context, sealing?.encryption),
  ]);
}
