// What is kept of an access token that somebody wished for: by the admin API, which draws it, and
// by the provisioning file, which brings it.
import { create } from "@bufbuild/protobuf";
import {
  type AccessToken,
  AccessTokenSchema,
  TokenAccess,
} from "../../../lib/gen/dolium/record/v1/identity_pb.ts";
import type { KnownToken } from "../../identity/tokens.ts";
import { expiryMs } from "./expiry.ts";

export interface TokenTerms {
  readonly name: string;
  readonly expires?: string | null | undefined;
  readonly buckets?: readonly string[] | undefined;
  readonly networks?: readonly string[] | undefined;
  /** Default: read-write. */
  readonly access?: "read" | "write" | "read-write" | undefined;
}

/** `nowMs`: milliseconds since 1970. Throws AdminError for an expiry that is none. */
export function tokenRecord(
  { tokenId, digest }: KnownToken,
  terms: TokenTerms,
  nowMs: number,
): AccessToken {
  return create(AccessTokenSchema, {
    tokenId,
    digest,
    name: terms.name,
    createdMs: BigInt(nowMs),
    expiresMs: expiryMs(terms.expires, nowMs),
    buckets: [...(terms.buckets ?? [])],
    networks: [...(terms.networks ?? [])],
    access: accessOf(terms.access),
  });
}

function accessOf(text: TokenTerms["access"]): TokenAccess {
  if (text === "read") return TokenAccess.READ;
  return text === "write" ? TokenAccess.WRITE : TokenAccess.READ_WRITE;
}
