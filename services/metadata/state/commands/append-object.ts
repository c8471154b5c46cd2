// AppendObject: adds bytes at the end of the current version. Small bodies grow as inline bytes,
// larger ones as a part list whose last part is what was added; the contract at the command says
// which body fits what is there. Nothing is ever copied: the parts keep their manifests.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import { INLINE_BYTES_MAX } from "../../../lib/base/limits.ts";
import {
  type AppendObject,
  AppendObjectReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { BucketState } from "../../../lib/gen/dolium/record/v1/group_pb.ts";
import type { Version } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { type Addition, grownParts, inlineTag } from "../appended-body.ts";
import { hasVersions, readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import type { CommandContext } from "../context.ts";
import { refusedLock } from "../locks.ts";
import { storeManifest } from "../manifests.ts";
import { stamped } from "../new-version.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import { growthByVersion, refusedByQuota } from "../quotas.ts";
import type { StateWriter } from "../records.ts";
import {
  freeBody,
  growHead,
  hasOtherVersions,
  pushVersion,
  readBody,
  readHead,
} from "../versions.ts";
import { refusedByLock, refusedBySeal, refusedManifest } from "../write-checks.ts";

export async function appendObject(
  view: StateWriter,
  command: AppendObject,
  context: CommandContext,
): Promise<Reply> {
  const { bucketId, key, manifest, offset } = command;
  const place = { bucketId, key };
  const brought = present(command.version, "version");
  const no =
    refusedBySeal(view, bucketId) ??
    (manifest === undefined ? undefined : refusedManifest(view, context, { bucketId, manifest }));
  if (no !== undefined) return no;
  const state = readBucketState(view, bucketId);
  if (hasVersions(state) || (await hasOtherVersions(view, context, place))) {
    return refused(Outcome.CONFLICT, "the bucket has versioning");
  }
  const head = readHead(view, place);
  const failed = failedCondition(command.condition, head);
  if (failed !== undefined) return refused(failed.outcome, failed.message);
  const locked = refusedByLock(view, context, { state, place });
  if (locked !== undefined) return locked;
  const size = head?.size ?? 0n;
  if (offset !== size) {
    return refused(Outcome.WRONG_OFFSET, `the object ends at ${size}`, answerOf(head));
  }
  if (head === undefined || head.deleteMarker) {
    if (command.whole) return refused(Outcome.CONFLICT, "there is nothing to write anew");
    return beginObject(view, context, { command, brought, state });
  }
  if (brought.size === 0n) return accepted(answerOf(head));
  return extend(view, context, { command, brought, state, head });
}

interface Appending {
  readonly command: AppendObject;
  /** The version that the command brings. */
  readonly brought: Version;
  readonly state: BucketState;
}

function answerOf(version: Version | undefined) {
  const { size, etag, modifiedMs } = version ?? { size: 0n, etag: "", modifiedMs: 0n };
  const value = create(AppendObjectReplySchema, { size, etag, modifiedMs });
  return { case: "appendObject", value } as const;
}

function beginObject(
  view: StateWriter,
  context: CommandContext,
  { command, brought, state }: Appending,
): Reply {
  const { bucketId, key, manifest, event: name } = command;
  const place = { bucketId, key };
  const growth = growthByVersion(view, { place, state }, brought.size);
  const no =
    refusedLock(state, brought.lock) ?? refusedByQuota(context, { bucketId, state }, growth);
  if (no !== undefined) return no;
  if (manifest !== undefined) storeManifest(view, context, { bucketId, manifest });
  const version = stamped(brought, state, context);
  pushVersion(view, context, { place, version });
  addEvent(view, context, { state, happening: { place, name, version } });
  return accepted(answerOf(version));
}

function extend(
  view: StateWriter,
  context: CommandContext,
  { command, brought, state, head }: Appending & { readonly head: Version },
): Reply {
  const { bucketId, key, manifest, event: name } = command;
  const place = { bucketId, key };
  const bytes = command.whole ? brought.size - head.size : brought.size;
  const over = refusedByQuota(context, { bucketId, state }, { bytes, versions: 0 });
  if (over !== undefined) return over;
  const bare = stamped({ ...head, checksums: command.wholeChecksums }, state, context);
  const addition = { bucketId, head, bare, brought, command };
  const grown = grow(view, addition);
  if (typeof grown === "string") return refused(Outcome.CONFLICT, grown);
  if (manifest !== undefined) storeManifest(view, context, { bucketId, manifest });
  // Parts go on in the list; any other body is in the new one.
  const isKept = head.size > 0n && head.body.case !== "inline";
  if (!isKept) freeBody(view, context, { bucketId, version: head });
  growHead(view, context, { place, former: head, version: grown });
  addEvent(view, context, { state, happening: { place, name, version: grown } });
  return accepted(answerOf(grown));
}

/** The version with the grown body, or why what was brought does not fit what is there. */
function grow(view: StateWriter, addition: Addition): Version | string {
  const { head, brought, command } = addition;
  const isInline = head.body.case === "inline";
  if (command.whole && !isInline) return "the current body is not inline";
  if (command.whole) return replaced(addition);
  if (head.size === 0n) return replaced(addition);
  if (!isInline) return grownParts(view, addition);
  const { body } = brought;
  if (body.case !== "inline" || head.encryption !== undefined) {
    return "the current bytes are inline: the whole must be written anew";
  }
  const bytes = Buffer.concat([readBody(view, addition.bucketId, head), body.value]);
  if (bytes.byteLength > INLINE_BYTES_MAX) return "both together are too large to be inline";
  return {
    ...addition.bare,
    size: BigInt(bytes.byteLength),
    etag: inlineTag(bytes),
    body: { case: "inline", value: bytes },
  };
}

/** The body that was brought, alone. */
function replaced({ bare, brought, command }: Addition): Version {
  const { size, etag, body, bodyNonce, checksums } = brought;
  const whole = command.wholeChecksums.length > 0 ? command.wholeChecksums : checksums;
  return { ...bare, size, etag, body, bodyNonce, checksums: whole };
}
