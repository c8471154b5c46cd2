// How the core's refusals reach callers: always as "nothing happened".
import { StoreError } from "../base/errors.ts";
import type { ProposeResult, RaftId } from "./core.ts";

/** `leader` 0: unknown. The hint is the leader's node id in decimal. */
export function notLeader(leader: RaftId): StoreError {
  if (leader === 0) return new StoreError("not-leader", "no leader is known");
  return new StoreError("not-leader", `node ${leader} leads`, { leaderHint: String(leader) });
}

export function refusal(result: Exclude<ProposeResult, { kind: "appended" }>): StoreError {
  switch (result.kind) {
    case "not-leader":
      return notLeader(result.leader);
    case "transferring":
      return notLeader(result.to);
    case "exhausted":
      return new StoreError("exhausted", "too many bytes wait to be committed");
    case "pending":
      return new StoreError("conflict", "another change of membership is on its way");
    case "invalid":
      return new StoreError("invalid", result.reason);
  }
}
