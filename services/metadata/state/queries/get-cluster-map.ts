// GetClusterMap: the map, unless the caller has this epoch.
import { create } from "@bufbuild/protobuf";
import {
  type GetClusterMapAnswer,
  GetClusterMapAnswerSchema,
  type GetClusterMapQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { readClusterMap } from "../cluster-record.ts";
import type { StateReader } from "../records.ts";

export function getClusterMap(reader: StateReader, query: GetClusterMapQuery): GetClusterMapAnswer {
  const map = readClusterMap(reader);
  const isKnown = map === undefined || map.epoch === query.knownEpoch;
  return create(GetClusterMapAnswerSchema, isKnown ? {} : { map });
}
