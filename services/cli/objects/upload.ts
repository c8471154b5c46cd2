// Stores a local file as an object: in one request, or in parallel parts that an interrupted run
// goes on with. Every request carries a checksum that the server checks and answers; a server that
// answers none is checked by MD5 entity tags. Either the whole verified object is there, or an
// error is thrown, and no object is what it was not.
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { CommandError, ExitCode } from "../exit-code.ts";
import {
  bareEtag,
  bufferChecksum,
  type Carried,
  type Checksum,
  type ChecksumFields,
  checksumField,
  checksumOf,
  isMd5Etag,
  md5Base64,
  md5Hex,
} from "./checksum-kinds.ts";
import { contentTypeOf } from "./content-type.ts";
import { about } from "./failure.ts";
import { formatFileTime, TIME_METADATA } from "./file-time.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { partBytesFor } from "./part-plan.ts";
import type { FileProgress } from "./progress.ts";
import type { StoreFields, StoreSettings } from "./store-settings.ts";
import { uploadParts } from "./upload-parts.ts";

export interface Stored {
  readonly bytes: number;
  /** Of these, sent by an earlier run. */
  readonly resumedBytes: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly checksum: Checksum | undefined;
}

export interface UploadCall {
  readonly path: string;
  readonly target: RemoteLocation;
  readonly settings: StoreSettings;
}

/** An open file and the facts that must still hold when its last byte was read. */
export interface UploadSource {
  readonly path: string;
  readonly file: FileHandle;
  readonly bytes: number;
  readonly mtimeNs: bigint;
}

/** Request fields besides bucket, key and body. */
export interface UploadFields {
  readonly store: StoreFields;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Throws CommandError; what parts were stored is kept for the next run. */
export async function uploadFile(context: ObjectContext, call: UploadCall): Promise<Stored> {
  const { path, target, settings } = call;
  return about(path, async () => {
    const file = await open(path, "r");
    try {
      const { size, mtimeNs, isFile } = await statOf(file);
      if (!isFile) throw new CommandError(ExitCode.FAILED, "no-file", `${path} is no plain file`);
      const source: UploadSource = { path, file, bytes: size, mtimeNs };
      const fields = uploadFields(settings, path, mtimeNs);
      const partBytes = partBytesFor(size, context.partBytes);
      const progress = context.progress.file(path, size);
      try {
        if (size > partBytes) {
          return await uploadParts(context, { source, target, settings, fields, progress });
        }
        return await uploadWhole(context, { source, target, settings, fields, progress });
      } finally {
        progress.end();
      }
    } finally {
      await file.close();
    }
  });
}

/** What of a file's name and time is kept with the object; given metadata goes before. */
export function uploadFields(
  settings: StoreSettings,
  name: string,
  mtimeNs: bigint | undefined,
): UploadFields {
  const time = mtimeNs === undefined ? {} : { [TIME_METADATA]: formatFileTime(mtimeNs) };
  return {
    store: { ...settings.fields, ContentType: settings.fields.ContentType ?? contentTypeOf(name) },
    metadata: { ...time, ...settings.metadata },
  };
}

export interface UploadWork {
  readonly source: UploadSource;
  readonly target: RemoteLocation;
  readonly settings: StoreSettings;
  readonly fields: UploadFields;
  readonly progress: FileProgress;
}

async function uploadWhole(context: ObjectContext, work: UploadWork): Promise<Stored> {
  const body = Buffer.allocUnsafe(work.source.bytes);
  await readFully(work.source.file, body, 0);
  await checkUnchanged(work.source);
  const stored = await putBuffer(context, work, body);
  work.progress.advance(body.byteLength);
  return stored;
}

/** One PutObject of a whole body, verified. */
export async function putBuffer(
  context: ObjectContext,
  work: Pick<UploadWork, "target" | "settings" | "fields">,
  body: Buffer,
): Promise<Stored> {
  const { target, settings, fields } = work;
  const { checksum, request } = bodyCheck(context, settings.algorithm, body);
  const answer = await about(shownLocation(target), () =>
    context.s3.send(
      new PutObjectCommand({
        Bucket: target.bucket,
        Key: target.key,
        Body: body,
        ContentLength: body.byteLength,
        ...fields.store,
        Metadata: fields.metadata,
        ...request,
      }),
      { abortSignal: context.signal },
    ),
  );
  checkStored(answer, { checksum, body, target });
  return {
    bytes: body.byteLength,
    resumedBytes: 0,
    etag: bareEtag(answer.ETag),
    versionId: answer.VersionId,
    checksum,
  };
}

/** The request fields that let the server check `body`. */
export function bodyCheck(
  context: ObjectContext,
  algorithm: Carried | undefined,
  body: Uint8Array,
): {
  readonly checksum: Checksum | undefined;
  readonly request: ChecksumFields & { ContentMD5?: string };
} {
  if (algorithm === undefined) {
    return { checksum: undefined, request: { ContentMD5: md5Base64(body) } };
  }
  const checksum = bufferChecksum(context.checksums, algorithm, body);
  return { checksum, request: checksumField(checksum) };
}

/** Throws when the server says that it stored something else than `body`. */
export function checkStored(
  answer: ChecksumFields & { readonly ETag?: string | undefined },
  sent: {
    readonly checksum: Checksum | undefined;
    readonly body: Uint8Array;
    readonly target: RemoteLocation;
  },
): void {
  const { checksum, body, target } = sent;
  const echoed = checksumOf(answer);
  if (checksum !== undefined && echoed?.algorithm === checksum.algorithm) {
    if (echoed.value !== checksum.value) throw wrongBytes(target);
    return;
  }
  const etag = bareEtag(answer.ETag);
  const isOther = checksum !== undefined && isMd5Etag(etag) && etag !== md5Hex(body);
  if (isOther && !hasSealedEtag(answer)) throw wrongBytes(target);
}

/** With keys of KMS or of the caller, an entity tag is no MD5. */
function hasSealedEtag(answer: object): boolean {
  const sealed = "SSECustomerAlgorithm" in answer && answer.SSECustomerAlgorithm !== undefined;
  return sealed || ("SSEKMSKeyId" in answer && answer.SSEKMSKeyId !== undefined);
}

export function wrongBytes(target: RemoteLocation): CommandError {
  const text = `${shownLocation(target)}: the server stored other bytes than were sent`;
  return new CommandError(ExitCode.FAILED, "corrupt", text);
}

/** Fills `view` from `offset`. Throws when the file ends before. */
export async function readFully(file: FileHandle, view: Uint8Array, offset: number): Promise<void> {
  let at = 0;
  while (at < view.byteLength) {
    const { bytesRead } = await file.read(view, at, view.byteLength - at, offset + at);
    if (bytesRead === 0) {
      throw new CommandError(
        ExitCode.FAILED,
        "changed",
        "the file became shorter while it was read",
      );
    }
    at += bytesRead;
  }
}

/** Throws when the file is not what it was when it was opened. */
export async function checkUnchanged(source: UploadSource): Promise<void> {
  const { size, mtimeNs } = await statOf(source.file);
  if (size === source.bytes && mtimeNs === source.mtimeNs) return;
  throw new CommandError(ExitCode.FAILED, "changed", "the file changed while it was read");
}

async function statOf(
  file: FileHandle,
): Promise<{ readonly size: number; readonly mtimeNs: bigint; readonly isFile: boolean }> {
  const stat = await file.stat({ bigint: true });
  return { size: Number(stat.size), mtimeNs: stat.mtimeNs, isFile: stat.isFile() };
}
