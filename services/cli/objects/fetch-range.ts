// One range of one state of an object into a buffer, or a whole body passing by: bound to an entity
// tag, so that bytes of two states never mix, and gone on with where a connection broke.
import { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { CommandError, ExitCode } from "../exit-code.ts";
import { about, isPassing } from "./failure.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import type { PartRange } from "./part-plan.ts";

const ATTEMPTS = 5;

export interface RangeCall {
  readonly source: RemoteLocation;
  readonly versionId: string | undefined;
  /** Quoted; a changed object is an error. */
  readonly etag: string;
  /** Undefined: the whole body, which must be as long as `view`. */
  readonly range: PartRange | undefined;
  /** Filled. */
  readonly view: Uint8Array;
}

/** Throws CommandError; "PreconditionFailed" where the object is another by now. */
export async function fetchRange(context: ObjectContext, call: RangeCall): Promise<void> {
  const { view, range } = call;
  const first = range?.offset ?? 0;
  let at = 0;
  for (let attempt = 1; ; attempt += 1) {
    const begunAt = at;
    try {
      const bytes = `bytes=${first + at}-${first + view.byteLength - 1}`;
      const wanted = range === undefined && at === 0 ? undefined : bytes;
      const answer = await getObject(context, { ...call, wanted });
      checkAnswer(answer, view.byteLength - at, call.source);
      for await (const chunk of bodyOf(answer)) {
        if (at + chunk.byteLength > view.byteLength) throw wrongLength(call.source);
        view.set(chunk, at);
        at += chunk.byteLength;
      }
      if (at === view.byteLength) return;
      throw shortBody();
    } catch (error) {
      const giveUp = !isPassing(error) || (attempt >= ATTEMPTS && at === begunAt);
      if (giveUp || context.signal.aborted) await fail(error, call.source);
    }
  }
}

/**
 * The whole body (or `wanted`, a Range value, of it) in pieces. A broken connection is gone on with
 * behind the last piece, bound to the same entity tag.
 */
export async function* streamBody(
  context: ObjectContext,
  call: {
    readonly source: RemoteLocation;
    readonly versionId: string | undefined;
    readonly etag: string;
    readonly first: number;
    /** Exclusive. */
    readonly end: number;
  },
): AsyncGenerator<Uint8Array, undefined> {
  let at = call.first;
  for (let attempt = 1; at < call.end; attempt += 1) {
    const begunAt = at;
    try {
      const answer = await getObject(context, { ...call, wanted: `bytes=${at}-${call.end - 1}` });
      checkAnswer(answer, call.end - at, call.source);
      for await (const chunk of bodyOf(answer)) {
        if (at + chunk.byteLength > call.end) throw wrongLength(call.source);
        at += chunk.byteLength;
        yield chunk;
      }
      if (at < call.end) throw shortBody();
    } catch (error) {
      const giveUp = !isPassing(error) || (attempt >= ATTEMPTS && at === begunAt);
      if (giveUp || context.signal.aborted) await fail(error, call.source);
    }
  }
  return undefined;
}

async function getObject(
  context: ObjectContext,
  call: Pick<RangeCall, "source" | "versionId" | "etag"> & { readonly wanted: string | undefined },
): Promise<GetObjectCommandOutput> {
  const { source, versionId, etag, wanted } = call;
  return context.s3.send(
    new GetObjectCommand({
      Bucket: source.bucket,
      Key: source.key,
      ...(etag === "" ? {} : { IfMatch: etag }),
      ...(versionId === undefined ? {} : { VersionId: versionId }),
      ...(wanted === undefined ? {} : { Range: wanted }),
      ...context.customerKey,
    }),
    { abortSignal: context.signal },
  );
}

function checkAnswer(
  { ContentLength }: GetObjectCommandOutput,
  bytes: number,
  source: RemoteLocation,
): void {
  if (ContentLength !== undefined && ContentLength !== bytes) throw wrongLength(source);
}

async function* bodyOf({ Body }: GetObjectCommandOutput): AsyncGenerator<Uint8Array> {
  if (!(Body instanceof Readable)) throw shortBody();
  for await (const chunk of Body) {
    if (chunk instanceof Uint8Array) yield chunk;
  }
}

function shortBody(): Error {
  const error = new Error("the answer ended before its end");
  error.name = "ShortBody";
  return error;
}

function wrongLength(source: RemoteLocation): CommandError {
  const text = `${shownLocation(source)}: the server answered another length than was asked for`;
  return new CommandError(ExitCode.FAILED, "corrupt", text);
}

async function fail(error: unknown, source: RemoteLocation): Promise<never> {
  return about(shownLocation(source), () => Promise.reject(error));
}
