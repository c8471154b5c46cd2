// ChangeBucket: versioning, object lock, settings and owner in a bucket's record. Versioning once
// on is suspended but never off again, object lock once on stays and needs versioning on. A change
// that changes nothing leaves the revision as it is.
import { create, equals } from "@bufbuild/protobuf";
import {
  type BucketRecord,
  BucketRecordSchema,
  Versioning,
} from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type ChangeBucket,
  ChangeBucketReplySchema,
  Outcome,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { mergedSettings, SETTINGS_BYTES_MAX, settingsBytes } from "../bucket-settings.ts";
import { bucketNameKey, ownedBucketKey } from "../keys.ts";
import { accepted, refused } from "../outcome.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";

export function changeBucket(view: StateWriter, command: ChangeBucket): Reply {
  const { name, bucketId, expectedRevision } = command;
  const key = bucketNameKey(name);
  const bucket = readRecord(view, BucketRecordSchema, key);
  if (bucket === undefined || bucket.bucketId !== bucketId) {
    return refused(Outcome.NO_SUCH_BUCKET, `there is no bucket ${name} with id ${bucketId}`);
  }
  if (expectedRevision !== 0n && expectedRevision !== bucket.revision) {
    return refused(Outcome.CONFLICT, `the bucket is at revision ${bucket.revision}`);
  }
  const wanted = changedBucket(bucket, command);
  const fault = bucketFault(bucket, wanted);
  if (fault !== undefined) return refused(Outcome.CONFLICT, fault);
  const isChanged = !equals(BucketRecordSchema, bucket, wanted);
  const record = isChanged ? { ...wanted, revision: bucket.revision + 1n } : bucket;
  if (isChanged) putRecord(view, BucketRecordSchema, { key, record });
  if (record.owner !== bucket.owner) {
    view.delete(ownedBucketKey(bucket.owner, name));
    view.put(ownedBucketKey(record.owner, name), new Uint8Array(0));
  }
  const value = create(ChangeBucketReplySchema, { bucket: record });
  return accepted({ case: "changeBucket", value });
}

function changedBucket(bucket: BucketRecord, command: ChangeBucket): BucketRecord {
  const { versioning, owner } = command;
  return {
    ...bucket,
    owner: owner === "" ? bucket.owner : owner,
    versioning: versioning === Versioning.UNSPECIFIED ? bucket.versioning : versioning,
    objectLock: bucket.objectLock || command.objectLock,
    settings: mergedSettings(bucket.settings, command.settings),
  };
}

/** Why a bucket may not become `wanted`. */
function bucketFault(bucket: BucketRecord, wanted: BucketRecord): string | undefined {
  if (wanted.objectLock && wanted.versioning !== Versioning.ENABLED) {
    return "object lock needs versioning to be on";
  }
  const isOff = wanted.versioning === Versioning.OFF || wanted.versioning === 0;
  const wasOff = bucket.versioning === Versioning.OFF || bucket.versioning === 0;
  if (isOff && !wasOff) return "versioning once on can only be suspended";
  if (settingsBytes(wanted.settings) > SETTINGS_BYTES_MAX) {
    return `settings of over ${SETTINGS_BYTES_MAX} bytes together`;
  }
  return undefined;
}
