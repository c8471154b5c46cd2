// Listings as endless sequences: objects in the order of their keys' UTF-8 bytes, versions newest
// first, one page in memory at a time. Keys travel percent-encoded, since XML cannot carry every
// character, and are decoded here.
import {
  type CommonPrefix,
  type DeleteMarkerEntry,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ObjectVersion,
} from "@aws-sdk/client-s3";
import { percentDecodeText } from "../../lib/s3/uri-encoding.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { about } from "./failure.ts";
import { type RemoteLocation, shownLocation } from "./location.ts";
import type { ObjectContext } from "./object-context.ts";

export interface ListedObject {
  readonly kind: "object";
  readonly key: string;
  readonly bytes: number;
  readonly modified: Date | undefined;
  /** Unquoted. */
  readonly etag: string;
  readonly storageClass: string | undefined;
}

/** A common prefix, ending with the delimiter. */
export interface ListedPrefix {
  readonly kind: "prefix";
  readonly key: string;
}

export interface ListedVersion {
  readonly kind: "version" | "delete-marker";
  readonly key: string;
  readonly versionId: string;
  readonly isLatest: boolean;
  /** 0 for a delete marker. */
  readonly bytes: number;
  readonly modified: Date | undefined;
  readonly etag: string;
  readonly storageClass: string | undefined;
}

export interface ListedBucket {
  readonly kind: "bucket";
  readonly name: string;
  readonly created: Date | undefined;
}

type Where = Pick<RemoteLocation, "bucket" | "key">;

/** Objects and, with `delimiter`, prefixes below `where.key`, in order. Throws CommandError. */
export async function* listObjects(
  context: ObjectContext,
  where: Where,
  delimiter?: string,
): AsyncGenerator<ListedObject | ListedPrefix> {
  let token: string | undefined;
  do {
    const page = await about(subjectOf(where), () =>
      context.s3.send(
        new ListObjectsV2Command({
          Bucket: where.bucket,
          Prefix: where.key,
          EncodingType: "url",
          ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
        { abortSignal: context.signal },
      ),
    );
    const decode = decoder(page.EncodingType);
    const objects = (page.Contents ?? []).map(
      (entry): ListedObject => ({
        kind: "object",
        key: decode(entry.Key),
        bytes: entry.Size ?? 0,
        modified: entry.LastModified,
        etag: (entry.ETag ?? "").replaceAll('"', ""),
        storageClass: entry.StorageClass,
      }),
    );
    yield* inOrder(objects, prefixesOf(page.CommonPrefixes, decode));
    const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    if (next !== undefined && next === token) throw stuck(where);
    token = next;
  } while (token !== undefined);
}

/** Every object below `where.key`; the key itself too, unless it names a folder or the bucket. */
export async function* listBelow(
  context: ObjectContext,
  where: Where,
): AsyncGenerator<ListedObject> {
  const { bucket, key } = where;
  const isFolder = key === "" || key.endsWith("/");
  if (!isFolder) {
    for await (const entry of listObjects(context, where)) {
      if (entry.kind === "object" && entry.key === key) yield entry;
      break;
    }
  }
  for await (const entry of listObjects(context, { bucket, key: isFolder ? key : `${key}/` })) {
    if (entry.kind === "object") yield entry;
  }
}

/** Versions and delete markers below the prefix, in order of keys, newest first. */
export async function* listVersions(
  context: ObjectContext,
  where: Where,
  delimiter?: string,
): AsyncGenerator<ListedVersion | ListedPrefix> {
  let marker: { readonly KeyMarker: string; readonly VersionIdMarker?: string } | undefined;
  do {
    const page = await about(subjectOf(where), () =>
      context.s3.send(
        new ListObjectVersionsCommand({
          Bucket: where.bucket,
          Prefix: where.key,
          EncodingType: "url",
          ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
          ...marker,
        }),
        { abortSignal: context.signal },
      ),
    );
    const decode = decoder(page.EncodingType);
    const versions = [
      ...(page.Versions ?? []).map((entry) => versionOf(entry, "version", decode)),
      ...(page.DeleteMarkers ?? []).map((entry) => versionOf(entry, "delete-marker", decode)),
    ];
    yield* inOrder(versions.toSorted(byKeyThenAge), prefixesOf(page.CommonPrefixes, decode));
    const key = page.IsTruncated === true ? page.NextKeyMarker : undefined;
    const version = page.NextVersionIdMarker;
    const next =
      key === undefined
        ? undefined
        : { KeyMarker: decode(key), ...(version ? { VersionIdMarker: version } : {}) };
    const isStuck =
      next?.KeyMarker === marker?.KeyMarker && next?.VersionIdMarker === marker?.VersionIdMarker;
    if (next !== undefined && isStuck) throw stuck(where);
    marker = next;
  } while (marker !== undefined);
}

export async function* listBuckets(context: ObjectContext): AsyncGenerator<ListedBucket> {
  let token: string | undefined;
  do {
    const page = await about("buckets", () =>
      context.s3.send(
        new ListBucketsCommand(token === undefined ? {} : { ContinuationToken: token }),
        { abortSignal: context.signal },
      ),
    );
    for (const { Name = "", CreationDate } of page.Buckets ?? []) {
      yield { kind: "bucket", name: Name, created: CreationDate };
    }
    token = page.ContinuationToken === token ? undefined : page.ContinuationToken;
  } while (token !== undefined && token !== "");
}

/** Keys in the order in which S3 lists them. */
export function compareKeys(first: string, second: string): number {
  return Buffer.compare(Buffer.from(first), Buffer.from(second));
}

function versionOf(
  entry: ObjectVersion & DeleteMarkerEntry,
  kind: ListedVersion["kind"],
  decode: (text: string | undefined) => string,
): ListedVersion {
  return {
    kind,
    key: decode(entry.Key),
    versionId: entry.VersionId ?? "null",
    isLatest: entry.IsLatest === true,
    bytes: entry.Size ?? 0,
    modified: entry.LastModified,
    etag: (entry.ETag ?? "").replaceAll('"', ""),
    storageClass: entry.StorageClass,
  };
}

/** Versions and markers come in two lists; equal ages keep the order of the page. */
function byKeyThenAge(first: ListedVersion, second: ListedVersion): number {
  const keys = compareKeys(first.key, second.key);
  if (keys !== 0) return keys;
  if (first.isLatest !== second.isLatest) return first.isLatest ? -1 : 1;
  return (second.modified?.getTime() ?? 0) - (first.modified?.getTime() ?? 0);
}

function prefixesOf(
  prefixes: readonly CommonPrefix[] | undefined,
  decode: (text: string | undefined) => string,
): ListedPrefix[] {
  return (prefixes ?? []).map(({ Prefix }) => ({ kind: "prefix", key: decode(Prefix) }));
}

/** Merges two lists that are in order. */
function* inOrder<T extends { readonly key: string }>(
  entries: readonly T[],
  prefixes: readonly ListedPrefix[],
): Generator<T | ListedPrefix> {
  let at = 0;
  for (const prefix of prefixes) {
    for (; at < entries.length; at += 1) {
      const entry = entries[at];
      if (entry === undefined || compareKeys(entry.key, prefix.key) > 0) break;
      yield entry;
    }
    yield prefix;
  }
  yield* entries.slice(at);
}

function decoder(encoding: string | undefined): (text: string | undefined) => string {
  if (encoding !== "url") return (text = "") => text;
  return (text = "") => percentDecodeText(text, true);
}

function subjectOf({ bucket, key }: Where): string {
  return shownLocation({ kind: "remote", bucket, key });
}

function stuck(where: Where): CommandError {
  const text = `${subjectOf(where)}: the server's listing does not go on`;
  return new CommandError(ExitCode.FAILED, "bad-listing", text);
}
