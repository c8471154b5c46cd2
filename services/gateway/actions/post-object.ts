// PostObject: an upload by an HTML form. Who sends it is told by the form's own fields, and what it
// may be by their policy; by then nothing of the file was read.
import { utf8 } from "../../lib/base/bytes.ts";
import { PUT_BODY_BYTES_MAX } from "../../lib/base/limits.ts";
import { md5Etag } from "../../lib/s3/etag.ts";
import { formAnswer } from "../../lib/s3/post-form/form-answer.ts";
import { parseTagging } from "../../lib/s3/settings/tagging.ts";
import type { Answer } from "../answer.ts";
import { formConditions } from "../data/access/body-conditions.ts";
import { shownBucket, shownKey } from "../data/bucket-view.ts";
import { fullObject } from "../data/checksum-records.ts";
import { storeFormFile } from "../data/form-write.ts";
import { allowNewObject, type BesideInit, besideOfWrite } from "../data/object-beside.ts";
import { objectLocation } from "../data/object-location.ts";
import { headersOfWrite, storageClassOf } from "../data/object-record.ts";
import { objectTagLimits, tagRecords } from "../data/object-tags.ts";
import { entityDigest, sealingOfWrite } from "../data/sealing.ts";
import { writtenEncryptionFields } from "../data/sealing-fields.ts";
import { versionIdFields } from "../data/version-id.ts";
import type { FormContext, FormOperation } from "../operation.ts";
import { putObject } from "./put-object.ts";

export const postObject: FormOperation = {
  name: "PostObject",
  method: "POST",
  match: { level: "bucket" },
  permission: "s3:PutObject",
  body: "object",
  bodyBytesMax: PUT_BODY_BYTES_MAX,
  errors: [
    ...putObject.errors.filter((code) => code !== "MissingContentLength"),
    "EntityTooSmall",
    "IncorrectNumberOfFilesInPostRequest",
    "InvalidPolicyDocument",
    "MalformedPOSTRequest",
    "MalformedXML",
    "MaxPostPreDataLengthExceededError",
    "RequestIsNotMultiPartContent",
    "UserKeyMustBeSpecified",
  ],
  page: "RESTObjectPOST",
  scope: "form",
  run,
};

async function run(context: FormContext): Promise<Answer> {
  const { gateway, form } = context;
  const { headers, fields, body, length } = form;
  const storageClass = storageClassOf(gateway, headers);
  const stored = headersOfWrite(gateway, headers);
  const beside = await besideOfForm(context);
  const sealing = await sealingOfWrite(context, headers);
  let etag = "";
  const { versionId } = await storeFormFile(context, {
    source: body.file({ checksums: gateway.checksums, headers, length }),
    bytesMax: context.body.contentLength ?? PUT_BODY_BYTES_MAX,
    sealing,
    described: { headers: stored, storageClass, beside },
    finish: () => {
      const { md5, checksum } = body.digests;
      etag = md5Etag(entityDigest(context, sealing, md5));
      const checksums =
        checksum === undefined ? [] : [fullObject(checksum.algorithm, checksum.digest)];
      return { etag, checksums };
    },
  });
  const answer = formAnswer(fields, {
    location: objectLocation(context),
    bucket: shownBucket(context),
    key: shownKey(context),
    etag,
  });
  return {
    status: answer.status,
    headers: [
      ...answer.headers,
      ...versionIdFields(versionId),
      ...writtenEncryptionFields(context, sealing?.encryption),
    ],
    body: answer.body === undefined ? { kind: "empty" } : { kind: "xml", text: answer.body },
  };
}

/** As of a PutObject, but tags come as a document in the field `tagging`. */
async function besideOfForm(context: FormContext): Promise<BesideInit> {
  const { headers, fields } = context.form;
  const beside = await besideOfWrite(context, headers);
  const document = fields.get("tagging");
  if (document === undefined) return beside;
  const fromBody = formConditions(fields);
  allowNewObject(context, "s3:PutObjectTagging", { owner: beside.owner, headers, fromBody });
  const tags = tagRecords(parseTagging(utf8(document), objectTagLimits(context.gateway)));
  return { ...beside, tags };
}
