// Does one planned transfer, or says what it would do; for mv, the source is removed only after its
// copy is verified and, on a local disk, durable.
import { lstat, mkdir, rm } from "node:fs/promises";
import { dirname, relative, sep } from "node:path";
import process from "node:process";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { copyWithin } from "./copy-within.ts";
import { downloadFile } from "./download.ts";
import { about, isNotFound } from "./failure.ts";
import { type Location, locationText, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import { printObject } from "./print-object.ts";
import type { Report } from "./report.ts";
import { shownSize } from "./shown-text.ts";
import type { StoreSettings } from "./store-settings.ts";
import type { Transfer } from "./transfer-plan.ts";
import { uploadFile } from "./upload.ts";
import { uploadStream } from "./upload-stream.ts";

export interface TransferHow {
  readonly settings: StoreSettings;
  readonly versionId: string | undefined;
  /** mv: the source goes away. */
  readonly moves: boolean;
  readonly dryRun: boolean;
  readonly follow: boolean;
}

interface Outcome {
  readonly bytes: number;
  readonly resumedBytes?: number;
  readonly etag?: string;
  readonly versionId?: string | undefined;
  /** What proved the bytes; null where nothing could. */
  readonly verifiedBy?: string | null;
}

/** Throws what made it fail. */
export async function runTransfer(
  context: ObjectContext,
  { transfer, how, report }: { transfer: Transfer; how: TransferHow; report: Report },
): Promise<void> {
  const { source, target } = transfer;
  const ends = { source: locationText(source), target: locationText(target) };
  const line = `${shownLocation(source)} -> ${shownLocation(target)}`;
  if (how.dryRun) {
    const event = how.moves ? "would-move" : "would-copy";
    report.tell({ event, ...ends }, `would ${how.moves ? "move" : "copy"} ${line}`);
    return;
  }
  const outcome = await act(context, transfer, how);
  if (how.moves) await removeSource(context, source);
  if (transfer.kind === "print") return;
  const resumed = outcome.resumedBytes ?? 0;
  const note = resumed === 0 ? "" : ` (${shownSize(resumed)} of it were there already)`;
  report.tell({ event: how.moves ? "moved" : "copied", ...ends, ...outcome }, `${line}${note}`);
}

async function act(
  context: ObjectContext,
  transfer: Transfer,
  { settings, versionId, moves, follow }: TransferHow,
): Promise<Outcome> {
  const durable = moves;
  switch (transfer.kind) {
    case "upload": {
      const { source, target } = transfer;
      if (!follow) await refuseLink(source.path);
      const stored = await uploadFile(context, { path: source.path, target, settings });
      return storedOutcome(stored);
    }
    case "receive": {
      const input: AsyncIterable<Uint8Array> = process.stdin;
      return storedOutcome(
        await uploadStream(context, { input, target: transfer.target, settings }),
      );
    }
    case "download": {
      const { source, target, inside } = transfer;
      if (inside !== undefined && !follow) await stayInside(inside, target.path);
      const fetched = await downloadFile(context, {
        source,
        versionId,
        path: target.path,
        durable,
      });
      const { proof, ...facts } = fetched;
      return { ...facts, verifiedBy: proof ?? null };
    }
    case "print":
      return { bytes: await printObject(context, { source: transfer.source, versionId }) };
    case "copy": {
      const { source, target } = transfer;
      const isSame = source.bucket === target.bucket && source.key === target.key;
      if (isSame && moves) throw new UsageError(`${shownLocation(source)} would move onto itself`);
      const copied = await copyWithin(context, { source, versionId, target, settings });
      return { ...storedOutcome(copied), verifiedBy: copied.proof ?? null };
    }
    case "folder":
      await mkdir(transfer.target.path, { recursive: true });
      return { bytes: 0 };
  }
}

function storedOutcome(stored: {
  readonly bytes: number;
  readonly resumedBytes: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly checksum: { readonly algorithm: string; readonly value: string } | undefined;
}): Outcome & { readonly checksum: string | undefined } {
  const { bytes, resumedBytes, etag, versionId, checksum } = stored;
  const verifiedBy = checksum?.algorithm ?? "MD5";
  return { bytes, resumedBytes, etag, versionId, verifiedBy, checksum: checksum?.value };
}

async function removeSource(context: ObjectContext, source: Location): Promise<void> {
  if (source.kind === "stream") return;
  if (source.kind === "local") return about(source.path, () => rm(source.path));
  const { bucket: Bucket, key: Key } = source;
  await about(`${shownLocation(source)} (removing it after its copy)`, () =>
    context.s3.send(new DeleteObjectCommand({ Bucket, Key }), { abortSignal: context.signal }),
  );
}

async function refuseLink(path: string): Promise<void> {
  const facts = await about(path, () => lstat(path));
  if (!facts.isSymbolicLink()) return;
  throw new CommandError(ExitCode.FAILED, "link", `${path} is a symbolic link: give --follow`);
}

/** Throws when a folder between `root` and the file is a link: it could lead anywhere. */
async function stayInside(root: string, path: string): Promise<void> {
  const steps = relative(root, dirname(path))
    .split(sep)
    .filter((step) => step !== "");
  let at = root;
  for (const step of steps) {
    at = `${at}${at.endsWith(sep) ? "" : sep}${step}`;
    const isLink = await linkAt(at);
    if (isLink === undefined) return;
    if (!isLink) continue;
    const text = `${at} is a symbolic link, which may lead out of ${root}: give --follow`;
    throw new CommandError(ExitCode.FAILED, "refused", text);
  }
}

/** Undefined where there is nothing. */
async function linkAt(path: string): Promise<boolean | undefined> {
  try {
    return (await about(path, () => lstat(path))).isSymbolicLink();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
