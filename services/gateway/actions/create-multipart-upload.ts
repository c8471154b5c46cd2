// CreateMultipartUpload. The upload is a record of the range that will hold the object; any gateway
// may take its parts.
import { newManifestId } from "../../lib/clients/body-writer.ts";
import { parseMultipartChecksum } from "../../lib/s3/checksum-headers.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { initiateMultipartUploadDocument } from "../../lib/s3/multipart-documents.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { callerId } from "../data/access/caller.ts";
import { shownBucket, shownKey } from "../data/bucket-view.ts";
import { algorithmRecord, typeRecord } from "../data/checksum-records.ts";
import { executeAt } from "../data/name-space.ts";
import { besideOfWrite } from "../data/object-beside.ts";
import { abortFields } from "../data/object-expiration.ts";
import { headersOfWrite, storageClassOf } from "../data/object-record.ts";
import { sealingOfWrite } from "../data/sealing.ts";
import { writtenEncryptionFields } from "../data/sealing-fields.ts";
import { uploadIdText } from "../data/uploads.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";
import { refuseAnonymous } from "../plugins/authorization.ts";

export const createMultipartUpload: ObjectOperation = {
  name: "CreateMultipartUpload",
  method: "POST",
  match: { level: "object", query: ["uploads"] },
  permission: "s3:PutObject",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [
    "AccessControlListNotSupported",
    "BadRequest",
    "InvalidArgument",
    "InvalidEncryptionAlgorithmError",
    "InvalidRequest",
    "InvalidStorageClass",
    "InvalidTag",
    "KMS.NotFoundException",
    "MetadataTooLarge",
    "NoSuchBucket",
    "NotImplemented",
    "QuotaExceeded",
    "UnresolvableGrantByEmailAddress",
  ],
  page: "CreateMultipartUpload",
  scope: "object",
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway, bucket, key } = context;
  // Nobody could tell who may go on with what nobody known began.
  refuseAnonymous(context.identity);
  const { headers } = request;
  const checksum = parseMultipartChecksum(headers);
  const beside = await besideOfWrite(context, headers);
  const encryption = (await sealingOfWrite(context, headers))?.encryption;
  const { clock, random } = gateway.dependencies;
  const nowMs = clock.wallMs();
  const uploadId = newManifestId(nowMs, random);
  await executeAt(
    context,
    { bucket, key },
    {
      case: "createUpload",
      value: {
        upload: {
          uploadId,
          bucketId: bucket.bucketId,
          key,
          createdMs: BigInt(nowMs),
          touchedMs: BigInt(nowMs),
          headers: headersOfWrite(gateway, headers),
          storageClass: storageClassOf(gateway, headers),
          ...beside,
          initiator: callerId(context.identity),
          ...(encryption === undefined ? {} : { encryption }),
          checksumAlgorithm: algorithmRecord(checksum?.algorithm),
          checksumType: typeRecord(checksum?.type),
        },
      },
    },
  );
  const fields: HeaderField[] =
    checksum === undefined
      ? []
      : [
          ["x-amz-checksum-algorithm", checksum.algorithm],
          ["x-amz-checksum-type", checksum.type],
        ];
  fields.push(...writtenEncryptionFields(context, encryption), ...abortFields(context, nowMs));
  const document = initiateMultipartUploadDocument({
    bucket: shownBucket(context),
    key: shownKey(context),
    uploadId: uploadIdText(uploadId),
  });
  return xmlAnswer(document, fields);
}
