// Walks all versions of a bucket that begin with a prefix, page by page, and says of each what
// rules ask about: whether it is current, since when not, how many noncurrent versions are newer,
// whether it is the only one of its key.
import { present } from "../../lib/base/assert.ts";
import { equalBytes, toSafeNumber } from "../../lib/base/bytes.ts";
import type {
  ListVersionsAnswer,
  ListVersionsAnswer_Entry,
} from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { MetadataAccess } from "../deps.ts";
import type { WalkPosition } from "./walk-position.ts";

const PAGE_VERSIONS = 1000;

export interface WalkedVersion {
  readonly key: Uint8Array;
  readonly version: Version;
  readonly isLatest: boolean;
  readonly isOnly: boolean;
  /** 0 for the latest. */
  readonly noncurrentSinceMs: number;
  /** Noncurrent versions of the key that are newer. */
  readonly newerNoncurrent: number;
  /** The current version of the key, as listed. */
  readonly headId: Uint8Array;
}

export interface WalkedPage {
  readonly versions: readonly WalkedVersion[];
  /** Undefined at the end. */
  readonly next: WalkPosition | undefined;
}

export interface Walk {
  readonly groupId: number;
  readonly bucketId: number;
  readonly prefix: Uint8Array;
}

const NONE = new Uint8Array(0);

/** The beginning of a group's share of a bucket. */
export function walkStart(groupId: number): WalkPosition {
  return { groupId, keyMarker: NONE, versionIdMarker: NONE, headId: NONE, noncurrentSeen: 0 };
}

/** One page after `position`. */
export async function walkPage(
  metadata: MetadataAccess,
  walk: Walk,
  position: WalkPosition,
): Promise<WalkedPage> {
  const page = await list(metadata, walk, { ...position, limit: PAGE_VERSIONS });
  const versions: WalkedVersion[] = [];
  let { headId, noncurrentSeen } = position;
  for (const [at, entry] of page.entries.entries()) {
    const version = present(entry.version, "version");
    if (entry.isLatest) [headId, noncurrentSeen] = [version.versionId, 0];
    versions.push({
      key: entry.key,
      version,
      isLatest: entry.isLatest,
      isOnly: entry.isLatest && (await isLast(metadata, walk, { page, at })),
      noncurrentSinceMs: toSafeNumber(entry.noncurrentSinceMs),
      newerNoncurrent: noncurrentSeen,
      headId,
    });
    if (!entry.isLatest) noncurrentSeen += 1;
  }
  if (!page.truncated) return { versions, next: undefined };
  const { nextKeyMarker: keyMarker, nextVersionIdMarker: versionIdMarker } = page;
  const { groupId } = walk;
  return { versions, next: { groupId, keyMarker, versionIdMarker, headId, noncurrentSeen } };
}

async function list(
  metadata: MetadataAccess,
  { groupId, bucketId, prefix }: Walk,
  from: {
    readonly keyMarker: Uint8Array;
    readonly versionIdMarker: Uint8Array;
    readonly limit: number;
  },
): Promise<ListVersionsAnswer> {
  const { keyMarker, versionIdMarker, limit } = from;
  const value = { bucketId, prefix, keyMarker, versionIdMarker, limit, withDetails: true };
  return metadata.query(groupId, { case: "listVersions", value });
}

/** No version of the key comes after the entry; asks for one more where the page ends with it. */
async function isLast(
  metadata: MetadataAccess,
  walk: Walk,
  { page, at }: { readonly page: ListVersionsAnswer; readonly at: number },
): Promise<boolean> {
  const entry: ListVersionsAnswer_Entry = present(page.entries[at], "entry");
  // Only delete markers are asked about.
  if (entry.version?.deleteMarker !== true) return false;
  const isAtEnd = at === page.entries.length - 1 && page.truncated;
  const following = isAtEnd
    ? (
        await list(metadata, walk, {
          keyMarker: entry.key,
          versionIdMarker: entry.version.versionId,
          limit: 1,
        })
      ).entries[0]
    : page.entries[at + 1];
  return following === undefined || !equalBytes(following.key, entry.key);
}
