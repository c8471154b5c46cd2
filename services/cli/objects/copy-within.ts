// Copies an object inside the server: in one request up to 5 GiB, else in parts. No byte of it
// passes here, so the copy is compared with its source by what the server says of both: size, and
// checksum or entity tag where the two can be compared.
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  GetObjectTaggingCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { uriEncode } from "../../lib/s3/uri-encoding.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { bareEtag, checksumOf, isMd5Etag, partCountOf } from "./checksum-kinds.ts";
import { about } from "./failure.ts";
import { TIME_METADATA } from "./file-time.ts";
import { runLanes } from "./lanes.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { headObject, type ObjectHead } from "./object-head.ts";
import { partBytesFor, partRanges } from "./part-plan.ts";
import type { StoreSettings } from "./store-settings.ts";
import type { Stored, UploadFields } from "./upload.ts";
import { beginUpload, completeUpload, type StoredPart } from "./upload-parts.ts";
import type { Proof } from "./verify-download.ts";

export interface CopyCall {
  readonly source: RemoteLocation;
  readonly versionId?: string | undefined;
  readonly target: RemoteLocation;
  readonly settings: StoreSettings;
}

export interface Copied extends Stored {
  readonly proof: Proof;
}

/** Throws CommandError; a copy in parts that fails leaves none behind. */
export async function copyWithin(context: ObjectContext, call: CopyCall): Promise<Copied> {
  const { source, versionId, target, settings } = call;
  const { customerKey } = context;
  const head = await headObject(context, { location: source, versionId, customerKey });
  const progress = context.progress.file(shownLocation(source), head.bytes);
  try {
    const done =
      head.bytes > context.copyLimits.wholeBytesMax
        ? await copyInParts(context, { call, head, progress })
        : await copyWhole(context, { call, head });
    const proof = await compared(context, { head, done, target, settings });
    if (head.bytes <= context.copyLimits.wholeBytesMax) progress.advance(head.bytes);
    return { ...done, proof };
  } finally {
    progress.end();
  }
}

interface CopyWork {
  readonly call: CopyCall;
  readonly head: ObjectHead;
}

async function copyWhole(context: ObjectContext, { call, head }: CopyWork): Promise<Stored> {
  const { target, settings } = call;
  const replaces = replacesMetadata(settings);
  const fields = copyFields(settings, head);
  const { Tagging, ...others } = fields.store;
  const answer = await about(shownLocation(call.source), () =>
    context.s3.send(
      new CopyObjectCommand({
        Bucket: target.bucket,
        Key: target.key,
        ...sourceOf(context, call),
        CopySourceIfMatch: head.etag,
        ...(replaces
          ? { ...others, Metadata: fields.metadata, MetadataDirective: "REPLACE" }
          : { ...others, ContentType: undefined, ...PROPERTIES_OF_SOURCE }),
        ...(Tagging === undefined ? {} : { Tagging, TaggingDirective: "REPLACE" }),
      }),
      { abortSignal: context.signal },
    ),
  );
  return {
    bytes: head.bytes,
    resumedBytes: 0,
    etag: bareEtag(answer.CopyObjectResult?.ETag),
    versionId: answer.VersionId,
    checksum: checksumOf(answer.CopyObjectResult ?? {}),
  };
}

const PROPERTIES_OF_SOURCE = {
  CacheControl: undefined,
  ContentDisposition: undefined,
  ContentEncoding: undefined,
};

/** Whether anything of what the source says of itself is to be said otherwise. */
function replacesMetadata({ metadata, fields }: StoreSettings): boolean {
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding } = fields;
  const properties = [ContentType, CacheControl, ContentDisposition, ContentEncoding];
  return Object.keys(metadata).length > 0 || properties.some((value) => value !== undefined);
}

/** The source's own, but for what was given. Given metadata replaces all of it but the time. */
function copyFields(settings: StoreSettings, { answer }: ObjectHead): UploadFields {
  const { fields, metadata } = settings;
  const kept = answer.Metadata ?? {};
  const time = kept[TIME_METADATA];
  const isGiven = Object.keys(metadata).length > 0;
  return {
    store: {
      ...fields,
      ContentType: fields.ContentType ?? answer.ContentType,
      CacheControl: fields.CacheControl ?? answer.CacheControl,
      ContentDisposition: fields.ContentDisposition ?? answer.ContentDisposition,
      ContentEncoding: fields.ContentEncoding ?? answer.ContentEncoding,
    },
    metadata: isGiven
      ? { ...(time === undefined ? {} : { [TIME_METADATA]: time }), ...metadata }
      : kept,
  };
}

function sourceOf(
  { customerKey }: ObjectContext,
  { source, versionId }: CopyCall,
): {
  readonly CopySource: string;
  readonly CopySourceSSECustomerAlgorithm?: string;
  readonly CopySourceSSECustomerKey?: string;
  readonly CopySourceSSECustomerKeyMD5?: string;
} {
  const version = versionId === undefined ? "" : `?versionId=${uriEncode(versionId, false)}`;
  return {
    CopySource: `${uriEncode(source.bucket, false)}/${uriEncode(source.key, true)}${version}`,
    ...(customerKey === undefined
      ? {}
      : {
          CopySourceSSECustomerAlgorithm: customerKey.SSECustomerAlgorithm,
          CopySourceSSECustomerKey: customerKey.SSECustomerKey,
          CopySourceSSECustomerKeyMD5: customerKey.SSECustomerKeyMD5,
        }),
  };
}

async function copyInParts(
  context: ObjectContext,
  work: CopyWork & { readonly progress: { advance(bytes: number): void } },
): Promise<Stored> {
  const { call, head, progress } = work;
  const { target } = call;
  const fields = copyFields(call.settings, head);
  const tags = fields.store.Tagging ?? (await tagsOf(context, call));
  const store = { ...fields.store, ...(tags === undefined ? {} : { Tagging: tags }) };
  const settings = { ...call.settings, algorithm: undefined };
  const uploadId = await beginUpload(context, { target, settings, fields: { ...fields, store } });
  const stored: StoredPart[] = [];
  try {
    const ranges = partRanges(head.bytes, partBytesFor(head.bytes, context.copyLimits.partBytes));
    await runLanes(ranges, context.partJobs, async ({ number, offset, bytes }) => {
      const answer = await about(shownLocation(call.source), () =>
        context.s3.send(
          new UploadPartCopyCommand({
            Bucket: target.bucket,
            Key: target.key,
            UploadId: uploadId,
            PartNumber: number,
            CopySourceRange: `bytes=${offset}-${offset + bytes - 1}`,
            CopySourceIfMatch: head.etag,
            ...sourceOf(context, call),
            ...settings.customerKey,
          }),
          { abortSignal: context.signal },
        ),
      );
      const etag = answer.CopyPartResult?.ETag ?? "";
      stored.push({ number, etag, bytes, checksum: undefined });
      progress.advance(bytes);
    });
    const done = await completeUpload(context, { target, settings, uploadId, stored });
    return { ...done, bytes: head.bytes, resumedBytes: 0 };
  } catch (error) {
    await about(`${shownLocation(target)} (ending its upload)`, () =>
      context.s3.send(
        new AbortMultipartUploadCommand({
          Bucket: target.bucket,
          Key: target.key,
          UploadId: uploadId,
        }),
      ),
    );
    throw error;
  }
}

/** A copy in one request takes the tags along; a copy in parts must be told them. */
async function tagsOf(
  context: ObjectContext,
  { source, versionId }: CopyCall,
): Promise<string | undefined> {
  const answer = await about(`${shownLocation(source)} (its tags)`, () =>
    context.s3.send(
      new GetObjectTaggingCommand({
        Bucket: source.bucket,
        Key: source.key,
        ...(versionId === undefined ? {} : { VersionId: versionId }),
      }),
      { abortSignal: context.signal },
    ),
  );
  const pairs = (answer.TagSet ?? []).map(({ Key = "", Value = "" }) => [Key, Value]);
  return pairs.length === 0 ? undefined : new URLSearchParams(pairs).toString();
}

/** Throws when the copy is surely not its source; undefined when only the sizes tell. */
async function compared(
  context: ObjectContext,
  given: {
    readonly head: ObjectHead;
    readonly done: Stored;
    readonly target: RemoteLocation;
    readonly settings: StoreSettings;
  },
): Promise<Proof> {
  const { head, done, target, settings } = given;
  const etag = bareEtag(head.etag);
  if (head.plainEtag && isMd5Etag(etag) && done.etag === etag) return "MD5";
  const { customerKey } = settings;
  const versionId = done.versionId;
  const copy = await headObject(context, { location: target, versionId, customerKey });
  if (copy.bytes !== head.bytes) throw otherCopy(target, "size");
  const [first, second] = [head.checksum, copy.checksum];
  const comparable =
    first?.algorithm === second?.algorithm &&
    partCountOf(first?.value ?? "") === undefined &&
    partCountOf(second?.value ?? "") === undefined;
  if (first === undefined || second === undefined || !comparable) return undefined;
  if (first.value !== second.value) throw otherCopy(target, first.algorithm);
  return first.algorithm;
}

function otherCopy(target: RemoteLocation, what: string): CommandError {
  const text = `${shownLocation(target)}: the copy has another ${what} than its source`;
  return new CommandError(ExitCode.FAILED, "corrupt", text);
}
