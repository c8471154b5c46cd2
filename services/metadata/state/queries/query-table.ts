// Every query and the function that answers it from a frozen state.
import { create } from "@bufbuild/protobuf";
import { unreachable } from "../../../lib/base/assert.ts";
import { StoreError } from "../../../lib/base/errors.ts";
import {
  type QueryRequest,
  type QueryResponse,
  QueryResponseSchema,
} from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { FrozenState } from "../records.ts";
import { bucketUsage } from "./bucket-usage.ts";
import { getBucket } from "./get-bucket.ts";
import { getClusterMap } from "./get-cluster-map.ts";
import { getIdentity } from "./get-identity.ts";
import { getManifest } from "./get-manifest.ts";
import { getObject } from "./get-object.ts";
import { getUpload } from "./get-upload.ts";
import { groupStats } from "./group-stats.ts";
import { listBuckets } from "./list-buckets.ts";
import { listGarbage } from "./list-garbage.ts";
import { listIdentities } from "./list-identities.ts";
import { listKmsKeys } from "./list-kms-keys.ts";
import { listLeases } from "./list-leases.ts";
import { listObjects } from "./list-objects.ts";
import { listOutbox } from "./list-outbox.ts";
import { listParts } from "./list-parts.ts";
import { listRepairs } from "./list-repairs.ts";
import { listUploads } from "./list-uploads.ts";
import { listUses } from "./list-uses.ts";
import { listVersions } from "./list-versions.ts";
import { ownedManifests } from "./owned-manifests.ts";
import { rangeSize } from "./range-size.ts";
import { scanManifests } from "./scan-manifests.ts";

type Answer = QueryResponse["kind"];

/** Throws StoreError "invalid", "sealed" or "corrupt". */
export async function answerQuery(
  state: FrozenState,
  kind: QueryRequest["kind"],
): Promise<QueryResponse> {
  return create(QueryResponseSchema, { kind: await answer(state, kind) });
}

async function answer(state: FrozenState, kind: QueryRequest["kind"]): Promise<Answer> {
  switch (kind.case) {
    case "getObject":
      return { case: kind.case, value: getObject(state, kind.value) };
    case "listObjects":
      return { case: kind.case, value: await listObjects(state, kind.value) };
    case "getUpload":
      return { case: kind.case, value: await getUpload(state, kind.value) };
    case "listParts":
      return { case: kind.case, value: await listParts(state, kind.value) };
    case "listUploads":
      return { case: kind.case, value: await listUploads(state, kind.value) };
    case "listGarbage":
      return { case: kind.case, value: await listGarbage(state, kind.value) };
    case "listRepairs":
      return { case: kind.case, value: await listRepairs(state, kind.value) };
    case "ownedManifests":
      return { case: kind.case, value: ownedManifests(state, kind.value) };
    case "scanManifests":
      return { case: kind.case, value: await scanManifests(state, kind.value) };
    case "groupStats":
      return { case: kind.case, value: groupStats(state) };
    case "getManifest":
      return { case: kind.case, value: getManifest(state, kind.value) };
    case "getClusterMap":
      return { case: kind.case, value: getClusterMap(state, kind.value) };
    case "getBucket":
      return { case: kind.case, value: getBucket(state, kind.value) };
    case "listBuckets":
      return { case: kind.case, value: await listBuckets(state, kind.value) };
    case "listLeases":
      return { case: kind.case, value: await listLeases(state) };
    case "listVersions":
      return { case: kind.case, value: await listVersions(state, kind.value) };
    case "listOutbox":
      return { case: kind.case, value: await listOutbox(state, kind.value) };
    case "listKmsKeys":
      return { case: kind.case, value: await listKmsKeys(state, kind.value) };
    case "bucketUsage":
      return { case: kind.case, value: bucketUsage(state, kind.value) };
    case "rangeSize":
      return { case: kind.case, value: await rangeSize(state, kind.value) };
    case "listIdentities":
      return { case: kind.case, value: await listIdentities(state, kind.value) };
    case "getIdentity":
      return { case: kind.case, value: getIdentity(state, kind.value) };
    case "listUses":
      return { case: kind.case, value: listUses(state, kind.value) };
    case undefined:
      throw new StoreError("invalid", "a query of no known kind");
    default:
      return unreachable(kind);
  }
}
