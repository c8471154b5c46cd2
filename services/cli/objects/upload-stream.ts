// Stores a stream of unknown length, as from stdin: one request when it is short, else parts sent
// while it is read. It cannot be read twice: what fails or is interrupted is aborted, and leaves no
// parts behind.
import { AbortMultipartUploadCommand } from "@aws-sdk/client-s3";
import { about } from "./failure.ts";
import { runLanes } from "./lanes.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { streamPartBytes } from "./part-plan.ts";
import type { StoreSettings } from "./store-settings.ts";
import { putBuffer, type Stored, uploadFields } from "./upload.ts";
import { beginUpload, completeUpload, type StoredPart, sendPart } from "./upload-parts.ts";

export interface StreamUpload {
  readonly input: AsyncIterable<Uint8Array>;
  readonly target: RemoteLocation;
  readonly settings: StoreSettings;
}

export async function uploadStream(context: ObjectContext, call: StreamUpload): Promise<Stored> {
  const { target, settings } = call;
  const fields = uploadFields(settings, target.key, undefined);
  const work = { target, settings, fields };
  const progress = context.progress.file("-", undefined);
  try {
    const blocks = cutStream(call.input, context.partBytes);
    const first = await blocks.next();
    if (first.done === true) return await putBuffer(context, work, Buffer.alloc(0));
    const second = await blocks.next();
    if (second.done === true) {
      progress.advance(first.value.byteLength);
      return await putBuffer(context, work, first.value);
    }
    const all = (async function* joined() {
      yield first.value;
      yield second.value;
      yield* blocks;
    })();
    return await storeParts(context, { ...work, progress }, all);
  } finally {
    progress.end();
  }
}

type StreamWork = Parameters<typeof beginUpload>[1] & {
  readonly progress: { advance(bytes: number): void };
};

async function storeParts(
  context: ObjectContext,
  work: StreamWork,
  blocks: AsyncIterable<Buffer>,
): Promise<Stored> {
  const { target, settings, progress } = work;
  const uploadId = await beginUpload(context, work);
  const stored: StoredPart[] = [];
  let bytes = 0;
  try {
    await runLanes(numbered(blocks), context.partJobs, async ({ number, body }) => {
      stored.push(await sendPart(context, { work, upload: { uploadId }, range: { number }, body }));
      bytes += body.byteLength;
      progress.advance(body.byteLength);
    });
    const done = await completeUpload(context, { target, settings, uploadId, stored });
    return { ...done, bytes, resumedBytes: 0 };
  } catch (error) {
    await abandon(context, target, uploadId);
    throw error;
  }
}

/** Also after an interruption: without the signal. */
async function abandon(
  context: ObjectContext,
  { bucket, key }: RemoteLocation,
  uploadId: string,
): Promise<void> {
  const subject = `${shownLocation({ kind: "remote", bucket, key })} (ending its upload)`;
  await about(subject, () =>
    context.s3.send(
      new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId }),
    ),
  );
}

async function* numbered(
  blocks: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly number: number; readonly body: Buffer }> {
  let number = 0;
  for await (const body of blocks) {
    number += 1;
    yield { number, body };
  }
}

/** Blocks of the size that part 1, 2, ... should have; the last may be shorter, none is empty. */
export async function* cutStream(
  input: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer, undefined> {
  let number = 1;
  let block = Buffer.allocUnsafe(streamPartBytes(number, partBytes));
  let filled = 0;
  for await (const chunk of input) {
    let rest = chunk;
    while (rest.byteLength > 0) {
      const taken = rest.subarray(0, block.byteLength - filled);
      block.set(taken, filled);
      filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (filled < block.byteLength) continue;
      yield block;
      number += 1;
      block = Buffer.allocUnsafe(streamPartBytes(number, partBytes));
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
  return undefined;
}
