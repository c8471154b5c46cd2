// Every command and the pure function that applies it. A function sees the state through the view,
// gets time and randomness from the context, and never throws for what a client can cause.
import { unreachable } from "../../../lib/base/assert.ts";
import type { Command, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { abortUpload } from "./abort-upload.ts";
import { acquireLease } from "./acquire-lease.ts";
import { advanceFence } from "./advance-fence.ts";
import { completeUpload } from "./complete-upload.ts";
import { configureBucket } from "./configure-bucket.ts";
import { createBucket } from "./create-bucket.ts";
import { createUpload } from "./create-upload.ts";
import { deleteObjects } from "./delete-objects.ts";
import { enqueueRepairs } from "./enqueue-repairs.ts";
import { finishGarbage } from "./finish-garbage.ts";
import { initCluster } from "./init-cluster.ts";
import { putObject } from "./put-object.ts";
import { putPart } from "./put-part.ts";
import { registerNode } from "./register-node.ts";
import { releaseLease } from "./release-lease.ts";
import { relocateShards } from "./relocate-shards.ts";
import { removeBucket } from "./remove-bucket.ts";
import { sealBucket } from "./seal-bucket.ts";
import { setStates } from "./set-states.ts";

/** Applies any command but DigestMark, which concerns the whole state (state/apply.ts). */
export function applyCommand(
  view: StateWriter,
  { kind }: Command,
  context: CommandContext,
): Reply | Promise<Reply> {
  switch (kind.case) {
    case "putObject":
      return putObject(view, kind.value, context);
    case "deleteObjects":
      return deleteObjects(view, kind.value, context);
    case "createUpload":
      return createUpload(view, kind.value, context);
    case "putPart":
      return putPart(view, kind.value, context);
    case "completeUpload":
      return completeUpload(view, kind.value, context);
    case "abortUpload":
      return abortUpload(view, kind.value, context);
    case "relocateShards":
      return relocateShards(view, kind.value, context);
    case "advanceFence":
      return advanceFence(view, kind.value, context);
    case "finishGarbage":
      return finishGarbage(view, kind.value, context);
    case "sealBucket":
      return sealBucket(view, kind.value, context);
    case "enqueueRepairs":
      return enqueueRepairs(view, kind.value, context);
    case "configureBucket":
      return configureBucket(view, kind.value);
    case "initCluster":
      return initCluster(view, kind.value);
    case "registerNode":
      return registerNode(view, kind.value, context);
    case "setStates":
      return setStates(view, kind.value, context);
    case "createBucket":
      return createBucket(view, kind.value, context);
    case "removeBucket":
      return removeBucket(view, kind.value);
    case "acquireLease":
      return acquireLease(view, kind.value, context);
    case "releaseLease":
      return releaseLease(view, kind.value);
    case "digestMark":
      return refused(Outcome.UNSPECIFIED, "a digest mark is applied with the whole state");
    case "changeVersion":
    case "renameObject":
    case "appendObject":
    case "appendAccessLog":
    case "finishOutbox":
    case "changeBucket":
    case "putKmsKey":
      return refused(Outcome.UNSPECIFIED, `${kind.case} is not known here yet`);
    case undefined:
      return refused(Outcome.UNSPECIFIED, "a command of no known kind");
    default:
      return unreachable(kind);
  }
}
