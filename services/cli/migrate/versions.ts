// What is stored under each key, oldest first, on both sides at once: two listings in the order of
// keys, read page by page and side by side.
import {
  compareKeys,
  type ListedObject,
  type ListedPrefix,
  type ListedVersion,
  listObjects,
  listVersions,
} from "../objects/listing.ts";
import type { ObjectContext } from "../objects/object-context.ts";

export interface Entry {
  readonly kind: "version" | "delete-marker";
  /** Undefined: the bucket keeps no versions. */
  readonly versionId: string | undefined;
  readonly bytes: number;
  readonly etag: string;
  readonly modifiedMs: number;
  readonly storageClass: string;
}

export interface KeyEntries {
  readonly key: string;
  /** Oldest first; at least one. */
  readonly entries: readonly Entry[];
}

export interface KeyPair {
  readonly key: string;
  readonly source: readonly Entry[];
  /** Empty: the key is not there yet. */
  readonly target: readonly Entry[];
}

export interface Where {
  readonly bucket: string;
  readonly prefix: string;
  /** Every version and delete marker, not the current objects only. */
  readonly versioned: boolean;
}

export async function* entriesByKey(
  context: ObjectContext,
  { bucket, prefix, versioned }: Where,
): AsyncGenerator<KeyEntries, undefined> {
  const where = { bucket, key: prefix };
  const listed = versioned ? listVersions(context, where) : listObjects(context, where);
  let key: string | undefined;
  let newestFirst: Entry[] = [];
  for await (const one of listed) {
    if (one.kind === "prefix") continue;
    if (key !== undefined && one.key !== key) {
      yield { key, entries: newestFirst.toReversed() };
      newestFirst = [];
    }
    key = one.key;
    newestFirst.push(entryOf(one));
  }
  if (key !== undefined) yield { key, entries: newestFirst.toReversed() };
  return undefined;
}

function entryOf(one: Exclude<ListedObject | ListedVersion | ListedPrefix, ListedPrefix>): Entry {
  return {
    kind: one.kind === "delete-marker" ? "delete-marker" : "version",
    versionId: one.kind === "object" ? undefined : one.versionId,
    bytes: one.bytes,
    etag: one.etag,
    modifiedMs: one.modified?.getTime() ?? 0,
    storageClass: one.storageClass ?? "STANDARD",
  };
}

/** Every key of the source; keys that only the target has are passed over. */
export async function* paired(
  source: AsyncIterable<KeyEntries>,
  target: AsyncIterator<KeyEntries, undefined>,
): AsyncGenerator<KeyPair> {
  let there = (await target.next()).value;
  for await (const { key, entries } of source) {
    while (there !== undefined && compareKeys(there.key, key) < 0) {
      there = (await target.next()).value;
    }
    yield { key, source: entries, target: there?.key === key ? there.entries : [] };
  }
}

/**
 * Whether a version and a delete marker of the key are of the same time: listings tell the two
 * apart, and of equal times not which came first.
 */
export function isOrderUnsure(entries: readonly Entry[]): boolean {
  return entries.some((entry, at) => {
    const next = entries[at + 1];
    return next !== undefined && next.kind !== entry.kind && next.modifiedMs === entry.modifiedMs;
  });
}
