// Whether what the target has of a key is what the source has: by size and entity tag, else by the
// bytes of both.
import { createHash } from "node:crypto";
import { streamBody } from "../objects/fetch-range.ts";
import type { RemoteLocation } from "../objects/location.ts";
import type { ObjectContext } from "../objects/object-context.ts";
import { headObject } from "../objects/object-head.ts";
import type { Stores } from "./copy-version.ts";
import type { Entry, KeyPair } from "./versions.ts";

export interface Missing {
  /** To be stored, oldest first. */
  readonly entries: readonly Entry[];
  /** The target has something else under the key. */
  readonly isOther: boolean;
}

/** What the target lacks. It may have the oldest versions already, from a run before. */
export async function missingOf(
  stores: Stores,
  bucket: string,
  { key, source, target }: KeyPair,
): Promise<Missing> {
  const location: RemoteLocation = { kind: "remote", bucket, key };
  for (const [at, there] of target.entries()) {
    const entry = source[at];
    const same = entry !== undefined && (await isSame(stores, location, [entry, there]));
    if (!same) return { entries: [], isOther: true };
  }
  return { entries: source.slice(target.length), isOther: false };
}

export async function isSame(
  stores: Stores,
  location: RemoteLocation,
  [first, second]: readonly [Entry, Entry],
): Promise<boolean> {
  if (first.kind !== second.kind || first.bytes !== second.bytes) return false;
  if (first.kind === "delete-marker") return true;
  // Equal tags are equal bytes; others may be too, in other parts or sealed.
  return first.etag === second.etag || hasSameBytes(stores, location, [first, second]);
}

/** Reads both to their end. */
export async function hasSameBytes(
  { source, target }: Stores,
  location: RemoteLocation,
  [first, second]: readonly [Entry, Entry],
): Promise<boolean> {
  const [here, there] = [
    await digestOf(source, location, first),
    await digestOf(target, location, second),
  ];
  return here === there;
}

async function digestOf(
  context: ObjectContext,
  location: RemoteLocation,
  { versionId }: Entry,
): Promise<string> {
  const head = await headObject(context, { location, versionId, customerKey: undefined });
  const range = { first: 0, end: head.bytes };
  const hash = createHash("sha256");
  for await (const chunk of streamBody(context, {
    source: location,
    versionId,
    etag: head.etag,
    ...range,
  })) {
    hash.update(chunk);
  }
  return hash.digest("hex");
}
