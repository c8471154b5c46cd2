// CreateBucket: a name gets a bucket id that no bucket ever had, and one range for all keys.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import { BucketRecordSchema, Versioning } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type CreateBucket,
  CreateBucketReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { mergedSettings } from "../bucket-settings.ts";
import { readClusterMap } from "../cluster-record.ts";
import type { CommandContext } from "../context.ts";
import { bucketNameKey, ownedBucketKey } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function createBucket(
  view: StateWriter,
  command: CreateBucket,
  context: CommandContext,
): Reply {
  const { name, owner, region, objectLock, settings } = command;
  const map = readClusterMap(view);
  if (map === undefined || map.indexGroups.length === 0) {
    return refused(Outcome.CONFLICT, "the cluster is not initialised yet");
  }
  const existing = readRecord(view, BucketRecordSchema, bucketNameKey(name));
  if (existing !== undefined) {
    const value = create(CreateBucketReplySchema, { bucket: existing });
    const kind = { case: "createBucket", value } as const;
    return refused(Outcome.EXISTS, `bucket ${name} exists`, kind);
  }
  const policy = command.policy === "" ? map.defaultPolicy : command.policy;
  if (!map.policies.some((candidate) => candidate.name === policy)) {
    return refused(Outcome.CONFLICT, `there is no policy ${policy}`);
  }
  context.meta.lastBucketId += 1;
  const bucketId = context.meta.lastBucketId;
  // Ids follow each other, so the groups get equal numbers of buckets.
  const groupId = present(map.indexGroups[bucketId % map.indexGroups.length], "index group");
  const bucket = create(BucketRecordSchema, {
    bucketId,
    name,
    owner,
    createdMs: context.timeMs,
    region,
    policy,
    ranges: [{ groupId, epoch: 1n }],
    revision: 1n,
    // Object lock needs versions to lock.
    versioning: objectLock ? Versioning.ENABLED : Versioning.OFF,
    objectLock,
    settings: mergedSettings([], settings),
  });
  putRecord(view, BucketRecordSchema, { key: bucketNameKey(name), record: bucket });
  view.put(ownedBucketKey(owner, name), new Uint8Array(0));
  const value = create(CreateBucketReplySchema, { bucket });
  return accepted({ case: "createBucket", value });
}
