// The commands of the root group: cluster map, buckets, leases, keys, identities.
import { unreachable } from "../../../lib/base/assert.ts";
import type { Command, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import type { StateWriter } from "../records.ts";
import { acquireLease } from "./acquire-lease.ts";
import { changeBucket } from "./change-bucket.ts";
import { createBucket } from "./create-bucket.ts";
import { deleteIdentity } from "./delete-identity.ts";
import { initCluster } from "./init-cluster.ts";
import { putIdentity } from "./put-identity.ts";
import { putKmsKey } from "./put-kms-key.ts";
import { recordUses } from "./record-uses.ts";
import { registerNode } from "./register-node.ts";
import { releaseLease } from "./release-lease.ts";
import { removeBucket } from "./remove-bucket.ts";
import { rewrapKeys } from "./rewrap-keys.ts";
import { setGarbageFreeze } from "./set-garbage-freeze.ts";
import { setStates } from "./set-states.ts";
import { splitRange } from "./split-range.ts";

export type RootCommand = Extract<
  Command["kind"],
  {
    case:
      | "initCluster"
      | "registerNode"
      | "setStates"
      | "createBucket"
      | "changeBucket"
      | "removeBucket"
      | "acquireLease"
      | "releaseLease"
      | "putKmsKey"
      | "putIdentity"
      | "deleteIdentity"
      | "recordUses"
      | "rewrapKeys"
      | "setGarbageFreeze"
      | "splitRange";
  }
>;

export function applyRootCommand(
  view: StateWriter,
  kind: RootCommand,
  context: CommandContext,
): Reply | Promise<Reply> {
  switch (kind.case) {
    case "initCluster":
      return initCluster(view, kind.value);
    case "registerNode":
      return registerNode(view, kind.value, context);
    case "setStates":
      return setStates(view, kind.value, context);
    case "createBucket":
      return createBucket(view, kind.value, context);
    case "changeBucket":
      return changeBucket(view, kind.value);
    case "removeBucket":
      return removeBucket(view, kind.value);
    case "acquireLease":
      return acquireLease(view, kind.value, context);
    case "releaseLease":
      return releaseLease(view, kind.value);
    case "putKmsKey":
      return putKmsKey(view, kind.value, context);
    case "putIdentity":
      return putIdentity(view, kind.value, context);
    case "deleteIdentity":
      return deleteIdentity(view, kind.value, context);
    case "recordUses":
      return recordUses(view, kind.value);
    case "rewrapKeys":
      return rewrapKeys(view, kind.value, context);
    case "setGarbageFreeze":
      return setGarbageFreeze(view, kind.value, context);
    case "splitRange":
      return splitRange(view, kind.value);
    default:
      return unreachable(kind);
  }
}
