// What a group knows of a bucket: versioning, object lock, events. The root group's record is where
// it comes from (ConfigureBucket brings it); a group that was told nothing knows a bucket without
// any of them.
import { create } from "@bufbuild/protobuf";
import { Versioning } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { type BucketState, BucketStateSchema } from "../../lib/gen/dolium/record/v1/group_pb.ts";
import { bucketStateKey } from "./keys.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";

/** The state of a bucket; `versioning` is never unspecified. */
export function readBucketState(reader: StateReader, bucketId: number): BucketState {
  const state = readRecord(reader, BucketStateSchema, bucketStateKey(bucketId));
  if (state === undefined) return create(BucketStateSchema, { versioning: Versioning.OFF });
  if (state.versioning === Versioning.UNSPECIFIED) state.versioning = Versioning.OFF;
  return state;
}

/** True when the bucket has, or had, versioning. */
export function hasVersions(state: BucketState): boolean {
  return state.versioning !== Versioning.OFF;
}

export function putBucketState(view: StateWriter, bucketId: number, state: BucketState): void {
  putRecord(view, BucketStateSchema, { key: bucketStateKey(bucketId), record: state });
}
