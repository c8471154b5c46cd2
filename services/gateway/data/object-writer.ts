// Stores a verified body: small ones in the version record itself, others as shards. Nothing is
// visible until a command commits what is returned here; a failure leaves only orphans for the
// sweeper.
import { assert } from "../../lib/base/assert.ts";
import { fromUtf8 } from "../../lib/base/bytes.ts";
import {
  type BodyBytes,
  type Seal,
  type Sealing,
  sealedBytes,
} from "../../lib/clients/data-key.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { ServiceContext } from "../operation.ts";
import { checkUserQuota } from "./access/user-quota.ts";
import { settingDocument } from "./bucket-settings.ts";

export type WrittenBody = (
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "manifest"; readonly manifest: Manifest }
) & {
  /** Undefined: the bytes are stored as they came. */
  readonly seal: Seal | undefined;
};

export interface BodyToWrite {
  readonly bucket: BucketRecord;
  readonly key: Uint8Array;
  readonly size: number;
  readonly storageClass: string;
  /** Ends only after its own checks; what it throws comes through unchanged. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Largest size that is kept inline; -1 for never. */
  readonly inlineBytesMax: number;
  /** How the body is sealed; undefined for not at all. */
  readonly sealing: Sealing | undefined;
}

/**
 * Throws QuotaExceeded before the source is read, what the source throws, IncompleteBody when it
 * has another length, and StoreError.
 */
export async function writeBody(context: ServiceContext, body: BodyToWrite): Promise<WrittenBody> {
  await checkUserQuota(context, body.bucket, body.size);
  const { source, size, seal } = sealedSource(context, body);
  if (body.size <= body.inlineBytesMax) {
    return { kind: "inline", bytes: await readExactly(source, size), seal };
  }
  const { writer, cluster } = context.gateway.dependencies;
  const { bucket, key } = body;
  const policy = policyOf(context, body);
  const local = isLocal(bucket) ? cluster.campusPolicy?.() : undefined;
  const manifest = await writer.write({
    bucketId: bucket.bucketId,
    key,
    ...(local === undefined ? { policy } : { policy: local, followPolicy: policy }),
    size,
    source,
    signal: context.signal,
  });
  assert(manifest.size === BigInt(size), "writeBody: the manifest has another size");
  return { kind: "manifest", manifest, seal };
}

/** The bytes that are stored: the body's own, or those it is sealed to, under a key of its own. */
function sealedSource(
  { gateway }: ServiceContext,
  { source, size, sealing }: BodyToWrite,
): BodyBytes & { readonly seal: Seal | undefined } {
  if (sealing === undefined) return { source, size, seal: undefined };
  return sealedBytes({ source, size }, sealing, gateway.dependencies.random);
}

/** The placement policy of the storage class, where it has one, else that of the bucket. */
function policyOf({ gateway }: ServiceContext, { bucket, storageClass }: BodyToWrite): string {
  const { storageClasses } = gateway.settings;
  const ofClass = Object.hasOwn(storageClasses, storageClass)
    ? storageClasses[storageClass]
    : undefined;
  if (ofClass !== undefined) return ofClass;
  return bucket.policy === "" ? gateway.dependencies.cluster.defaultPolicy() : bucket.policy;
}

/** Writes are acknowledged when their campus has them, where it can; the rest follows. */
function isLocal(bucket: BucketRecord): boolean {
  const document = settingDocument(bucket, "acknowledgement");
  return document !== undefined && fromUtf8(document) === "local";
}

async function readExactly(source: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  for await (const view of source) {
    if (filled + view.byteLength > size) throw new S3Error("IncompleteBody");
    bytes.set(view, filled);
    filled += view.byteLength;
  }
  if (filled !== size) throw new S3Error("IncompleteBody");
  return bytes;
}
