// Golden bytes of uploads that tell who began them; other records are in golden.test.ts.
import {
  CompletedUploadSchema,
  UploadSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { testRecord } from "./golden.ts";

const NAME = { uploadId: "AAECAwQFBgcICQoLDA0ODw==", key: "Zm9sZGVyL2tleQA=" };

testRecord([
  "completed-upload-initiator",
  CompletedUploadSchema,
  { ...NAME, etag: "e-1", completedMs: "3", initiator: "name_org" },
]);
testRecord([
  "upload-initiator",
  UploadSchema,
  { ...NAME, bucketId: 7, createdMs: "1", owner: "root", initiator: "name_org" },
]);
