// Verifies what a bucket or an object holds, page by page: every shard asked for, with `deep` every
// byte read and compared. What is found damaged is queued for repair in the same call.
import { asBuffer, equalBytes, fromHex, toHex, utf8 } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import { ROOT_GROUP } from "../../../lib/clients/groups.ts";
import { isGood, type VersionFindings } from "../../../lib/clients/verify/version-verifier.ts";
import type { ListVersionsAnswer_Entry } from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import { invalidArgument, notFound } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, parameter, withBody } from "../admin-operation.ts";
import { body, optional } from "../identity/field-schemas.ts";

/** A page ends after the version with which it passes one of these. */
const PAGE_VERSIONS = 200;
const PAGE_DEEP_BYTES = 64 * 1024 * 1024;
const LISTED = 200;

const Request = body({
  key: optional(Type.String({ minLength: 1, maxLength: 1024 })),
  deep: optional(Type.Boolean()),
  after: optional(Type.String({ maxLength: 8192 })),
});

export const VERIFY_OPERATIONS: readonly AdminOperation[] = [
  withBody({
    name: "VerifyBucket",
    method: "POST",
    path: "/buckets/{bucket}/verify",
    summary:
      "Ask for every shard of a bucket's versions, or of one key's; with `deep` read and compare all bytes. A page: `next` goes on.",
    admission: {
      action: "dolium:VerifyBucket",
      on: { kind: "bucket", parameter: "bucket" },
    },
    body: Request,
    run: verifyBucket,
  }),
];

interface Place {
  readonly groupId: number;
  readonly keyMarker: Uint8Array;
  readonly versionIdMarker: Uint8Array;
}

interface Page {
  versions: number;
  shards: number;
  bytes: number;
  chunksQueuedForRepair: number;
  readonly problems: unknown[];
}

const NONE = new Uint8Array(0);

async function verifyBucket(
  context: AdminContext,
  asked: Type.Static<typeof Request>,
): Promise<AdminAnswer> {
  const bucket = await bucketOf(context);
  const groups = [...new Set(bucket.ranges.map(({ groupId }) => groupId))];
  const page: Page = { versions: 0, shards: 0, bytes: 0, chunksQueuedForRepair: 0, problems: [] };
  const start = asked.after === undefined ? undefined : placeOf(asked.after);
  let place: Place | undefined = start ?? firstPlace(groups);
  while (place !== undefined && !isFull(page)) {
    place = await verifySome(context, { bucket, groups, asked, page }, place);
  }
  const next = place === undefined ? {} : { next: textOf(place) };
  return json({ bucket: bucket.name, ...page, ...next });
}

function isFull({ versions, bytes }: Page): boolean {
  return versions >= PAGE_VERSIONS || bytes >= PAGE_DEEP_BYTES;
}

function firstPlace(groups: readonly number[], after?: number): Place | undefined {
  const groupId = groups.find((group) => after === undefined || group > after);
  return groupId === undefined ? undefined : { groupId, keyMarker: NONE, versionIdMarker: NONE };
}

/** One listing; the place to go on from, undefined at the end. */
async function verifySome(
  { deps, request }: AdminContext,
  work: {
    readonly bucket: BucketRecord;
    readonly groups: readonly number[];
    readonly asked: Type.Static<typeof Request>;
    readonly page: Page;
  },
  place: Place,
): Promise<Place | undefined> {
  const { bucket, asked, page, groups } = work;
  const { bucketId } = bucket;
  const { groupId, ...markers } = place;
  const prefix = asked.key === undefined ? NONE : utf8(asked.key);
  const value = { bucketId, prefix, ...markers, limit: LISTED };
  const kind = { case: "listVersions", value } as const;
  const listed = await deps.metadata.query<"listVersions">(groupId, kind);
  for (const { key, version } of listed.entries) {
    if (version === undefined) continue;
    // Keys that only begin like the one asked for come after all of its versions.
    if (asked.key !== undefined && !equalBytes(key, prefix)) return firstPlace(groups, groupId);
    const { versionId } = version;
    const options = { deep: asked.deep === true, signal: request.gone };
    const found = await deps.verify({ groupId, bucketId, key, versionId }, options);
    if (found !== undefined) note(page, { key, version, found }, options.deep);
    if (isFull(page)) return { groupId, keyMarker: key, versionIdMarker: versionId };
  }
  if (!listed.truncated) return firstPlace(groups, groupId);
  const { nextKeyMarker: keyMarker, nextVersionIdMarker: versionIdMarker } = listed;
  return { groupId, keyMarker, versionIdMarker };
}

function note(
  page: Page,
  seen: Pick<ListVersionsAnswer_Entry, "key" | "version"> & { readonly found: VersionFindings },
  deep: boolean,
): void {
  const { key, version, found } = seen;
  page.versions += 1;
  page.shards += found.shards;
  page.chunksQueuedForRepair += found.chunksQueuedForRepair;
  if (deep) page.bytes += found.size;
  if (isGood(found)) return;
  page.problems.push({
    key: asBuffer(key).toString("utf8"),
    versionId: toHex(version?.versionId ?? NONE),
    ...found,
  });
}

function textOf({ groupId, keyMarker, versionIdMarker }: Place): string {
  return [groupId, asBuffer(keyMarker).toString("base64url"), toHex(versionIdMarker)].join(".");
}

/** Throws AdminError 400. */
function placeOf(text: string): Place {
  const match = /^([1-9][0-9]{0,8})\.([A-Za-z0-9_-]*)\.((?:[0-9a-f]{32})?)$/.exec(text);
  const [, group, key, version] = match ?? [];
  const versionIdMarker = version === undefined ? undefined : fromHex(version);
  if (group === undefined || key === undefined || versionIdMarker === undefined) {
    throw invalidArgument("after is not the `next` of a page");
  }
  return {
    groupId: Number(group),
    keyMarker: Buffer.from(key, "base64url"),
    versionIdMarker,
  };
}

async function bucketOf(context: AdminContext): Promise<BucketRecord> {
  const name = parameter(context, "bucket");
  const kind = { case: "getBucket", value: { name } } as const;
  const { bucket } = await context.deps.metadata.query<"getBucket">(ROOT_GROUP, kind);
  if (bucket === undefined) throw notFound("NoSuchBucket", `There is no bucket ${name}.`);
  return bucket;
}
