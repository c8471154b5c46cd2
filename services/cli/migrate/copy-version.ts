// Copies one version of an object from one store to another: bytes through this process, checked
// against what the source says of them and checked again by the target when it stores them;
// headers, metadata, tags and locks with them. Nothing is kept here but the parts in flight.
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  type HeadObjectCommandOutput,
} from "@aws-sdk/client-s3";
import { partCountOf } from "../objects/checksum-kinds.ts";
import { about, codeOf } from "../objects/failure.ts";
import { streamBody } from "../objects/fetch-range.ts";
import { runLanes } from "../objects/lanes.ts";
import { type RemoteLocation, shownLocation } from "../objects/location.ts";
import type { ObjectContext } from "../objects/object-context.ts";
import { headObject, type ObjectHead } from "../objects/object-head.ts";
import { PART_BYTES_MIN, PARTS_MAX, partBytesFor } from "../objects/part-plan.ts";
import type { StoreSettings } from "../objects/store-settings.ts";
import { putBuffer, type UploadFields } from "../objects/upload.ts";
import { beginUpload, completeUpload, type StoredPart, sendPart } from "../objects/upload-parts.ts";
import { expectationOf, otherBytes, StreamCheck } from "../objects/verify-download.ts";
import { type Hasher, multipartEtagOf } from "./part-digests.ts";
import type { Entry } from "./versions.ts";

export interface Stores {
  readonly source: ObjectContext;
  readonly target: ObjectContext;
}

export interface VersionCall {
  /** Bucket and key on both sides. */
  readonly location: RemoteLocation;
  readonly entry: Entry;
}

/** Larger parts of the source are not kept as they are: they would have to fit in memory. */
const KEPT_PART_BYTES_MAX = 64 * 1024 * 1024;

/** Throws CommandError; nothing half is left. */
export async function copyVersion(stores: Stores, call: VersionCall): Promise<void> {
  const { location, entry } = call;
  if (entry.kind === "delete-marker") return markDeleted(stores.target, location);
  const { versionId } = entry;
  const head = await headObject(stores.source, { location, versionId, customerKey: undefined });
  const fields = await fieldsOf(stores.source, call, head);
  const partBytes = await partBytesOf(stores, call, head);
  if (head.bytes <= partBytes) await copyWhole(stores, { call, head, fields });
  else await copyParts(stores, { call, head, fields, partBytes });
}

async function markDeleted(context: ObjectContext, location: RemoteLocation): Promise<void> {
  const { bucket, key } = location;
  await about(shownLocation(location), () =>
    context.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), {
      abortSignal: context.signal,
    }),
  );
}

interface Work {
  readonly call: VersionCall;
  readonly head: ObjectHead;
  readonly fields: UploadFields;
}

function settingsOf({ checksum }: ObjectHead): StoreSettings {
  const whole = checksum !== undefined && partCountOf(checksum.value) === undefined;
  const algorithm = whole ? checksum.algorithm : "CRC64NVME";
  return { algorithm, metadata: {}, fields: {}, customerKey: undefined };
}

async function copyWhole({ source, target }: Stores, work: Work): Promise<void> {
  const { call, head, fields } = work;
  const body = Buffer.allocUnsafe(head.bytes);
  const check = new StreamCheck(source.checksums, expectationOf(head));
  let at = 0;
  for await (const chunk of bytesOf(source, call, head)) {
    body.set(chunk, at);
    at += chunk.byteLength;
    check.update(chunk);
  }
  check.end();
  await putBuffer(target, { target: call.location, settings: settingsOf(head), fields }, body);
}

function bytesOf(
  source: ObjectContext,
  { location, entry }: VersionCall,
  head: ObjectHead,
): AsyncGenerator<Uint8Array, undefined> {
  const { versionId } = entry;
  const range = { first: 0, end: head.bytes };
  return streamBody(source, { source: location, versionId, etag: head.etag, ...range });
}

/** Parts go out side by side, the bytes come in one stream and are hashed on their way. */
async function copyParts(
  { source, target }: Stores,
  work: Work & { readonly partBytes: number },
): Promise<void> {
  const { call, head, fields, partBytes } = work;
  const { location } = call;
  const settings = settingsOf(head);
  const upload = { target: location, settings, fields };
  const uploadId = await beginUpload(target, upload);
  const stored: StoredPart[] = [];
  const digests: Hasher[] = [];
  const check = new StreamCheck(source.checksums, expectationOf(head));
  try {
    const parts = cut(bytesOf(source, call, head), { partBytes, bytes: head.bytes }, (body) => {
      check.update(body);
      digests.push(source.checksums.create("MD5"));
      digests.at(-1)?.update(body);
    });
    await runLanes(parts, target.partJobs, async ({ number, body }) => {
      stored.push(
        await sendPart(target, { work: upload, upload: { uploadId }, range: { number }, body }),
      );
    });
    check.end();
    checkParts(head, digests);
    await completeUpload(target, { target: location, settings, uploadId, stored });
  } catch (error) {
    await abandon(target, location, uploadId);
    throw error;
  }
}

/** The tag of an object in parts proves its bytes only where the parts are the same. */
function checkParts(head: ObjectHead, digests: readonly Hasher[]): void {
  const expected = expectationOf(head);
  const { hash, partCount, digest } = expected ?? {};
  if (expected === undefined || hash !== "MD5" || partCount !== digests.length) return;
  if (multipartEtagOf(digests) === digest) return;
  throw otherBytes(expected);
}

/** After an interruption too: without the signal. */
async function abandon(
  context: ObjectContext,
  location: RemoteLocation,
  uploadId: string,
): Promise<void> {
  const { bucket, key } = location;
  const command = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId });
  await about(`${shownLocation(location)} (ending its upload)`, () => context.s3.send(command));
}

async function* cut(
  input: AsyncIterable<Uint8Array>,
  { partBytes, bytes }: { readonly partBytes: number; readonly bytes: number },
  seen: (body: Buffer) => void,
): AsyncGenerator<{ readonly number: number; readonly body: Buffer }> {
  let [number, left, filled] = [1, bytes, 0];
  let body = Buffer.allocUnsafe(Math.min(partBytes, left));
  for await (const chunk of input) {
    for (let rest = chunk; rest.byteLength > 0; ) {
      const taken = rest.subarray(0, body.byteLength - filled);
      body.set(taken, filled);
      filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (filled < body.byteLength) continue;
      seen(body);
      yield { number, body };
      left -= filled;
      [number, filled] = [number + 1, 0];
      body = Buffer.allocUnsafe(Math.min(partBytes, left));
    }
  }
}

/** The source's own part size where it can be kept, so that both have the same entity tag. */
async function partBytesOf(
  { source, target }: Stores,
  { location, entry }: VersionCall,
  head: ObjectHead,
): Promise<number> {
  const asked = partBytesFor(head.bytes, target.partBytes);
  const count = partCountOf(head.etag.replaceAll('"', ""));
  if (count === undefined)
    return head.bytes <= KEPT_PART_BYTES_MAX ? Math.max(asked, head.bytes) : asked;
  if (count === 1 || count > PARTS_MAX) return asked;
  const { versionId } = entry;
  const how = { location, versionId, customerKey: undefined, partNumber: 1 };
  const { bytes } = await headObject(source, how);
  const fits = bytes >= PART_BYTES_MIN && bytes <= KEPT_PART_BYTES_MAX;
  return fits && Math.ceil(head.bytes / bytes) === count ? bytes : asked;
}

async function fieldsOf(
  source: ObjectContext,
  call: VersionCall,
  { answer }: ObjectHead,
): Promise<UploadFields> {
  const tagging = await tagsOf(source, call, answer);
  const store = {
    CacheControl: answer.CacheControl,
    ContentDisposition: answer.ContentDisposition,
    ContentEncoding: answer.ContentEncoding,
    ContentLanguage: answer.ContentLanguage,
    ContentType: answer.ContentType,
    ...expiresOf(answer),
    ...(answer.WebsiteRedirectLocation === undefined
      ? {}
      : { WebsiteRedirectLocation: answer.WebsiteRedirectLocation }),
    ...(tagging === undefined ? {} : { Tagging: tagging }),
    ...lockOf(answer),
  };
  return { store, metadata: answer.Metadata ?? {} };
}

function expiresOf({ ExpiresString = "" }: HeadObjectCommandOutput): { Expires?: Date } {
  const time = Date.parse(ExpiresString);
  return Number.isNaN(time) ? {} : { Expires: new Date(time) };
}

/** A lock that has ended is none: stores refuse dates that are over. */
function lockOf(answer: HeadObjectCommandOutput): object {
  const { ObjectLockMode, ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus } = answer;
  const isLocked =
    ObjectLockRetainUntilDate !== undefined && ObjectLockRetainUntilDate.getTime() > Date.now();
  return {
    ...(isLocked ? { ObjectLockMode, ObjectLockRetainUntilDate } : {}),
    ...(ObjectLockLegalHoldStatus === "ON" ? { ObjectLockLegalHoldStatus } : {}),
  };
}

async function tagsOf(
  source: ObjectContext,
  { location, entry }: VersionCall,
  { TagCount }: HeadObjectCommandOutput,
): Promise<string | undefined> {
  if (TagCount === 0) return undefined;
  const { bucket, key } = location;
  const command = new GetObjectTaggingCommand({
    Bucket: bucket,
    Key: key,
    ...(entry.versionId === undefined ? {} : { VersionId: entry.versionId }),
  });
  const TagSet = await about(`${shownLocation(location)} (its tags)`, async () => {
    try {
      return (await source.s3.send(command, { abortSignal: source.signal })).TagSet ?? [];
    } catch (error) {
      // A store without tags has none to carry.
      if (TagCount === undefined && codeOf(error) === "NotImplemented") return [];
      throw error;
    }
  });
  const pairs = TagSet.map(({ Key = "", Value = "" }) => [Key, Value]);
  return pairs.length === 0 ? undefined : new URLSearchParams(pairs).toString();
}
