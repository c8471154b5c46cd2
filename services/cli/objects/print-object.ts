// Writes an object, or a range of it, to stdout while it arrives, and checks the whole at its end:
// a body that proves wrong after it was printed still makes the command fail.
import { once } from "node:events";
import process from "node:process";
import { about } from "./failure.ts";
import { streamBody } from "./fetch-range.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { headObject } from "./object-head.ts";
import { expectationOf, StreamCheck } from "./verify-download.ts";

export interface PrintCall {
  readonly source: RemoteLocation;
  readonly versionId?: string | undefined;
  /** A Range value; the whole when left out. */
  readonly range?: string | undefined;
}

/** Resolves with the bytes that were printed. Throws CommandError. */
export async function printObject(context: ObjectContext, call: PrintCall): Promise<number> {
  const { source, versionId, range } = call;
  const { customerKey } = context;
  const head = await headObject(context, { location: source, versionId, customerKey });
  const { first, end } = boundsOf(range, head.bytes);
  const isWhole = first === 0 && end === head.bytes;
  const check = new StreamCheck(context.checksums, isWhole ? expectationOf(head) : undefined);
  const progress = context.progress.file(shownLocation(source), end - first);
  try {
    for await (const chunk of streamBody(context, {
      source,
      versionId,
      etag: head.etag,
      first,
      end,
    })) {
      check.update(chunk);
      if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
      progress.advance(chunk.byteLength);
    }
    await about(shownLocation(source), async () => check.end());
    return end - first;
  } finally {
    progress.end();
  }
}

/** A range cut to a body of `bytes`; empty where it lies behind the end. */
export function boundsOf(
  range: string | undefined,
  bytes: number,
): { readonly first: number; readonly end: number } {
  const match = /^bytes=([0-9]*)-([0-9]*)$/.exec(range ?? "bytes=0-");
  const [first = "", last = ""] = match?.slice(1) ?? [];
  if (first === "") return { first: Math.max(0, bytes - Number(last)), end: bytes };
  const end = last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  return { first: Math.min(Number(first), end), end };
}
