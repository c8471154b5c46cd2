// Headers of answers that say how an object is sealed. They never hold a key.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { StoreError } from "../../lib/base/errors.ts";
import { kmsKeyArn } from "../../lib/clients/kms-key-id.ts";
import {
  type Encryption,
  Encryption_Kind,
  type EncryptionSchema,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { encodeBase64 } from "../../lib/s3/base64.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { ServiceContext } from "../operation.ts";

/** As it is stored, or about to be. */
type EncryptionRecord = MessageInitShape<typeof EncryptionSchema>;

const METHOD = "x-amz-server-side-encryption";

/** For any answer about an object or upload that is sealed as `encryption` says. */
export function encryptionFields(
  { gateway }: ServiceContext,
  encryption: EncryptionRecord | undefined,
): HeaderField[] {
  if (encryption === undefined) return [];
  switch (encryption.kind) {
    case Encryption_Kind.SSE_S3:
      return [[METHOD, "AES256"]];
    case Encryption_Kind.SSE_KMS: {
      const keyId = kmsKeyArn(encryption.keyName ?? "", gateway.settings.region);
      const fields: HeaderField[] = [
        [METHOD, "aws:kms"],
        [`${METHOD}-aws-kms-key-id`, keyId],
      ];
      if (encryption.bucketKey === true) fields.push([`${METHOD}-bucket-key-enabled`, "true"]);
      return fields;
    }
    case Encryption_Kind.SSE_C:
      return [
        [`${METHOD}-customer-algorithm`, "AES256"],
        [`${METHOD}-customer-key-MD5`, encodeBase64(encryption.clientKeyMd5 ?? NO_BYTES)],
      ];
    default:
      throw new StoreError("corrupt", `an encryption of kind ${encryption.kind}`);
  }
}

const NO_BYTES = new Uint8Array(0);

/** For the answer to a write, which also repeats the encryption context. */
export function writtenEncryptionFields(
  context: ServiceContext,
  encryption: EncryptionRecord | undefined,
): HeaderField[] {
  const fields = encryptionFields(context, encryption);
  const kmsContext = encryption?.context ?? "";
  if (kmsContext !== "") fields.push([`${METHOD}-context`, kmsContext]);
  return fields;
}

/** For the answer to CompleteMultipartUpload, which says nothing about clients' keys. */
export function completedEncryptionFields(
  context: ServiceContext,
  encryption: Encryption | undefined,
): HeaderField[] {
  const isManaged = encryption?.kind !== Encryption_Kind.SSE_C;
  return isManaged ? encryptionFields(context, encryption) : [];
}
