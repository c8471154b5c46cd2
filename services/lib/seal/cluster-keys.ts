// The cluster key with the ones that it followed. What is sealed is sealed with the current key;
// what an earlier one sealed still opens, until everything was sealed anew.
import { StoreError } from "../base/errors.ts";
import type { Random } from "../ports/random.ts";
import { type KeyBinding, openBytes, sealBytes } from "./sealed-bytes.ts";

export interface ClusterKeys {
  /** 32 bytes; undefined: there is none, and nothing can be sealed. */
  readonly current: Uint8Array | undefined;
  /** Keys that were current once, 32 bytes each. */
  readonly former: readonly Uint8Array[];
}

export const NO_CLUSTER_KEYS: ClusterKeys = { current: undefined, former: [] };

/** One key, or none, without any before it. */
export function soleClusterKey(current: Uint8Array | undefined): ClusterKeys {
  return { current, former: [] };
}

/** Throws StoreError "denied" without a current key. */
export function currentClusterKey({ current }: ClusterKeys): Uint8Array {
  if (current !== undefined) return current;
  throw new StoreError("denied", "no cluster key is configured (encryption.clusterKey)");
}

/** Throws StoreError "denied" without a current key. */
export function sealWithCluster(
  keys: ClusterKeys,
  { binding, bytes }: { readonly binding: KeyBinding; readonly bytes: Uint8Array },
  random: Random,
): Uint8Array {
  return sealBytes({ wrappingKey: currentClusterKey(keys), binding }, bytes, random);
}

export interface OpenedWithCluster {
  readonly bytes: Uint8Array;
  /** False: a former key opened it, so it is to be sealed anew. */
  readonly isCurrent: boolean;
}

/**
 * Undefined when none of the keys opens it. Throws StoreError: "denied" without any key, "corrupt"
 * for what nobody sealed.
 */
export function openWithCluster(
  keys: ClusterKeys,
  { binding, sealed }: { readonly binding: KeyBinding; readonly sealed: Uint8Array },
): OpenedWithCluster | undefined {
  if (keys.former.length === 0) currentClusterKey(keys);
  const all = [...(keys.current === undefined ? [] : [keys.current]), ...keys.former];
  for (const wrappingKey of all) {
    const bytes = openBytes({ wrappingKey, binding }, sealed);
    if (bytes !== undefined) return { bytes, isCurrent: wrappingKey === keys.current };
  }
  return undefined;
}
