// CopyObject: reads the source, verified, and writes a new object, so that the copy depends on
// nothing of the source. Metadata and tags are copied or replaced; storage class, redirect, access
// control list and lock always come from the request.
import { equalBytes } from "../../lib/base/bytes.ts";
import { parseCopyChecksumAlgorithm } from "../../lib/s3/checksum-headers.ts";
import type { ChecksumAlgorithm } from "../../lib/s3/checksums.ts";
import { parseWriteCondition } from "../../lib/s3/conditions.ts";
import { asksForEncryption } from "../../lib/s3/encryption-headers.ts";
import { invalidArgument, S3Error } from "../../lib/s3/errors.ts";
import { md5Etag } from "../../lib/s3/etag.ts";
import { copyObjectDocument } from "../../lib/s3/object-documents.ts";
import { parseTaggingDirective } from "../../lib/s3/settings/tagging.ts";
import { type Answer, xmlAnswer } from "../answer.ts";
import { allow, hidingMissing } from "../data/access/access-check.ts";
import { subjectOf } from "../data/access/bucket-facts.ts";
import { addRequestTags } from "../data/access/condition-context.ts";
import { fromRecord, fullObject } from "../data/checksum-records.ts";
import {
  CopiedBytes,
  type OpenCopySource,
  openCopySource,
  sourceFields,
} from "../data/copy-source.ts";
import { keyText } from "../data/listing.ts";
import { allowNewObject, type BesideInit, besideOfWrite } from "../data/object-beside.ts";
import { commitObject } from "../data/object-commit.ts";
import { expirationFields } from "../data/object-expiration.ts";
import { headersOfWrite, type ObjectHeadersInit, storageClassOf } from "../data/object-record.ts";
import { tagsOf } from "../data/object-tags.ts";
import { writeBody } from "../data/object-writer.ts";
import { entityDigest, sealingOfWrite } from "../data/sealing.ts";
import { writtenEncryptionFields } from "../data/sealing-fields.ts";
import { shownVersionId, versionIdFields } from "../data/version-id.ts";
import { commandCondition } from "../data/write-condition.ts";
import { type ObjectContext, type ObjectOperation, SMALL_BODY_BYTES_MAX } from "../operation.ts";
import { getObject } from "./get-object.ts";
import { putObject } from "./put-object.ts";

export const copyObject: ObjectOperation = {
  name: "CopyObject",
  method: "PUT",
  match: { level: "object", header: "x-amz-copy-source" },
  permission: "s3:PutObject",
  body: "none",
  bodyBytesMax: SMALL_BODY_BYTES_MAX,
  errors: [...new Set([...putObject.errors, ...getObject.errors])],
  page: "CopyObject",
  scope: "object",
  hidesMissing: true,
  run,
};

async function run(context: ObjectContext): Promise<Answer> {
  const { request, gateway, bucket, key } = context;
  const { headers } = request;
  const directive = directiveOf(context);
  const tagging = parseTaggingDirective(headers);
  const storageClass = storageClassOf(gateway, headers);
  const ownHeaders = headersOfWrite(gateway, headers);
  const ownBeside = await besideOfWrite(context, headers);
  const condition = commandCondition(parseWriteCondition(headers));
  const wanted = parseCopyChecksumAlgorithm(headers);
  const sealing = await sealingOfWrite(context, headers);
  const source = await openCopySource(context, undefined);
  if (directive === "COPY") refuseSelfCopy(context, source, ownHeaders);
  if (tagging === "COPY") allowTags(context, source, ownBeside);
  const algorithm = wanted ?? sourceAlgorithm(source);
  const bytes = new CopiedBytes(context, source, {
    checksums: gateway.checksums,
    names: algorithm === undefined ? ["MD5"] : ["MD5", algorithm],
  });
  const { size } = source;
  const body = await writeBody(context, {
    bucket,
    key,
    size,
    storageClass,
    source: bytes.stream(),
    inlineBytesMax: gateway.settings.inlineBytes,
    sealing,
  });
  const etag = md5Etag(entityDigest(context, sealing, bytes.digest("MD5")));
  const checksums = algorithm === undefined ? [] : [fullObject(algorithm, bytes.digest(algorithm))];
  const version = {
    size,
    etag,
    headers: directive === "COPY" ? copiedHeaders(source, ownHeaders) : ownHeaders,
    checksums,
    storageClass,
    beside: tagging === "COPY" ? withTagsOf(source, ownBeside) : ownBeside,
  };
  const event = "ObjectCreated:Copy";
  const { modifiedMs, versionId } = await hidingMissing(context, bucket, () =>
    commitObject(context, { version, body, condition, event }),
  );
  return xmlAnswer(copyObjectDocument({ lastModifiedMs: modifiedMs, etag, checksums }), [
    ...sourceFields(context, source),
    ...versionIdFields(versionId),
    ...expirationFields(context, { size, tags: version.beside.tags, modifiedMs }),
    ...writtenEncryptionFields(context, sealing?.encryption),
  ]);
}

function directiveOf({ request }: ObjectContext): "COPY" | "REPLACE" {
  const text = request.headers.get("x-amz-metadata-directive") ?? "COPY";
  if (text === "COPY" || text === "REPLACE") return text;
  throw invalidArgument("Unknown metadata directive.", "x-amz-metadata-directive", text);
}

/** Throws InvalidRequest when the copy would change nothing. */
function refuseSelfCopy(
  context: ObjectContext,
  { found, versionId }: OpenCopySource,
  ownHeaders: ObjectHeadersInit,
): void {
  const { place } = found;
  const isSelf =
    place.bucket.bucketId === context.bucket.bucketId && equalBytes(place.key, context.key);
  const { headers } = context.request;
  const storageClass = storageClassOf(context.gateway, headers);
  const changesClass =
    headers.has("x-amz-storage-class") && storageClass !== found.version.storageClass;
  const changesRedirect = (ownHeaders.websiteRedirectLocation ?? "") !== "";
  const changesChecksum = headers.has("x-amz-checksum-algorithm");
  const changesSeal = asksForEncryption(headers);
  // An old version becomes the current one by being copied over it.
  const restores =
    versionId !== undefined && shownVersionId(place.bucket, found.version) !== undefined;
  if (!isSelf || changesClass || changesRedirect || changesChecksum || changesSeal) return;
  if (restores) return;
  throw new S3Error(
    "InvalidRequest",
    "This copy request is illegal because it is trying to copy an object to itself without " +
      "changing the object's metadata, storage class, website redirect location or encryption " +
      "attributes.",
  );
}

function copiedHeaders(
  { found }: OpenCopySource,
  { websiteRedirectLocation }: ObjectHeadersInit,
): ObjectHeadersInit {
  const { headers } = found.version;
  return {
    contentType: headers?.contentType ?? "",
    contentEncoding: headers?.contentEncoding ?? "",
    contentLanguage: headers?.contentLanguage ?? "",
    contentDisposition: headers?.contentDisposition ?? "",
    cacheControl: headers?.cacheControl ?? "",
    expires: headers?.expires ?? "",
    userMetadata: headers?.userMetadata ?? [],
    websiteRedirectLocation: websiteRedirectLocation ?? "",
  };
}

/** Tags are read there and written here, each by a right of its own, where there are any. */
function allowTags(
  context: ObjectContext,
  { found, versionId }: OpenCopySource,
  { owner }: BesideInit,
): void {
  const { version, place } = found;
  if (version.tags.length === 0) return;
  const permission = versionId === undefined ? "s3:GetObjectTagging" : "s3:GetObjectVersionTagging";
  const { bucket } = place;
  const subject = subjectOf(context.gateway, bucket, version);
  allow(context, { permission, bucket, key: keyText(place.key), versionId, subject });
  const fromBody = new Map<string, readonly string[]>();
  addRequestTags(fromBody, tagsOf(version.tags));
  const { headers } = context.request;
  allowNewObject(context, "s3:PutObjectTagging", { owner, headers, fromBody });
}

function withTagsOf({ found }: OpenCopySource, beside: BesideInit): BesideInit {
  return { ...beside, tags: found.version.tags.map(({ name, value }) => ({ name, value })) };
}

function sourceAlgorithm({ found }: OpenCopySource): ChecksumAlgorithm | undefined {
  return found.version.checksums.map(fromRecord)[0]?.algorithm;
}
