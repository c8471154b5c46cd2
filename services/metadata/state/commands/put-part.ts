// PutPart: adds a part to an upload, or replaces the earlier one of that number, whose body is
// freed.
import { create } from "@bufbuild/protobuf";
import { present } from "../../../lib/base/assert.ts";
import {
  Outcome,
  type PutPart,
  PutPartReplySchema,
  type Reply,
} from "../../../lib/gen/dolium/record/v1/command_pb.ts";
import { PartSchema, UploadSchema } from "../../../lib/gen/dolium/record/v1/object_pb.ts";
import { readBucketState } from "../bucket-states.ts";
import { type CommandContext, sequenceMs } from "../context.ts";
import { partKey, uploadKey } from "../keys.ts";
import { freeManifest, storeManifest } from "../manifests.ts";
import { accepted, refused } from "../outcome.ts";
import { refusedByQuota } from "../quotas.ts";
import { putRecord, readRecord, type StateWriter } from "../records.ts";
import { readUpload } from "../uploads.ts";
import { refusedBySeal, refusedManifest } from "../write-checks.ts";

export function putPart(view: StateWriter, command: PutPart, context: CommandContext): Reply {
  const { bucketId, key, uploadId } = command;
  const part = present(command.part, "part");
  const manifest = present(command.manifest, "manifest");
  const no =
    refusedBySeal(view, bucketId) ?? refusedManifest(view, context, { bucketId, manifest });
  if (no !== undefined) return no;
  const upload = readUpload(view, command);
  if (upload === undefined) return refused(Outcome.NO_SUCH_UPLOAD, "the upload does not exist");
  const partName = partKey(bucketId, uploadId, part.partNumber);
  const earlier = readRecord(view, PartSchema, partName);
  const growth = part.size - (earlier?.size ?? 0n);
  const state = readBucketState(view, bucketId);
  const over = refusedByQuota(context, { bucketId, state }, { bytes: growth, versions: 0 });
  if (over !== undefined) return over;
  storeManifest(view, context, { bucketId, manifest });
  const modifiedMs = sequenceMs(context.nextSequence());
  putRecord(view, PartSchema, { key: partName, record: { ...part, modifiedMs } });
  const touched = { ...upload, touchedMs: modifiedMs };
  putRecord(view, UploadSchema, { key: uploadKey(bucketId, key, uploadId), record: touched });
  context.usage.add(bucketId, { uploadBytes: growth });
  if (earlier !== undefined) {
    freeManifest(view, context, { bucketId, manifestId: earlier.manifestId });
  }
  return accepted({ case: "putPart", value: create(PutPartReplySchema, { modifiedMs }) });
}
