// Every command of an index group and the pure function that applies it; those of the root group
// stand in root-command-table.ts. A function sees the state through the view, gets time and
// randomness from the context, and never throws for what a client can cause.
import type { Command, Reply } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { Outcome } from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import type { CommandContext } from "../context.ts";
import { refused } from "../outcome.ts";
import type { StateWriter } from "../records.ts";
import { abortUpload } from "./abort-upload.ts";
import { advanceFence } from "./advance-fence.ts";
import { appendAccessLog } from "./append-access-log.ts";
import { appendObject } from "./append-object.ts";
import { changeVersion } from "./change-version.ts";
import { completeUpload } from "./complete-upload.ts";
import { configureBucket } from "./configure-bucket.ts";
import { createUpload } from "./create-upload.ts";
import { deleteObjects } from "./delete-objects.ts";
import { enqueueRepairs } from "./enqueue-repairs.ts";
import { finishGarbage } from "./finish-garbage.ts";
import { finishOutbox } from "./finish-outbox.ts";
import { importState } from "./import-state.ts";
import { putObject } from "./put-object.ts";
import { putPart } from "./put-part.ts";
import { relocateShards } from "./relocate-shards.ts";
import { renameObject } from "./rename-object.ts";
import { replaceBody } from "./replace-body.ts";
import { rewriteManifest } from "./rewrite-manifest.ts";
import { applyRootCommand } from "./root-command-table.ts";
import { sealBucket } from "./seal-bucket.ts";

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
      return configureBucket(view, kind.value, context);
    case "changeVersion":
      return changeVersion(view, kind.value, context);
    case "renameObject":
      return renameObject(view, kind.value, context);
    case "appendObject":
      return appendObject(view, kind.value, context);
    case "appendAccessLog":
      return appendAccessLog(view, kind.value, context);
    case "finishOutbox":
      return finishOutbox(view, kind.value, context);
    case "replaceBody":
      return replaceBody(view, kind.value, context);
    case "rewriteManifest":
      return rewriteManifest(view, kind.value, context);
    case "importState":
      return importState(view, kind.value, context);
    case "digestMark":
      return refused(Outcome.UNSPECIFIED, "a digest mark is applied with the whole state");
    case undefined:
      return refused(Outcome.UNSPECIFIED, "a command of no known kind");
    default:
      return applyRootCommand(view, kind, context);
  }
}
