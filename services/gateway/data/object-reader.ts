// Finds a version and everything needed to stream its bytes, before the first byte is sent:
// overwriting an object frees its manifests in the same commit, while its shards live on for a
// delay, so a reader that holds all manifests is not disturbed.
import { assert, present } from "../../lib/base/assert.ts";
import { mapBounded } from "../../lib/base/bounded.ts";
import { toHex, toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { Manifest, PartReference, Version } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { PlacedManifest } from "../dependencies.ts";
import type { ServiceContext } from "../operation.ts";
import { type Place, queryAt } from "./name-space.ts";
import { sealedObjectBytes } from "./sealing-read.ts";

/** GetManifest is asked for this many at once. */
const MANIFESTS_PER_QUERY = 100;
const QUERY_WIDTH = 4;
/**
 * How often a read starts over because the object was overwritten while its manifests were fetched.
 */
const ATTEMPTS_MAX = 3;

/** What part of an object is wanted; `all` for the whole. */
export type Extent =
  | { readonly kind: "all" }
  | { readonly kind: "bytes"; readonly first: number; readonly last: number | undefined }
  | { readonly kind: "suffix"; readonly length: number }
  | { readonly kind: "part"; readonly partNumber: number };

export interface ObjectQuestion extends Place {
  /** Empty: the current version. */
  readonly versionId: Uint8Array;
  readonly extent: Extent;
  /** False when only the version record is wanted. */
  readonly withBody: boolean;
}

export interface StoredObject {
  readonly place: Place;
  readonly version: Version;
  /** Ascending; empty unless the object is multipart and its body was asked for. */
  readonly parts: readonly PartReference[];
  readonly size: number;
  /** Manifests of the wanted extent, by offset in the object. */
  readonly manifests: readonly PlacedManifest[];
  /** Opened with the key of the client; managed keys are opened when bytes are read. */
  readonly dataKey?: Uint8Array;
}

/** The object, or undefined when there is none. Throws StoreError. */
export async function findObject(
  context: ServiceContext,
  question: ObjectQuestion,
): Promise<StoredObject | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await findOnce(context, question);
    if (found !== "overwritten") return found;
    if (attempt === ATTEMPTS_MAX) {
      throw new StoreError("unavailable", "the object is overwritten again and again");
    }
  }
}

async function findOnce(
  context: ServiceContext,
  question: ObjectQuestion,
): Promise<StoredObject | undefined | "overwritten"> {
  const { bucket, key, versionId, withBody } = question;
  const answer = await queryAt<"getObject">(context, question, {
    case: "getObject",
    value: {
      bucketId: bucket.bucketId,
      key,
      versionId,
      withBody,
      ...extentFields(question.extent),
    },
  });
  const { version } = answer;
  if (version === undefined) return undefined;
  const place = { bucket, key };
  const size = toSafeNumber(version.size);
  const parts = answer.partList?.parts ?? [];
  const bare = { place, version, parts, size, manifests: [] };
  if (!withBody || version.body.case === undefined || version.body.case === "inline") return bare;
  const wanted = placesOf(version, parts, question.extent);
  const known = new Map(answer.manifests.map((one) => [toHex(one.manifestId), one]));
  await fetchMissing(context, place, { wanted, known });
  const manifests: PlacedManifest[] = [];
  for (const { manifestId, offset } of wanted) {
    const manifest = known.get(toHex(manifestId));
    if (manifest === undefined) return "overwritten";
    manifests.push({ manifest, offset });
  }
  return { ...bare, manifests };
}

type ExtentFields = {
  firstByte?: bigint;
  lastByte?: bigint;
  suffixLength?: bigint;
  partNumber?: number;
};

function extentFields(extent: Extent): ExtentFields {
  switch (extent.kind) {
    case "all":
      return {};
    case "bytes": {
      const firstByte = BigInt(extent.first);
      return extent.last === undefined
        ? { firstByte }
        : { firstByte, lastByte: BigInt(extent.last) };
    }
    case "suffix":
      return { suffixLength: BigInt(extent.length) };
    case "part":
      return { partNumber: extent.partNumber };
  }
}

interface ManifestPlace {
  readonly manifestId: Uint8Array;
  readonly offset: number;
}

/** Which manifests hold the extent, and where they begin. */
function placesOf(
  version: Version,
  parts: readonly PartReference[],
  extent: Extent,
): ManifestPlace[] {
  if (version.body.case === "manifestId") return [{ manifestId: version.body.value, offset: 0 }];
  assert(parts.length > 0, "placesOf: a multipart object without parts");
  const size = toSafeNumber(version.size);
  const { first, last } = bytesOf(extent, size);
  const places: ManifestPlace[] = [];
  let offset = 0;
  for (const part of parts) {
    const end = offset + toSafeNumber(part.size);
    const isWanted =
      extent.kind === "part"
        ? part.partNumber === extent.partNumber
        : end > offset && offset <= last && end > first;
    if (isWanted) places.push({ manifestId: part.manifestId, offset });
    offset = end;
  }
  assert(offset === size, "placesOf: the parts have another size than the object");
  return places;
}

function bytesOf(extent: Extent, size: number): { readonly first: number; readonly last: number } {
  switch (extent.kind) {
    case "bytes":
      return { first: extent.first, last: Math.min(extent.last ?? size - 1, size - 1) };
    case "suffix":
      return { first: Math.max(0, size - extent.length), last: size - 1 };
    default:
      return { first: 0, last: size - 1 };
  }
}

async function fetchMissing(
  context: ServiceContext,
  place: Place,
  { wanted, known }: { wanted: readonly ManifestPlace[]; known: Map<string, Manifest> },
): Promise<void> {
  const missing = wanted.filter(({ manifestId }) => !known.has(toHex(manifestId)));
  const batches: Uint8Array[][] = [];
  for (let at = 0; at < missing.length; at += MANIFESTS_PER_QUERY) {
    const batch = missing.slice(at, at + MANIFESTS_PER_QUERY);
    batches.push(batch.map(({ manifestId }) => manifestId));
  }
  await mapBounded(batches, QUERY_WIDTH, async (manifestIds) => {
    const { bucketId } = place.bucket;
    const value = { bucketId, key: place.key, manifestIds };
    const answer = await queryAt<"getManifest">(context, place, { case: "getManifest", value });
    for (const one of answer.manifests) known.set(toHex(one.manifestId), one);
  });
}

/** Bytes `first`..`last` of the object, both included; `found` must have been asked for them. */
export async function* objectBytes(
  context: ServiceContext,
  found: StoredObject,
  { first, last }: { readonly first: number; readonly last: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  assert(first >= 0 && last < found.size, "objectBytes: range outside the object");
  if (last < first) return;
  const { body, encryption } = found.version;
  if (encryption !== undefined) {
    yield* sealedObjectBytes(context, found, { first, last });
    return;
  }
  if (body.case === "inline") {
    assert(body.value.byteLength === found.size, "objectBytes: inline bytes of another size");
    yield body.value.subarray(first, last + 1);
    return;
  }
  present(body.case, "body of a version with bytes");
  yield* context.gateway.dependencies.reader.read({
    bucketId: found.place.bucket.bucketId,
    manifests: found.manifests,
    firstByte: first,
    lastByte: last,
    signal: context.signal,
  });
}
