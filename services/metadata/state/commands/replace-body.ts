// ReplaceBody: the same bytes in other manifests, under another storage class. Nothing a client
// compares changes but the class. In one batch the version gets the new manifests and the shards of
// the old ones become garbage; where the version moved on meanwhile, the shards that were brought
// do.
import { toHex } from "../../../lib/base/bytes.ts";
import {
  Outcome,
  type ReplaceBody,
  type ReplaceBody_Swap,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type Manifest,
  type PartList,
  PartListSchema,
  type PartReference,
  type Version,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import type { CommandContext } from "../context.ts";
import { partListKey } from "../keys.ts";
import { freeManifest, readManifest, storeManifest } from "../manifests.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "../records.ts";
import { type FoundVersion, findVersion, rewriteVersion } from "../versions.ts";
import { refusedBySeal, refusedManifest } from "../write-checks.ts";

/** A swap whose manifest was checked to be there. */
interface Replacement {
  readonly former: Uint8Array;
  readonly manifest: Manifest;
}

export function replaceBody(
  view: StateWriter,
  command: ReplaceBody,
  context: CommandContext,
): Reply {
  const { bucketId, key, versionId, event: name } = command;
  const place = { bucketId, key };
  const replacements = command.swaps.flatMap(replacementOf);
  const no =
    refusedBySeal(view, bucketId) ??
    replacements
      .map(({ manifest }) => refusedManifest(view, context, { bucketId, manifest }))
      .find((refusal) => refusal !== undefined);
  if (no !== undefined) return no;
  const found = findVersion(view, place, versionId);
  const version = replacedVersion(view, { command, found, replacements });
  if (found === undefined || "outcome" in version) {
    abandon(view, context, { bucketId, replacements });
    return "outcome" in version ? version : refused(Outcome.NO_SUCH_VERSION, "there is none");
  }
  for (const { former, manifest } of replacements) {
    freeManifest(view, context, { bucketId, manifestId: former });
    storeManifest(view, context, { bucketId, manifest });
  }
  renameParts(view, { bucketId, version, replacements });
  rewriteVersion(view, place, { ...found, version });
  if (version.storageClass !== found.version.storageClass) {
    addEvent(view, context, {
      state: readBucketState(view, bucketId),
      happening: { place, name, version },
    });
  }
  return accepted();
}

function replacementOf({ formerManifestId: former, manifest }: ReplaceBody_Swap): Replacement[] {
  return manifest === undefined ? [] : [{ former, manifest }];
}

interface Attempt {
  readonly command: ReplaceBody;
  readonly found: FoundVersion | undefined;
  readonly replacements: readonly Replacement[];
}

/** The version with its new body and class, or why it cannot have them. */
function replacedVersion(
  view: StateReader,
  { command, found, replacements }: Attempt,
): Version | Reply {
  const { bucketId, storageClass } = command;
  if (found === undefined) return refused(Outcome.NO_SUCH_VERSION, "the version does not exist");
  const { version } = found;
  if (version.deleteMarker) return refused(Outcome.DELETE_MARKER, "a delete marker has no body");
  const held = manifestsOf(view, bucketId, version);
  for (const { former, manifest } of replacements) {
    if (!held.has(toHex(former))) {
      return refused(Outcome.CONFLICT, "a former manifest is not the version's");
    }
    if (readManifest(view, bucketId, former)?.size !== manifest.size) {
      return refused(Outcome.CONFLICT, "a manifest of another size");
    }
  }
  const { body } = version;
  const [only] = replacements;
  return {
    ...version,
    storageClass: storageClass === "" ? version.storageClass : storageClass,
    body:
      body.case === "manifestId" && only !== undefined
        ? { case: "manifestId", value: only.manifest.manifestId }
        : body,
  };
}

/** Ids of all manifests of the version, in hex. */
function manifestsOf(view: StateReader, bucketId: number, { body }: Version): ReadonlySet<string> {
  if (body.case === "manifestId") return new Set([toHex(body.value)]);
  if (body.case !== "partListId") return new Set();
  const list = readRecord(view, PartListSchema, partListKey(bucketId, body.value));
  return new Set(list?.parts.map(({ manifestId }) => toHex(manifestId)));
}

/** Writes the part list again, under its id, where the body is in parts. */
function renameParts(
  view: StateWriter,
  done: {
    readonly bucketId: number;
    readonly version: Version;
    readonly replacements: readonly Replacement[];
  },
): void {
  const { bucketId, version, replacements } = done;
  if (version.body.case !== "partListId" || replacements.length === 0) return;
  const key = partListKey(bucketId, version.body.value);
  const list = readRecord(view, PartListSchema, key);
  if (list === undefined) return;
  const byFormer = new Map(replacements.map(({ former, manifest }) => [toHex(former), manifest]));
  const parts = list.parts.map((part): PartReference => {
    const manifest = byFormer.get(toHex(part.manifestId));
    return manifest === undefined ? part : { ...part, manifestId: manifest.manifestId };
  });
  const record: PartList = { ...list, parts };
  putRecord(view, PartListSchema, { key, record });
}

/** What was brought is not used: its shards are garbage from now on. */
function abandon(
  view: StateWriter,
  context: CommandContext,
  brought: { readonly bucketId: number; readonly replacements: readonly Replacement[] },
): void {
  const { bucketId, replacements } = brought;
  for (const { manifest } of replacements) {
    storeManifest(view, context, { bucketId, manifest });
    freeManifest(view, context, { bucketId, manifestId: manifest.manifestId });
  }
}
