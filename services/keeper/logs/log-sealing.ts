// How an access log object is sealed: by the default encryption of the target bucket, like every
// object that does not say.
import { StoreError } from "../../lib/base/errors.ts";
import { newDataKey, type Sealing } from "../../lib/clients/data-key.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Encryption_Kind } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { parseEncryption } from "../../lib/s3/settings/encryption.ts";
import type { KeeperDeps } from "../deps.ts";

/**
 * Undefined: the bucket has no default. Throws StoreError, "denied" without the cluster key,
 * "not-found" when the bucket names a key that does not exist.
 */
export async function sealingOfTarget(
  { kms, random }: Pick<KeeperDeps, "kms" | "random">,
  { bucketId, name, settings }: BucketRecord,
): Promise<Sealing | undefined> {
  const document = settings.find((setting) => setting.name === "encryption")?.document;
  if (document === undefined) return undefined;
  const { algorithm, keyName, bucketKeyEnabled } = parseEncryption(document);
  const isKms = algorithm === "aws:kms";
  const named = isKms ? await kms.forKms(keyName) : await kms.forStore();
  if (named === undefined) {
    throw new StoreError("not-found", `${name}: there is no key ${keyName} to seal its logs with`);
  }
  const kind = isKms ? Encryption_Kind.SSE_KMS : Encryption_Kind.SSE_S3;
  const bucketKey = isKms && bucketKeyEnabled;
  return newDataKey({ kind, bucketId, named, context: "", bucketKey }, random);
}
