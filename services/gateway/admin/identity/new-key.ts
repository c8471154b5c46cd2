// Access keys: given by whoever makes them, or drawn. The secret leaves in the answer that makes
// it, and otherwise only sealed.

import { create } from "@bufbuild/protobuf";
import { base32 } from "../../../lib/base/base32.ts";
import { type AccessKey, AccessKeySchema } from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";

const ID_PREFIX = "DK";
const ID_CHARACTERS = 20;
const ID_BYTES = 15;
const SECRET_BYTES = 30;

export interface KeyWish {
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly description?: string | undefined;
  readonly expiresMs?: bigint;
}

export interface NewKey {
  readonly record: AccessKey;
  /** To be shown once. */
  readonly secretAccessKey: string;
}

/** Throws StoreError "denied" without a cluster key. */
export function newKey(
  deps: Pick<AdminDependencies, "random" | "clock" | "sealSecret">,
  userName: string,
  wish: KeyWish,
): NewKey {
  const { random, clock } = deps;
  const drawn = `${ID_PREFIX}${base32(random.bytes(ID_BYTES))}`.slice(0, ID_CHARACTERS);
  const accessKeyId = wish.accessKeyId ?? drawn;
  const secretAccessKey =
    wish.secretAccessKey ?? Buffer.from(random.bytes(SECRET_BYTES)).toString("base64url");
  const record = create(AccessKeySchema, {
    accessKeyId,
    sealedSecret: deps.sealSecret(userName, accessKeyId, secretAccessKey),
    createdMs: BigInt(clock.wallMs()),
    description: wish.description ?? "",
    expiresMs: wish.expiresMs ?? 0n,
  });
  return { record, secretAccessKey };
}
