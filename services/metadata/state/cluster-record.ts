// The cluster map in the root group's state: one record, whose epoch grows with every change.
import { type ClusterMap, ClusterMapSchema } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { CLUSTER_KEY } from "./keys.ts";
import { putRecord, readRecord, type StateReader, type StateWriter } from "./records.ts";

export function readClusterMap(reader: StateReader): ClusterMap | undefined {
  return readRecord(reader, ClusterMapSchema, CLUSTER_KEY);
}

/** Stores a changed map under the next epoch. */
export function putNextMap(view: StateWriter, map: ClusterMap): void {
  map.epoch += 1n;
  putRecord(view, ClusterMapSchema, { key: CLUSTER_KEY, record: map });
}
