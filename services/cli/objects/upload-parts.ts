// A file in parallel parts. The upload's id is kept before the first part is sent; a later run of
// the same command asks the server which parts it has, hashes the file's own, and sends only what
// is missing or other. The whole is completed with the checksum of the whole.
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type Part,
  paginateListParts,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { isCrcAlgorithm } from "../../lib/s3/checksum-combine.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import {
  bareEtag,
  type CheckedPart,
  type Checksum,
  checksumField,
  checksumOf,
  md5Hex,
  partCountOf,
  wholeChecksum,
} from "./checksum-kinds.ts";
import { about, codeOf } from "./failure.ts";
import { runLanes } from "./lanes.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { type PartRange, partBytesFor, partRanges } from "./part-plan.ts";
import type { StoreSettings } from "./store-settings.ts";
import { TransferState } from "./transfer-state.ts";
import {
  bodyCheck,
  checkStored,
  checkUnchanged,
  readFully,
  type Stored,
  type UploadWork,
  wrongBytes,
} from "./upload.ts";

interface OpenUpload {
  readonly uploadId: string;
  /** Parts the server has, by number. */
  readonly parts: ReadonlyMap<number, Part>;
}

export interface StoredPart {
  readonly number: number;
  readonly etag: string;
  readonly bytes: number;
  readonly checksum: Checksum | undefined;
}

export async function uploadParts(context: ObjectContext, work: UploadWork): Promise<Stored> {
  const { source, target, settings } = work;
  const partBytes = partBytesFor(source.bytes, context.partBytes);
  const state = new TransferState(context.stateDir, [
    "upload",
    context.connection.endpoint ?? "",
    target.bucket,
    target.key,
    source.path,
  ]);
  const facts = {
    size: source.bytes,
    mtime: String(source.mtimeNs),
    partBytes,
    settings: JSON.stringify([
      settings.algorithm ?? "none",
      settings.metadata,
      secretless(settings),
    ]),
  };
  const kept = state.read(facts)?.uploadId;
  const known = typeof kept === "string" ? await findUpload(context, work, kept) : undefined;
  const upload = known ?? { uploadId: await beginUpload(context, work), parts: new Map() };
  if (known === undefined) state.write({ ...facts, uploadId: upload.uploadId });
  const stored: StoredPart[] = [];
  let resumedBytes = 0;
  const buffers: Buffer[] = [];
  await runLanes(partRanges(source.bytes, partBytes), context.partJobs, async (range) => {
    const buffer = buffers.pop() ?? Buffer.allocUnsafe(partBytes);
    const body = buffer.subarray(0, range.bytes);
    await readFully(source.file, body, range.offset);
    const listed = partThere(context, { work, range, body, part: upload.parts.get(range.number) });
    if (listed !== undefined) resumedBytes += range.bytes;
    stored.push(listed ?? (await sendPart(context, { work, upload, range, body })));
    buffers.push(buffer);
    work.progress.advance(range.bytes);
  });
  await checkUnchanged(source);
  const done = await completeUpload(context, {
    target,
    settings,
    uploadId: upload.uploadId,
    stored,
  });
  state.remove();
  return { ...done, bytes: source.bytes, resumedBytes };
}

/** What makes one upload unlike another, without keys. */
function secretless(settings: StoreSettings): object {
  return { ...settings.fields, SSECustomerKey: undefined };
}

/** The upload with its parts; undefined when it is no more. */
async function findUpload(
  context: ObjectContext,
  work: UploadWork,
  uploadId: string,
): Promise<OpenUpload | undefined> {
  const { target, settings } = work;
  const parts = new Map<number, Part>();
  try {
    const pages = paginateListParts(
      { client: context.s3 },
      { Bucket: target.bucket, Key: target.key, UploadId: uploadId, ...settings.customerKey },
      { abortSignal: context.signal },
    );
    for await (const { Parts } of pages) {
      for (const part of Parts ?? []) parts.set(part.PartNumber ?? 0, part);
    }
  } catch (error) {
    if (codeOf(error) === "NoSuchUpload") return undefined;
    throw error;
  }
  return { uploadId, parts };
}

/** Creates an upload; the id. */
export async function beginUpload(
  context: ObjectContext,
  { target, settings, fields }: Pick<UploadWork, "target" | "settings" | "fields">,
): Promise<string> {
  const { algorithm } = settings;
  const created = await about(shownLocation(target), () =>
    context.s3.send(
      new CreateMultipartUploadCommand({
        Bucket: target.bucket,
        Key: target.key,
        ...fields.store,
        Metadata: fields.metadata,
        ...(algorithm === undefined
          ? {}
          : {
              ChecksumAlgorithm: algorithm,
              ChecksumType: isCrcAlgorithm(algorithm) ? "FULL_OBJECT" : "COMPOSITE",
            }),
      }),
      { abortSignal: context.signal },
    ),
  );
  if (created.UploadId !== undefined && created.UploadId !== "") return created.UploadId;
  throw new CommandError(ExitCode.FAILED, "failed", "the server gave the upload no id");
}

/** The part that the server has, when it is surely these bytes. */
function partThere(
  context: ObjectContext,
  given: {
    readonly work: UploadWork;
    readonly range: PartRange;
    readonly body: Buffer;
    readonly part: Part | undefined;
  },
): StoredPart | undefined {
  const { work, range, body, part } = given;
  if (part === undefined || part.Size !== range.bytes || part.ETag === undefined) return undefined;
  const { checksum } = bodyCheck(context, work.settings.algorithm, body);
  const listed = checksumOf(part);
  const equal =
    checksum !== undefined && listed?.algorithm === checksum.algorithm
      ? listed.value === checksum.value
      : bareEtag(part.ETag) === md5Hex(body);
  if (!equal) return undefined;
  return { number: range.number, etag: part.ETag, bytes: range.bytes, checksum };
}

/** One UploadPart, verified. `body` is borrowed until it resolves. */
export async function sendPart(
  context: ObjectContext,
  given: {
    readonly work: Pick<UploadWork, "target" | "settings">;
    readonly upload: Pick<OpenUpload, "uploadId">;
    readonly range: Pick<PartRange, "number">;
    readonly body: Buffer;
  },
): Promise<StoredPart> {
  const { work, upload, range, body } = given;
  const { target, settings } = work;
  const { checksum, request } = bodyCheck(context, settings.algorithm, body);
  const answer = await about(shownLocation(target), () =>
    context.s3.send(
      new UploadPartCommand({
        Bucket: target.bucket,
        Key: target.key,
        UploadId: upload.uploadId,
        PartNumber: range.number,
        Body: body,
        ...settings.customerKey,
        ...request,
      }),
      { abortSignal: context.signal },
    ),
  );
  checkStored(answer, { checksum, body, target });
  return { number: range.number, etag: answer.ETag ?? "", bytes: body.byteLength, checksum };
}

export interface Completion {
  readonly target: RemoteLocation;
  readonly settings: StoreSettings;
  readonly uploadId: string;
  /** In any order. */
  readonly stored: readonly StoredPart[];
}

/** Completes with the checksum of the whole, and checks the answer's. */
export async function completeUpload(
  context: ObjectContext,
  { target, settings, uploadId, stored }: Completion,
): Promise<Pick<Stored, "etag" | "versionId" | "checksum">> {
  const parts = stored.toSorted((first, second) => first.number - second.number);
  const checked = parts.flatMap(({ checksum, bytes }): CheckedPart[] =>
    checksum === undefined ? [] : [{ checksum, bytes }],
  );
  const whole = checked.length === 0 ? undefined : wholeChecksum(context.checksums, checked);
  const completed = await about(shownLocation(target), () =>
    context.s3.send(
      new CompleteMultipartUploadCommand({
        Bucket: target.bucket,
        Key: target.key,
        UploadId: uploadId,
        MultipartUpload: { Parts: parts.map(completedPart) },
        ...settings.customerKey,
        // A checksum made of those of the parts is not sent: each part carries its own.
        ...(partCountOf(whole?.value ?? "") === undefined ? checksumField(whole) : {}),
      }),
      { abortSignal: context.signal },
    ),
  );
  const answered = checksumOf(completed);
  const isOther = answered?.algorithm === whole?.algorithm && answered?.value !== whole?.value;
  if (whole !== undefined && isOther) throw wrongBytes(target);
  return { etag: bareEtag(completed.ETag), versionId: completed.VersionId, checksum: whole };
}

function completedPart({ number, etag, checksum }: StoredPart): CompletedPart {
  return { PartNumber: number, ETag: etag, ...checksumField(checksum) };
}
