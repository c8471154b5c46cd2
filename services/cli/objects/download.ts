// Fetches an object into a local file: ranges in parallel into `.NAME.dolium-part` beside the
// target, each bound to one entity tag, verified as a whole, given its time, then renamed. The
// target is the old file or the whole new one, never a part. An interrupted download goes on with
// the ranges it lacks.
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, utimes } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CommandError, ExitCode } from "../exit-code.ts";
import { about, codeOf } from "./failure.ts";
import { fetchRange } from "./fetch-range.ts";
import { runLanes } from "./lanes.ts";
import { NEW_FILE_FLAGS } from "./local-tree.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { headObject, type ObjectHead } from "./object-head.ts";
import { partBytesFor, partRanges } from "./part-plan.ts";
import type { FileProgress } from "./progress.ts";
import { TransferState } from "./transfer-state.ts";
import { type Expectation, expectationOf, type Proof, verifyFile } from "./verify-download.ts";

const PART_SUFFIX = ".dolium-part";
const NAME_BYTES_MAX = 255;

export interface DownloadCall {
  readonly source: RemoteLocation;
  readonly versionId?: string | undefined;
  readonly path: string;
  /** Resolves only after the file is on the disk: before its source is deleted. */
  readonly durable: boolean;
}

export interface Fetched {
  readonly bytes: number;
  readonly resumedBytes: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly proof: Proof;
}

/** Whether a name is one of our unfinished downloads. */
export function isPartName(name: string): boolean {
  return name.startsWith(".") && name.endsWith(PART_SUFFIX);
}

/** The folder must be there or creatable. Throws CommandError; what arrived is kept. */
export async function downloadFile(context: ObjectContext, call: DownloadCall): Promise<Fetched> {
  const { source, versionId } = call;
  const { customerKey } = context;
  const head = await headObject(context, { location: source, versionId, customerKey });
  const progress = context.progress.file(call.path, head.bytes);
  try {
    return await about(call.path, () => fetchInto(context, { call, head, progress }));
  } finally {
    progress.end();
  }
}

interface Work {
  readonly call: DownloadCall;
  readonly head: ObjectHead;
  readonly progress: FileProgress;
}

async function fetchInto(context: ObjectContext, work: Work): Promise<Fetched> {
  const { call, head } = work;
  const { source, path } = call;
  const state = new TransferState(context.stateDir, [
    "download",
    context.connection.endpoint ?? "",
    source.bucket,
    source.key,
    call.versionId ?? "",
    resolve(path),
  ]);
  const partPath = partPathOf(path);
  await mkdir(dirname(path), { recursive: true });
  const file = await open(partPath, NEW_FILE_FLAGS, 0o666);
  let isWhole = false;
  try {
    const resumedBytes = await fetchRanges(context, { work, file, state });
    const proof = await verified(context, { work, file });
    if (head.fileTimeMs !== undefined) {
      await utimes(partPath, head.fileTimeMs / 1000, head.fileTimeMs / 1000);
    }
    if (call.durable) await file.sync();
    await rename(partPath, path);
    isWhole = true;
    if (call.durable) await syncFolder(dirname(path));
    const { bytes, etag, versionId } = head;
    return { bytes, resumedBytes, etag: etag.replaceAll('"', ""), versionId, proof };
  } catch (error) {
    if (codeOf(error) === "corrupt") {
      await rm(partPath, { force: true });
      isWhole = true;
    }
    throw error;
  } finally {
    await file.close();
    if (isWhole) state.remove();
  }
}

/** Fills `file`; resolves with the bytes that were there already. */
async function fetchRanges(
  context: ObjectContext,
  given: { readonly work: Work; readonly file: FileHandle; readonly state: TransferState },
): Promise<number> {
  const { work, file, state } = given;
  const { call, head, progress } = work;
  const partBytes = partBytesFor(head.bytes, context.partBytes);
  const facts = { etag: head.etag, size: head.bytes, partBytes };
  const { size } = await file.stat();
  const kept = size === head.bytes ? state.read(facts)?.done : undefined;
  const done = new Set(Array.isArray(kept) ? kept.filter(Number.isSafeInteger) : []);
  if (done.size === 0) await file.truncate(0);
  await file.truncate(head.bytes);
  let resumedBytes = 0;
  const ranges = partRanges(head.bytes, partBytes).filter(({ bytes }) => bytes > 0);
  const buffers: Buffer[] = [];
  await runLanes(ranges, context.partJobs, async (range) => {
    if (done.has(range.number)) {
      resumedBytes += range.bytes;
      progress.advance(range.bytes);
      return;
    }
    const buffer = buffers.pop() ?? Buffer.allocUnsafe(Math.min(partBytes, head.bytes));
    const view = buffer.subarray(0, range.bytes);
    const isAll = range.bytes === head.bytes;
    await fetchRange(context, {
      source: call.source,
      versionId: call.versionId,
      etag: head.etag,
      range: isAll ? undefined : range,
      view,
    });
    await writeFully(file, view, range.offset);
    buffers.push(buffer);
    done.add(range.number);
    if (ranges.length > 1) state.write({ ...facts, done: [...done] });
    progress.advance(range.bytes);
  });
  return resumedBytes;
}

async function verified(
  context: ObjectContext,
  { work, file }: { readonly work: Work; readonly file: FileHandle },
): Promise<Proof> {
  const { head, call } = work;
  const expected = expectationOf(head);
  if (expected === undefined) return undefined;
  await verifyFile({
    factory: context.checksums,
    file,
    bytes: head.bytes,
    expected,
    partSizes: (exact) => partSizes(context, { call, head, expected, exact }),
    signal: context.signal,
  });
  return expected.proof;
}

/** Sizes of the parts the object was made of: as if all were like the first, or each asked for. */
async function partSizes(
  context: ObjectContext,
  given: {
    readonly call: DownloadCall;
    readonly head: ObjectHead;
    readonly expected: Expectation;
    readonly exact: boolean;
  },
): Promise<readonly number[]> {
  const { call, head, expected, exact } = given;
  const ask = async (partNumber: number): Promise<number> => {
    const { customerKey } = context;
    const { source: location, versionId } = call;
    const part = await headObject(context, { location, versionId, customerKey, partNumber });
    if (part.etag === head.etag) return part.bytes;
    throw new CommandError(
      ExitCode.FAILED,
      "changed",
      `${shownLocation(location)} changed while it was read`,
    );
  };
  const count = expected.partCount ?? 1;
  if (exact) {
    const sizes = new Array<number>(count).fill(0);
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    await runLanes(numbers, context.partJobs, async (number) => {
      sizes[number - 1] = await ask(number);
    });
    return sizes;
  }
  const first = await ask(1);
  return partRanges(head.bytes, Math.max(1, first)).map(({ bytes }) => bytes);
}

/** Beside the target, so that renaming stays within one file system. */
function partPathOf(path: string): string {
  const name = basename(path);
  const plain = `.${name}${PART_SUFFIX}`;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 32);
  const isLong = Buffer.byteLength(plain) > NAME_BYTES_MAX;
  return join(dirname(path), isLong ? `.${hash}${PART_SUFFIX}` : plain);
}

async function writeFully(file: FileHandle, view: Uint8Array, offset: number): Promise<void> {
  let at = 0;
  while (at < view.byteLength) {
    const { bytesWritten } = await file.write(view, at, view.byteLength - at, offset + at);
    at += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
