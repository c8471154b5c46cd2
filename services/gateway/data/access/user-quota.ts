// What a user may hold in all its buckets together. Asked before a body is read, by sums that are
// up to five seconds old: kept to roughly, while quotas of buckets hold exactly where they are
// applied. What an overwrite would free is not counted; deleting always passes.
import type { BucketRecord } from "../../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { S3Error } from "../../../lib/s3/errors.ts";
import { callOptions, type ServiceContext } from "../../operation.ts";

/** Throws QuotaExceeded where `size` more bytes are too many for the bucket's owner. */
export async function checkUserQuota(
  context: ServiceContext,
  bucket: BucketRecord,
  size: number,
): Promise<void> {
  const { people, userUsage } = context.gateway;
  const limits = await people.limitsOf(bucket.owner, callOptions(context));
  if (limits === undefined || (limits.bytesMax === 0n && limits.objectsMax === 0n)) return;
  const { bytes, uploadBytes, objects } = await userUsage.of(bucket.owner);
  const held = bytes + uploadBytes + BigInt(size);
  const isTooLarge = limits.bytesMax > 0n && held > limits.bytesMax;
  const isOneTooMany = limits.objectsMax > 0n && objects >= limits.objectsMax;
  if (isTooLarge || isOneTooMany) throw new S3Error("QuotaExceeded");
}
