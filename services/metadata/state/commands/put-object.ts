// PutObject: writes a version of a key, its body inline or in a manifest that comes with it.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import {
  type PutObject,
  PutObjectReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { failedCondition } from "../conditions.ts";
import type { CommandContext } from "../context.ts";
import { refusedLock } from "../locks.ts";
import { storeManifest } from "../manifests.ts";
import { answeredId, stamped } from "../new-version.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import { growthByVersion, refusedByQuota } from "../quotas.ts";
import type { StateWriter } from "../records.ts";
import { withReplication } from "../replication.ts";
import { pushVersion, readHead } from "../versions.ts";
import { refusedByLock, refusedBySeal, refusedManifest } from "../write-checks.ts";

export function putObject(view: StateWriter, command: PutObject, context: CommandContext): Reply {
  const { bucketId, key, manifest, event: name } = command;
  const place = { bucketId, key };
  const brought = present(command.version, "version");
  const state = readBucketState(view, bucketId);
  const no =
    refusedBySeal(view, bucketId) ??
    (manifest === undefined ? undefined : refusedManifest(view, context, { bucketId, manifest })) ??
    refusedLock(state, brought.lock);
  if (no !== undefined) return no;
  const failed = failedCondition(command.condition, readHead(view, place));
  if (failed !== undefined) {
    const { existingEtag } = failed;
    return refused(failed.outcome, failed.message, { case: "putObject", value: { existingEtag } });
  }
  const refusal =
    refusedByLock(view, context, { state, place }) ??
    refusedByQuota(
      context,
      { bucketId, state },
      growthByVersion(view, { place, state }, brought.size),
    );
  if (refusal !== undefined) return refusal;
  if (manifest !== undefined) storeManifest(view, context, { bucketId, manifest });
  const version = withReplication(stamped(brought, state, context), state, place);
  pushVersion(view, context, { place, version });
  addEvent(view, context, { state, happening: { place, name, version } });
  const { modifiedMs } = version;
  const value = create(PutObjectReplySchema, { versionId: answeredId(state, version), modifiedMs });
  return accepted({ case: "putObject", value });
}
