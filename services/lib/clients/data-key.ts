// The data key of one object or upload, under a named key of the cluster, and the bodies that are
// sealed with it: what the gateway and the keeper write in the same way.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Encryption_Kind, EncryptionSchema } from "../gen/dolium/record/v1/object_pb.ts";
import type { Random } from "../ports/random.ts";
import { sealedSize } from "../seal/blocks.ts";
import { dataKeyBinding } from "../seal/key-bindings.ts";
import { BODY_NONCE_BYTES, bodyKey, KEY_BYTES } from "../seal/key-derivation.ts";
import { sealBody } from "../seal/seal-body.ts";
import { wrapKey } from "../seal/wrapped-key.ts";
import type { NamedKey } from "./kms-directory.ts";

export type EncryptionInit = MessageInitShape<typeof EncryptionSchema> & {
  readonly kind: Encryption_Kind;
};

/** How the bodies of one object or upload are sealed. */
export interface Sealing {
  /** As it is kept in the record. */
  readonly encryption: EncryptionInit;
  /** 32 bytes; a secret. */
  readonly dataKey: Uint8Array;
}

export interface DataKeyUse {
  readonly kind: Encryption_Kind;
  readonly bucketId: number;
  readonly named: NamedKey;
  /** The encryption context as the client wrote it; empty without one. */
  readonly context: string;
  readonly bucketKey: boolean;
}

/** A new data key, which opens in this bucket only. */
export function newDataKey(use: DataKeyUse, random: Random): Sealing {
  const { kind, bucketId, named, context, bucketKey } = use;
  const { name: keyName, version: keyVersion } = named;
  const dataKey = random.bytes(KEY_BYTES);
  const binding = dataKeyBinding({ bucketId, keyName, keyVersion, context });
  const wrappedKey = wrapKey({ wrappingKey: named.key, binding }, dataKey, random);
  return { dataKey, encryption: { kind, keyName, keyVersion, wrappedKey, context, bucketKey } };
}

/** What the record of a sealed body must keep, besides its plain size. */
export interface Seal {
  readonly encryption: EncryptionInit;
  readonly bodyNonce: Uint8Array;
}

export interface BodyBytes {
  readonly source: AsyncIterable<Uint8Array>;
  readonly size: number;
}

/** The bytes that are stored for a body, under a key of its own, and how many. */
export function sealedBytes(
  { source, size }: BodyBytes,
  { dataKey, encryption }: Sealing,
  random: Random,
): BodyBytes & { readonly seal: Seal } {
  const bodyNonce = random.bytes(BODY_NONCE_BYTES);
  const key = bodyKey(dataKey, bodyNonce);
  return {
    source: sealBody(source, { key, size }),
    size: sealedSize(size),
    seal: { encryption, bodyNonce },
  };
}
