// Which group a command or query belongs to: the root group keeps the cluster map, buckets, leases,
// keys and identities, an index group versions, uploads, garbage and the outbox. What comes to the
// wrong kind of group is a caller's mistake.
import { StoreError } from "../lib/base/errors.ts";
import { ROOT_GROUP } from "../lib/clients/groups.ts";
import type { QueryRequest } from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Command } from "../lib/gen/dolium/record/v1/command_pb.ts";

type CommandCase = Command["kind"]["case"];
type QueryCase = QueryRequest["kind"]["case"];

const ROOT_COMMANDS = new Set<CommandCase>([
  "initCluster",
  "registerNode",
  "setStates",
  "createBucket",
  "changeBucket",
  "removeBucket",
  "acquireLease",
  "releaseLease",
  "putKmsKey",
  "putIdentity",
  "deleteIdentity",
  "recordUses",
  "rewrapKeys",
  "setGarbageFreeze",
  "splitRange",
]);
const ROOT_QUERIES = new Set<QueryCase>([
  "getClusterMap",
  "getBucket",
  "listBuckets",
  "listLeases",
  "listKmsKeys",
  "listIdentities",
  "getIdentity",
  "listUses",
]);
const ANYWHERE = new Set<CommandCase | QueryCase>(["digestMark", "importState", "groupStats"]);

/** Throws StoreError "invalid". */
export function checkCommandScope(groupId: number, command: CommandCase): void {
  check(groupId, command, ROOT_COMMANDS.has(command));
}

/** Throws StoreError "invalid". */
export function checkQueryScope(groupId: number, query: QueryCase): void {
  check(groupId, query, ROOT_QUERIES.has(query));
}

function check(groupId: number, kind: CommandCase | QueryCase, isRoot: boolean): void {
  if (kind === undefined) throw new StoreError("invalid", "neither command nor query");
  if (ANYWHERE.has(kind) || isRoot === (groupId === ROOT_GROUP)) return;
  throw new StoreError("invalid", `${kind} does not belong to group ${groupId}`);
}
