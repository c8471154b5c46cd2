// What the arguments of the object verbs name: an object or folder of a bucket (`s3://bucket/key`
// or `bucket/key`), a local path (`/...`, `./...`, `../...`), or `-` for stdin and stdout. Keys are
// taken as they are: nothing is decoded, and no segment is resolved away.
import { basename } from "node:path";
import { UsageError } from "../command-line.ts";
import { shown } from "./shown-text.ts";

export interface RemoteLocation {
  readonly kind: "remote";
  readonly bucket: string;
  /** Empty for the bucket itself; ends with `/` for a folder. */
  readonly key: string;
}

export interface LocalLocation {
  readonly kind: "local";
  readonly path: string;
}

export interface StreamLocation {
  readonly kind: "stream";
}

export type Location = RemoteLocation | LocalLocation | StreamLocation;

const SCHEME = "s3://";

/** Throws UsageError for an empty text and for a path without a bucket. */
export function parseLocation(text: string): Location {
  if (text === "") throw new UsageError("a path is empty");
  if (text === "-") return { kind: "stream" };
  if (looksLocal(text)) return { kind: "local", path: text };
  return remoteOf(text);
}

function looksLocal(text: string): boolean {
  return text === "." || text === ".." || /^\.{0,2}\//.test(text);
}

function remoteOf(text: string): RemoteLocation {
  const path = text.startsWith(SCHEME) ? text.slice(SCHEME.length) : text;
  const slash = path.indexOf("/");
  const bucket = slash === -1 ? path : path.slice(0, slash);
  if (bucket === "") throw new UsageError(`"${shown(text)}" names no bucket`);
  return { kind: "remote", bucket, key: slash === -1 ? "" : path.slice(slash + 1) };
}

/** Throws UsageError unless `text` is a path in a bucket. */
export function parseRemote(text: string): RemoteLocation {
  const location = parseLocation(text);
  if (location.kind !== "remote") {
    throw new UsageError(`"${shown(text)}" is no path in a bucket: write s3://BUCKET/KEY`);
  }
  return location;
}

/** As parseRemote, and there must be a key. */
export function parseObject(text: string): RemoteLocation {
  const location = parseRemote(text);
  if (location.key === "") throw new UsageError(`"${shown(text)}" names a bucket, not an object`);
  return location;
}

/** As parseRemote, and there must be no key. */
export function parseBucket(text: string): string {
  const location = parseRemote(text);
  if (location.key !== "") throw new UsageError(`"${shown(text)}" names an object, not a bucket`);
  return location.bucket;
}

/**
 * The arguments of a transfer: sources, then a destination. A name without `./` or `s3://` that
 * exists here is local where another argument is spelt `s3://...`; where none is, it could be meant
 * either way, and that is a usage error. `exists` looks a local name up.
 */
export function parseTransfer(
  positionals: readonly string[],
  exists: (path: string) => boolean,
): { readonly sources: readonly Location[]; readonly destination: Location } {
  if (positionals.length < 2) throw new UsageError("needs a source and a destination");
  const spelt = positionals.some((text) => text.startsWith(SCHEME));
  const locations = positionals.map((text): Location => {
    const location = parseLocation(text);
    const bare = location.kind === "remote" && !text.startsWith(SCHEME);
    if (!bare || !exists(text)) return location;
    if (spelt) return { kind: "local", path: `./${text}` };
    throw new UsageError(
      `"${shown(text)}" is a file here and may be a bucket: write ./${shown(text)} or ` +
        `s3://${shown(text)}`,
    );
  });
  const destination = locations.at(-1);
  if (destination === undefined) throw new UsageError("needs a source and a destination");
  return { sources: locations.slice(0, -1), destination };
}

/** For people and for JSON: `s3://bucket/key`, the local path, or `-`. */
export function locationText(location: Location): string {
  if (location.kind === "stream") return "-";
  if (location.kind === "local") return location.path;
  return `${SCHEME}${location.bucket}/${location.key}`;
}

/** As locationText, safe to print on a terminal. */
export function shownLocation(location: Location): string {
  return shown(locationText(location));
}

/** `key` as the prefix of everything below it: empty, or ending with `/`. */
export function folderPrefix(key: string): string {
  return key === "" || key.endsWith("/") ? key : `${key}/`;
}

/** The last segment of a location: what a copy of it into a folder is called. */
export function lastName(location: RemoteLocation | LocalLocation): string {
  if (location.kind === "local") return basename(location.path);
  return location.key.slice(location.key.lastIndexOf("/") + 1);
}
