// What a cp, mv or sync has to move, one thing after another: source, target, size. Folders are
// walked and prefixes listed while the first things are already on their way. What must not be
// moved (keys that lead out of the target folder, devices) comes as a problem with its reason.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { isPartName } from "./download.ts";
import { downloadName } from "./download-name.ts";
import { about } from "./failure.ts";
import { listObjects } from "./listing.ts";
import { walkFolder } from "./local-tree.ts";
import {
  folderPrefix,
  type LocalLocation,
  type Location,
  lastName,
  type RemoteLocation,
  type StreamLocation,
  shownLocation,
} from "./location.ts";
import type { ObjectContext } from "./object-context.ts";
import type { PathFilter } from "./path-filter.ts";

export type Transfer =
  | { readonly kind: "upload"; readonly source: LocalLocation; readonly target: RemoteLocation }
  | {
      readonly kind: "receive";
      readonly source: StreamLocation;
      readonly target: RemoteLocation;
    }
  | {
      readonly kind: "download";
      readonly source: RemoteLocation;
      readonly target: LocalLocation;
      /** The folder it must stay in; undefined where the target was named in full. */
      readonly inside: string | undefined;
    }
  | { readonly kind: "print"; readonly source: RemoteLocation; readonly target: StreamLocation }
  | { readonly kind: "copy"; readonly source: RemoteLocation; readonly target: RemoteLocation }
  | { readonly kind: "folder"; readonly source: RemoteLocation; readonly target: LocalLocation };

export type Planned =
  | { readonly kind: "transfer"; readonly transfer: Transfer; readonly bytes: number | undefined }
  | { readonly kind: "problem"; readonly source: Location; readonly error: CommandError };

export interface TransferRequest {
  readonly sources: readonly Location[];
  readonly destination: Location;
  readonly recursive: boolean;
  readonly follow: boolean;
  readonly filter: PathFilter;
}

/** Throws UsageError for what can never work, before anything moves. */
export function checkRequest({ sources, destination, recursive }: TransferRequest): void {
  const locals = sources.every((source) => source.kind === "local");
  if (destination.kind === "local" && locals) {
    throw new UsageError("one of the two must be in a bucket: write s3://BUCKET/KEY");
  }
  const streams = sources.filter(({ kind }) => kind === "stream").length;
  if (streams > 0 && (sources.length > 1 || destination.kind !== "remote")) {
    throw new UsageError("- as a source needs one key in a bucket as the destination");
  }
  if (streams > 0 && (recursive || isFolderName(destination))) {
    throw new UsageError("what is read from stdin needs the key to store it at");
  }
  if (destination.kind === "stream" && (sources.length > 1 || recursive)) {
    throw new UsageError("- as a destination takes one object");
  }
  if (sources.length > 1 && !recursive && !isFolderName(destination)) {
    throw new UsageError("several sources need a folder as the destination: end it with /");
  }
}

/** Whether things go below the destination rather than to it. */
function isFolderName(destination: Location): boolean {
  if (destination.kind === "stream") return false;
  if (destination.kind === "remote") return destination.key === "" || destination.key.endsWith("/");
  if (destination.path.endsWith("/")) return true;
  return existsSync(destination.path) && statSync(destination.path).isDirectory();
}

export async function* planTransfers(
  context: ObjectContext,
  request: TransferRequest,
): AsyncGenerator<Planned> {
  for (const source of request.sources) {
    if (!request.recursive || source.kind === "stream") yield planOne(source, request);
    else if (source.kind === "local") yield* planFolder(source, request);
    else yield* planPrefix(context, source, request);
  }
}

function planOne(source: Location, { destination }: TransferRequest): Planned {
  if (source.kind === "stream") {
    if (destination.kind !== "remote") throw new UsageError("- needs a key in a bucket");
    return planned({ kind: "receive", source, target: destination }, undefined);
  }
  if (source.kind === "local") {
    if (destination.kind !== "remote") throw new UsageError("a file goes to a bucket only");
    if (existsSync(source.path) && statSync(source.path).isDirectory()) {
      throw new UsageError(`${shownLocation(source)} is a folder: give -r`);
    }
    const key = isFolderName(destination)
      ? `${destination.key}${lastName(source)}`
      : destination.key;
    return planned({ kind: "upload", source, target: { ...destination, key } }, sizeOf(source));
  }
  if (source.key === "" || source.key.endsWith("/")) {
    throw new UsageError(`${shownLocation(source)} is a folder: give -r`);
  }
  if (destination.kind === "stream")
    return planned({ kind: "print", source, target: destination }, undefined);
  const into = isFolderName(destination);
  if (destination.kind === "remote") {
    const key = into ? `${destination.key}${lastName(source)}` : destination.key;
    return planned({ kind: "copy", source, target: { ...destination, key } }, undefined);
  }
  if (!into)
    return planned({ kind: "download", source, target: destination, inside: undefined }, undefined);
  return planDownload(source, {
    folder: destination.path,
    relative: lastName(source),
    bytes: undefined,
  });
}

function sizeOf(source: LocalLocation): number {
  return existsSync(source.path) ? statSync(source.path).size : 0;
}

async function* planFolder(
  source: LocalLocation,
  { destination, follow, filter }: TransferRequest,
): AsyncGenerator<Planned> {
  if (destination.kind !== "remote") throw new UsageError("a folder goes to a bucket only");
  if (existsSync(source.path) && !statSync(source.path).isDirectory()) {
    throw new UsageError(`${shownLocation(source)} is a file: leave out -r`);
  }
  const prefix = folderPrefix(destination.key);
  const walked = walkFolder(source.path, { follow, leaveOut: isPartName });
  for await (const found of named(source.path, walked)) {
    if (found.kind === "problem") {
      yield problem({ kind: "local", path: found.path }, found.reason);
    } else if (filter(found.name)) {
      const target: RemoteLocation = { ...destination, key: `${prefix}${found.name}` };
      const file: LocalLocation = { kind: "local", path: found.path };
      yield planned({ kind: "upload", source: file, target }, found.bytes);
    }
  }
}

/** Failures of the walk itself name the folder. */
async function* named<T>(path: string, items: AsyncGenerator<T>): AsyncGenerator<T> {
  for (;;) {
    const next = await about(path, () => items.next());
    if (next.done === true) return;
    yield next.value;
  }
}

async function* planPrefix(
  context: ObjectContext,
  source: RemoteLocation,
  { destination, filter }: TransferRequest,
): AsyncGenerator<Planned> {
  if (destination.kind === "stream") throw new UsageError("- takes one object");
  const prefix = folderPrefix(source.key);
  for await (const entry of listObjects(context, { bucket: source.bucket, key: prefix })) {
    if (entry.kind !== "object") continue;
    const relative = entry.key.slice(prefix.length);
    if (relative === "" || !filter(relative)) continue;
    const from: RemoteLocation = { ...source, key: entry.key };
    if (destination.kind === "remote") {
      const target = { ...destination, key: `${folderPrefix(destination.key)}${relative}` };
      yield planned({ kind: "copy", source: from, target }, entry.bytes);
    } else {
      yield planDownload(from, { folder: destination.path, relative, bytes: entry.bytes });
    }
  }
}

/** A download below `folder`, or the reason why there is none. */
export function planDownload(
  source: RemoteLocation,
  { folder, relative, bytes }: { folder: string; relative: string; bytes: number | undefined },
): Planned {
  const name = downloadName(relative, bytes ?? 0);
  if (name.kind === "refused") return problem(source, name.reason);
  const target: LocalLocation = { kind: "local", path: join(folder, name.name) };
  if (name.kind === "folder") return planned({ kind: "folder", source, target }, 0);
  return planned({ kind: "download", source, target, inside: folder }, bytes);
}

export function planned(transfer: Transfer, bytes: number | undefined): Planned {
  return { kind: "transfer", transfer, bytes };
}

export function problem(source: Location, reason: string): Planned {
  const text = `${shownLocation(source)}: refused: ${reason}`;
  return { kind: "problem", source, error: new CommandError(ExitCode.FAILED, "refused", text) };
}
