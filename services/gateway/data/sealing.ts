// How a new body is sealed: what the request says, else the bucket's default encryption. Guarantees
// a data key of its own for every object and upload, wrapped so that it opens in this bucket only.
// Source: Amazon S3 API reference, PutObject, UploadPart; user guide, "Using server-side
// encryption".
import { StoreError } from "../../lib/base/errors.ts";
import { newDataKey, type Sealing } from "../../lib/clients/data-key.ts";
import type { NamedKey } from "../../lib/clients/kms-directory.ts";
import { kmsKeyArn, kmsKeyName } from "../../lib/clients/kms-key-id.ts";
import {
  type Encryption,
  Encryption_Kind,
  type Upload,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import {
  type ClientKey,
  type ManagedEncryption,
  parseBucketKeyEnabled,
  parseClientKey,
  parseRequestedEncryption,
  refuseManagedEncryption,
} from "../../lib/s3/encryption-headers.ts";
import { S3Error } from "../../lib/s3/errors.ts";
import type { HeaderList } from "../../lib/s3/headers.ts";
import { type DefaultEncryption, parseEncryption } from "../../lib/s3/settings/encryption.ts";
import { clientKeyBinding, dataKeyBinding } from "../../lib/seal/key-bindings.ts";
import { KEY_BYTES } from "../../lib/seal/key-derivation.ts";
import { unwrapKey, wrapKey } from "../../lib/seal/wrapped-key.ts";
import { isPrivate } from "../identity/request-origin.ts";
import { type BucketContext, callOptions, type ServiceContext } from "../operation.ts";
import type { SettingKind } from "./bucket-settings.ts";

const DEFAULT_ENCRYPTION: SettingKind<DefaultEncryption> = {
  name: "encryption",
  parse: parseEncryption,
};

/**
 * For a new object or upload in the bucket; undefined when it is kept as it comes. `headers` are
 * those of the request, or the fields of a form. Throws InvalidArgument,
 * InvalidEncryptionAlgorithmError, InvalidRequest (a client's key over an open connection),
 * AccessDenied (client's keys are blocked), KMS.NotFoundException, NotImplemented.
 */
export async function sealingOfWrite(
  context: BucketContext,
  headers: HeaderList,
): Promise<Sealing | undefined> {
  const requested = parseRequestedEncryption(headers);
  const { bucket, gateway } = context;
  const byDefault = gateway.bucketSettings.read(bucket, DEFAULT_ENCRYPTION);
  if (requested?.kind === "sse-c") {
    requireClosedConnection(context);
    if (byDefault?.blocksCustomerKeys === true) {
      throw new S3Error("AccessDenied", "This bucket takes no encryption with clients' own keys.");
    }
    return clientSealing(context, requested.clientKey);
  }
  const bucketKey = parseBucketKeyEnabled(headers) ?? byDefault?.bucketKeyEnabled ?? false;
  const managed = withDefault(requested, byDefault);
  return managed === undefined ? undefined : managedSealing(context, managed, bucketKey);
}

function withDefault(
  requested: ManagedEncryption | undefined,
  byDefault: DefaultEncryption | undefined,
): ManagedEncryption | undefined {
  if (requested !== undefined || byDefault === undefined) return requested;
  if (byDefault.algorithm === "AES256") return { kind: "sse-s3" };
  return { kind: "sse-kms", keyId: byDefault.keyName, context: "" };
}

async function managedSealing(
  context: BucketContext,
  managed: ManagedEncryption,
  bucketKey: boolean,
): Promise<Sealing> {
  const { kms, random } = context.gateway.dependencies;
  if (!kms.isConfigured) {
    throw new S3Error(
      "NotImplemented",
      "Server-side encryption needs a cluster key, and this server is configured without one.",
    );
  }
  const isKms = managed.kind === "sse-kms";
  const use = {
    kind: isKms ? Encryption_Kind.SSE_KMS : Encryption_Kind.SSE_S3,
    bucketId: context.bucket.bucketId,
    named: await namedKeyOf(context, managed),
    context: isKms ? managed.context : "",
    bucketKey: isKms && bucketKey,
  };
  return newDataKey(use, random);
}

async function namedKeyOf(context: ServiceContext, managed: ManagedEncryption): Promise<NamedKey> {
  const { kms } = context.gateway.dependencies;
  if (managed.kind === "sse-s3") return kms.forStore(callOptions(context));
  const { keyId } = managed;
  const named = await kms.forKms(keyId, callOptions(context));
  if (named !== undefined) return named;
  const name = kmsKeyName(keyId ?? "");
  const shown = name === undefined ? keyId : kmsKeyArn(name, context.gateway.settings.region);
  throw new S3Error("KMS.NotFoundException", `Key '${shown}' does not exist`);
}

function clientSealing(context: BucketContext, { key, md5 }: ClientKey): Sealing {
  const { random } = context.gateway.dependencies;
  const dataKey = random.bytes(KEY_BYTES);
  const binding = clientKeyBinding(context.bucket.bucketId);
  const wrappedKey = wrapKey({ wrappingKey: key, binding }, dataKey, random);
  return {
    dataKey,
    encryption: { kind: Encryption_Kind.SSE_C, wrappedKey, clientKeyMd5: md5 },
  };
}

/**
 * For a part of an upload: as the upload began. Throws InvalidArgument and InvalidRequest when the
 * client's key is missing, not wanted, or another one.
 */
export async function sealingOfPart(
  context: BucketContext,
  { encryption }: Pick<Upload, "encryption">,
): Promise<Sealing | undefined> {
  const { headers } = context.request;
  refuseManagedEncryption(headers);
  const clientKey = parseClientKey(headers, "target");
  if (encryption?.kind === Encryption_Kind.SSE_C) {
    if (clientKey === undefined) {
      throw new S3Error(
        "InvalidRequest",
        "The multipart upload initiate requested encryption. Subsequent part requests must " +
          "include the appropriate encryption parameters.",
      );
    }
    return { encryption, dataKey: clientDataKeyOfUpload(context, encryption, clientKey) };
  }
  if (clientKey !== undefined) {
    throw new S3Error(
      "InvalidRequest",
      "The multipart upload initiate did not request encryption. Please resend the request " +
        "without sending encryption parameters.",
    );
  }
  if (encryption === undefined) return undefined;
  const { bucketId } = context.bucket;
  return { encryption, dataKey: await managedDataKey(context, bucketId, encryption) };
}

/** Throws InvalidRequest when a request to complete brings a key, and not that of the upload. */
export function checkCompletionKey(context: BucketContext, { encryption }: Upload): void {
  const { headers } = context.request;
  refuseManagedEncryption(headers);
  const clientKey = parseClientKey(headers, "target");
  if (clientKey === undefined) return;
  if (encryption?.kind !== Encryption_Kind.SSE_C) throw otherParameters();
  clientDataKeyOfUpload(context, encryption, clientKey);
}

function clientDataKeyOfUpload(
  context: BucketContext,
  encryption: Encryption,
  clientKey: ClientKey,
): Uint8Array {
  const dataKey = clientDataKey(context, context.bucket.bucketId, { encryption, clientKey });
  if (dataKey === undefined) throw otherParameters();
  return dataKey;
}

function otherParameters(): S3Error {
  return new S3Error(
    "InvalidRequest",
    "The provided encryption parameters did not match the ones used originally.",
  );
}

/** The data key that a client's key opens; undefined when it is another key. */
export function clientDataKey(
  context: ServiceContext,
  bucketId: number,
  sealed: { readonly encryption: Encryption; readonly clientKey: ClientKey },
): Uint8Array | undefined {
  requireClosedConnection(context);
  const wrapping = { wrappingKey: sealed.clientKey.key, binding: clientKeyBinding(bucketId) };
  return unwrapKey(wrapping, sealed.encryption.wrappedKey);
}

/** The data key that a named key of the cluster opens. Throws StoreError. */
export async function managedDataKey(
  context: ServiceContext,
  bucketId: number,
  encryption: Encryption,
): Promise<Uint8Array> {
  const { keyName, keyVersion, wrappedKey } = encryption;
  const { kms } = context.gateway.dependencies;
  const named = await kms.version(keyName, keyVersion, callOptions(context));
  const place = { bucketId, keyName, keyVersion, context: encryption.context };
  const wrapping = { wrappingKey: named.key, binding: dataKeyBinding(place) };
  const dataKey = unwrapKey(wrapping, wrappedKey);
  if (dataKey !== undefined) return dataKey;
  throw new StoreError("corrupt", `a data key does not open with the key ${keyName}`);
}

/** Throws InvalidRequest when a client's key came over a connection that others may read. */
function requireClosedConnection({ request, gateway }: ServiceContext): void {
  if (gateway.settings.customerKeysOverHttp || isPrivate(request.origin)) return;
  throw new S3Error(
    "InvalidRequest",
    "Requests specifying Server Side Encryption with Customer provided keys must be made over a " +
      "secure connection.",
  );
}

/**
 * The digest that an entity tag shows of a body with this MD5. Where the key is not the store's own
 * it says nothing about the plain bytes.
 */
export function entityDigest(
  context: ServiceContext,
  sealing: Sealing | undefined,
  md5: Uint8Array,
): Uint8Array {
  const kind = sealing?.encryption.kind;
  const isOpaque = kind === Encryption_Kind.SSE_KMS || kind === Encryption_Kind.SSE_C;
  return isOpaque ? context.gateway.dependencies.random.bytes(md5.byteLength) : md5;
}
