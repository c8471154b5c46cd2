// The manifests of a version as they are now, in the order of its bytes. Bytes are taken as they
// are stored: of a sealed body those that are sealed, which need no key to be moved.
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { Manifest, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { MetadataAccess } from "../deps.ts";

/** GetManifest is asked for this many at once. */
const MANIFESTS_PER_QUERY = 100;
const QUERY_WIDTH = 2;

export interface VersionName {
  readonly groupId: number;
  readonly bucketId: number;
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly versionId: Uint8Array;
}

export interface StoredBody {
  readonly version: Version;
  /** None where the body is inline or empty. */
  readonly manifests: readonly Manifest[];
}

/** Undefined when the version is gone, or its body changed while it was asked for. */
export async function storedBody(
  metadata: MetadataAccess,
  { groupId, bucketId, key, versionId }: VersionName,
): Promise<StoredBody | undefined> {
  const value = { bucketId, key, versionId, withBody: true };
  const answer = await metadata.query(groupId, { case: "getObject", value });
  const { version, partList } = answer;
  if (version === undefined || version.deleteMarker) return undefined;
  const { body } = version;
  if (body.case === undefined || body.case === "inline") return { version, manifests: [] };
  const wanted =
    body.case === "manifestId"
      ? [body.value]
      : (partList?.parts ?? []).map(({ manifestId }) => manifestId);
  const known = new Map(answer.manifests.map((one) => [toHex(one.manifestId), one]));
  const missing = wanted.filter((id) => !known.has(toHex(id)));
  const batches: Uint8Array[][] = [];
  for (let at = 0; at < missing.length; at += MANIFESTS_PER_QUERY) {
    batches.push(missing.slice(at, at + MANIFESTS_PER_QUERY));
  }
  await mapBounded(batches, QUERY_WIDTH, async (manifestIds) => {
    const kind = { case: "getManifest", value: { bucketId, key, manifestIds } } as const;
    const { manifests } = await metadata.query(groupId, kind);
    for (const one of manifests) known.set(toHex(one.manifestId), one);
  });
  const manifests = wanted.flatMap((id) => known.get(toHex(id)) ?? []);
  return manifests.length === wanted.length ? { version, manifests } : undefined;
}
