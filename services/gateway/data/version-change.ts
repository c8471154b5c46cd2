// Changes what stands beside a version: tags, access control list, retention, legal hold. The state
// machine finds the version and decides, so that two changes never mix.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { StoreError } from "../../lib/base/errors.ts";
import type { ChangeVersionSchema } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { ObjectContext } from "../operation.ts";
import { executeAt } from "./name-space.ts";
import type { ObjectEvent } from "./object-commit.ts";
import { requestedVersionId, versionIdText } from "./version-id.ts";

type ChangeInit = Exclude<
  MessageInitShape<typeof ChangeVersionSchema>,
  { readonly $typeName: string }
>["change"];

/**
 * Changes the version that the request means; resolves with its id as answers show it. Throws
 * NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker), AccessDenied (locked).
 */
export async function changeVersion(
  context: ObjectContext,
  change: NonNullable<ChangeInit>,
  event: ObjectEvent,
): Promise<string | undefined> {
  const { bucket, key } = context;
  const versionId = requestedVersionId(context);
  const value = { bucketId: bucket.bucketId, key, versionId, change, event };
  const reply = await executeAt(context, { bucket, key }, { case: "changeVersion", value });
  if (reply.kind.case !== "changeVersion") {
    throw new StoreError("internal", "a change of a version was answered by another reply");
  }
  return versionIdText(reply.kind.value.versionId);
}
