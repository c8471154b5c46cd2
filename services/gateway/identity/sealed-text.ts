// Small secrets that a gateway gives to clients to keep: session tokens, sign-ins under way, why
// one failed, console sessions. Sealed with the cluster key for one purpose each, so that every
// gateway opens what any other sealed and nobody else makes one; what a former cluster key sealed
// still opens. What it says about time is for the caller to check.
import { assert } from "../../lib/base/assert.ts";
import { asBuffer, fromUtf8, utf8 } from "../../lib/base/bytes.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import type { Random } from "../../lib/ports/random.ts";
import { type ClusterKeys, openWithCluster, sealWithCluster } from "../../lib/seal/cluster-keys.ts";

const TEXT = /^[A-Za-z0-9_-]+$/;
/** Characters of sealed text that are looked at. */
const SEALED_CHARACTERS_MAX = 16_384;

export type SealPurpose = "session token" | "sign-in" | "sign-in refused" | "console session";

/** Seals `text`; base64url. Throws StoreError "denied" without a cluster key. */
export function sealText(
  keys: ClusterKeys,
  { purpose, text }: { readonly purpose: SealPurpose; readonly text: string },
  random: Random,
): string {
  const binding = { purpose, fields: [] };
  const sealed = sealWithCluster(keys, { binding, bytes: utf8(text) }, random);
  const written = asBuffer(sealed).toString("base64url");
  assert(written.length <= SEALED_CHARACTERS_MAX, "sealText: a text too long to be opened");
  return written;
}

/**
 * The text that was sealed for this purpose; undefined for anything else, whatever it is. Throws
 * StoreError "denied" without a cluster key.
 */
export function openText(
  keys: ClusterKeys,
  purpose: SealPurpose,
  sealed: string,
): string | undefined {
  if (sealed.length > SEALED_CHARACTERS_MAX || !TEXT.test(sealed)) return undefined;
  const bytes = Buffer.from(sealed, "base64url");
  if (bytes.toString("base64url") !== sealed) return undefined;
  try {
    const opened = openWithCluster(keys, { binding: { purpose, fields: [] }, sealed: bytes });
    return opened === undefined ? undefined : fromUtf8(opened.bytes);
  } catch (error) {
    if (isStoreError(error, "corrupt")) return undefined;
    throw error;
  }
}
