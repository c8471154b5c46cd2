// GetManifest: manifests by id; those that are gone are left out.
import { create } from "@bufbuild/protobuf";
import {
  type GetManifestAnswer,
  GetManifestAnswerSchema,
  type GetManifestQuery,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { StateReader } from "../records.ts";
import { readManifests } from "./get-object.ts";

export function getManifest(reader: StateReader, query: GetManifestQuery): GetManifestAnswer {
  const manifests = readManifests(reader, query.bucketId, query.manifestIds);
  return create(GetManifestAnswerSchema, { manifests });
}
