// ChangeVersion: tags, access control list, retention, legal hold or replication of a version. Its
// id, time and body stay.
import { create } from "@bufbuild/protobuf";
import {
  type ChangeVersion,
  ChangeVersionReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  type ObjectLock,
  ObjectLockSchema,
  type Version,
} from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import type { CommandContext } from "../context.ts";
import { mayReplaceRetention, shortened } from "../locks.ts";
import { answeredId } from "../new-version.ts";
import { addEvent } from "../outbox.ts";
import { accepted, refused } from "../outcome.ts";
import type { StateReader, StateWriter } from "../records.ts";
import { afterReplicated } from "../replication.ts";
import { type FoundVersion, findVersion, readHead, rewriteVersion } from "../versions.ts";
import { refusedBySeal } from "../write-checks.ts";

export function changeVersion(
  view: StateWriter,
  command: ChangeVersion,
  context: CommandContext,
): Reply {
  const { bucketId, key, change, event: name } = command;
  const place = { bucketId, key };
  const no = refusedBySeal(view, bucketId);
  if (no !== undefined) return no;
  const state = readBucketState(view, bucketId);
  const isLock = change.case === "retention" || change.case === "legalHold";
  if (isLock && !state.objectLock) {
    return refused(Outcome.CONFLICT, "the bucket has no object lock");
  }
  const found = find(view, command);
  if (found === undefined) {
    const byId = command.versionId.byteLength > 0;
    return byId
      ? refused(Outcome.NO_SUCH_VERSION, "the version does not exist")
      : refused(Outcome.NO_SUCH_KEY, "the key does not exist");
  }
  if (found.version.deleteMarker && change.case !== "replicated") {
    return refused(Outcome.DELETE_MARKER, "the version is a delete marker");
  }
  const version = changed(found.version, change, context.timeMs);
  if (version === undefined) return refused(Outcome.LOCKED, "the retention may not be changed so");
  rewriteVersion(view, place, { ...found, version });
  addEvent(view, context, { state, happening: { place, name, version } });
  const value = create(ChangeVersionReplySchema, { versionId: answeredId(state, version) });
  return accepted({ case: "changeVersion", value });
}

function find(reader: StateReader, command: ChangeVersion): FoundVersion | undefined {
  if (command.versionId.byteLength > 0) return findVersion(reader, command, command.versionId);
  const version = readHead(reader, command);
  return version === undefined ? undefined : { version, isHead: true };
}

/** The version after the change; undefined when its lock forbids it. */
function changed(
  version: Version,
  change: ChangeVersion["change"],
  timeMs: bigint,
): Version | undefined {
  switch (change.case) {
    case "tags":
      return { ...version, tags: change.value.tags };
    case "acl":
      return { ...version, acl: change.value };
    case "retention": {
      const { mode, retainUntilMs } = change.value;
      if (!mayReplaceRetention(version.lock, change.value, timeMs)) return undefined;
      const legalHold = version.lock?.legalHold === true;
      return withLock(version, create(ObjectLockSchema, { mode, retainUntilMs, legalHold }));
    }
    case "legalHold": {
      const lock = version.lock ?? create(ObjectLockSchema);
      return withLock(version, { ...lock, legalHold: change.value.on });
    }
    case "replicated":
      return afterReplicated(version, change.value);
    case undefined:
      return version;
  }
}

function withLock(version: Version, lock: ObjectLock): Version {
  const { lock: _former, ...rest } = version;
  const kept = shortened(lock);
  return kept === undefined ? rest : { ...rest, lock: kept };
}
