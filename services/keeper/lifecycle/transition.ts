// Moves a version to another storage class: its bytes to where the placement policy of the class
// wants them, then the class. A body is copied as it is stored, read back and compared before the
// version refers to it, in one command that holds only while the version is what was read. Bodies
// in parts move some parts at a time; parts that already are where they belong stay, so a keeper
// that was cut off goes on where it was.
import { toSafeNumber } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { isKnownClass } from "../../lib/s3/storage-classes.ts";
import { copyBody } from "../bodies/copy-body.ts";
import type { KeeperDeps } from "../deps.ts";
import { storedBody, type VersionName } from "./stored-body.ts";

/** Manifests that one command swaps, and their chunks together, at most. */
const SWAPS_MAX = 100;
const CHUNKS_MAX = 2000;
const EVENT = "LifecycleTransition";

export type TransitionDeps = Pick<
  KeeperDeps,
  "metadata" | "view" | "writer" | "reader" | "clock" | "lifecycle" | "storageClasses"
>;

export interface Transition {
  readonly bucket: BucketRecord;
  readonly name: VersionName;
  readonly storageClass: string;
  readonly signal: AbortSignal;
}

/** `moved`: bytes that were copied. "changed": the version moved on meanwhile; nothing was done. */
export type TransitionOutcome =
  | { readonly kind: "done"; readonly moved: number }
  | { readonly kind: "changed" };

interface Swap {
  readonly formerManifestId: Uint8Array;
  readonly manifest: Manifest;
}

/**
 * Resolves when the version is of the class and its bytes lie as that wants. Throws StoreError:
 * "invalid" for a class that is not known, or whose policy the cluster does not have, "corrupt"
 * when what was written is not what was read, and what reading and writing throw.
 */
export async function transitionVersion(
  deps: TransitionDeps,
  transition: Transition,
): Promise<TransitionOutcome> {
  const { name, storageClass, signal } = transition;
  const policy = policyOf(deps, transition);
  const body = await storedBody(deps.metadata, name);
  if (body === undefined) return { kind: "changed" };
  let moved = 0;
  let swaps: Swap[] = [];
  for (const former of body.manifests.filter((manifest) => manifest.policy !== policy)) {
    const manifest = await copyBody(deps, {
      ...{ bucketId: name.bucketId, key: name.key, former, policy, signal },
      paced: (source) => paced(deps, source, signal),
    });
    moved += toSafeNumber(former.size);
    swaps.push({ formerManifestId: former.manifestId, manifest });
    if (!isFull(swaps)) continue;
    if (!(await replace(deps, name, { swaps, storageClass: "" }))) return { kind: "changed" };
    swaps = [];
    signal.throwIfAborted();
  }
  const isDone = await replace(deps, name, { swaps, storageClass });
  return isDone ? { kind: "done", moved } : { kind: "changed" };
}

/** That of the class, where the settings name one, else that of the bucket. */
function policyOf(deps: TransitionDeps, { bucket, storageClass }: Transition): string {
  const { storageClasses, view } = deps;
  if (!isKnownClass(storageClass, storageClasses)) {
    throw new StoreError("invalid", `the settings do not know the storage class ${storageClass}`);
  }
  const named = Object.hasOwn(storageClasses, storageClass)
    ? storageClasses[storageClass]
    : bucket.policy;
  const policy = named === undefined || named === "" ? view.defaultPolicy() : named;
  if (view.hasPolicy(policy) === false) {
    const message = `${storageClass} is placed by the policy ${policy}`;
    throw new StoreError("invalid", `${message}, which this cluster does not have`);
  }
  return policy;
}

function isFull(swaps: readonly Swap[]): boolean {
  const chunks = swaps.reduce((sum, { manifest }) => sum + manifest.chunks.length, 0);
  return swaps.length >= SWAPS_MAX || chunks >= CHUNKS_MAX;
}

/** The same views, at the rate of the settings at most. */
async function* paced(
  { clock, lifecycle }: TransitionDeps,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const begunAt = clock.monotonicMs();
  let bytes = 0;
  for await (const view of source) {
    bytes += view.byteLength;
    yield view;
    const aheadMs =
      begunAt + (bytes / lifecycle.transitionBytesPerSecond) * 1000 - clock.monotonicMs();
    if (aheadMs > 0) await clock.sleep(aheadMs, signal);
  }
}

/** False when the version is not what was read any more. */
async function replace(
  { metadata }: TransitionDeps,
  { groupId, bucketId, key, versionId }: VersionName,
  done: { readonly swaps: readonly Swap[]; readonly storageClass: string },
): Promise<boolean> {
  const { storageClass } = done;
  const swaps = [...done.swaps];
  const value = { bucketId, key, versionId, swaps, storageClass, event: EVENT };
  const reply = await metadata.execute(groupId, { case: "replaceBody", value });
  switch (reply.outcome) {
    case Outcome.OK:
      return true;
    case Outcome.CONFLICT:
    case Outcome.NO_SUCH_KEY:
    case Outcome.NO_SUCH_VERSION:
    case Outcome.DELETE_MARKER:
    case Outcome.SEALED:
      return false;
    default:
      throw new StoreError("conflict", `replaceBody: ${reply.outcome} ${reply.message}`);
  }
}
