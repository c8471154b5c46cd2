// What becomes of a replica whose data proved bad. Decided from what is known; carried out by the
// life cycle. The rule behind it: a majority is never given up for a minority, and nothing is given
// up at all unless the others can do without it.
import type { StoreError } from "../lib/base/errors.ts";

export interface Failure {
  /** Undefined: the whole replica. */
  readonly groupId: number | undefined;
  readonly error: StoreError;
  /** The state of the group is bad, its log is not. */
  readonly isOfState: boolean;
}

export type Recovery =
  /** Close everything and open it again from disk: nothing is bad, a write or read failed. */
  | { readonly kind: "reopen" }
  /** Throw the state away and make it again from the log. */
  | { readonly kind: "replay"; readonly groupId: number }
  /** Draw a new id and take everything from the others. */
  | { readonly kind: "rejoin" }
  /** Bad, but the only copy: keep it, say so, let an operator decide. */
  | { readonly kind: "keep" }
  /** Take the group out of service and look again later. */
  | { readonly kind: "wait" };

export interface Circumstances {
  readonly replicaCount: number;
  /** The log of the failed group goes back to its beginning. */
  readonly canReplay: boolean;
  /** A majority of all replicas serves every group without this one. */
  readonly othersServe: boolean;
}

export function recoveryOf(failure: Failure, circumstances: Circumstances): Recovery {
  const { groupId, error, isOfState } = failure;
  // A store that is opened writes its log anew before it uses it: what a failed sync left is not
  // trusted. The Raft log cannot do that; its process ends (`fatal`).
  if (error.code !== "corrupt") return { kind: groupId === undefined ? "wait" : "reopen" };
  if (isOfState && groupId !== undefined && circumstances.canReplay) {
    return { kind: "replay", groupId };
  }
  if (circumstances.replicaCount === 1) return { kind: "keep" };
  return circumstances.othersServe ? { kind: "rejoin" } : { kind: "wait" };
}
