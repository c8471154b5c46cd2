// Golden bytes of bodies that one campus acknowledged and that have yet to follow their policy;
// other records are in golden.test.ts.
import {
  ManifestSchema,
  RepairEntrySchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { testRecord } from "./golden.ts";

const MANIFEST_ID = "AAECAwQFBgcICQoLDA0ODw==";
const CHUNK_ID = "8PHy8/T19vf4+fr7/P3+/w==";
const KEY = "Zm9sZGVyL2tleQA=";

testRecord([
  "manifest-following",
  ManifestSchema,
  {
    manifestId: MANIFEST_ID,
    policy: "@um",
    dataShards: 1,
    parityShards: 1,
    cellBytes: 131072,
    size: "70000",
    mapEpoch: "9",
    chunks: [{ chunkId: CHUNK_ID, size: 70000, diskIds: [3, 4], placementGroup: 7 }],
    key: KEY,
    followPolicy: "standard",
  },
]);
testRecord([
  "repair-entry-following",
  RepairEntrySchema,
  {
    bucketId: 7,
    key: KEY,
    manifestId: MANIFEST_ID,
    chunkId: CHUNK_ID,
    sinceMs: "5",
    parityShards: 1,
    following: true,
  },
]);
