// Who may say what in Execute and Heartbeat, where callers are known by a certificate. Each command
// has its row; what no row allows is refused. A storage node speaks of itself alone.
import { StoreError } from "../lib/base/errors.ts";
import type { PeerIdentity, PeerRole } from "../lib/base/peer-identity.ts";
import type { HeartbeatRequest } from "../lib/gen/dolium/cluster/v1/cluster_pb.ts";
import type { Command } from "../lib/gen/dolium/record/v1/command_pb.ts";

type CommandCase = Exclude<Command["kind"]["case"], undefined>;

const BOTH = ["gateway", "keeper"] as const;

/** Commands that nobody sends are the metadata service's own. */
export const COMMAND_ROLES: Readonly<Record<CommandCase, readonly PeerRole[]>> = {
  putObject: BOTH,
  deleteObjects: BOTH,
  createUpload: ["gateway"],
  putPart: ["gateway"],
  completeUpload: ["gateway"],
  abortUpload: BOTH,
  relocateShards: ["keeper"],
  advanceFence: ["keeper"],
  finishGarbage: ["keeper"],
  sealBucket: ["gateway"],
  digestMark: [],
  enqueueRepairs: BOTH,
  configureBucket: BOTH,
  changeVersion: BOTH,
  renameObject: ["gateway"],
  appendObject: ["gateway"],
  appendAccessLog: ["gateway"],
  finishOutbox: ["keeper"],
  replaceBody: ["keeper"],
  rewriteManifest: ["keeper"],
  initCluster: [],
  registerNode: ["storage"],
  setStates: ["gateway"],
  createBucket: ["gateway"],
  removeBucket: ["gateway"],
  acquireLease: ["keeper"],
  releaseLease: ["keeper"],
  changeBucket: ["gateway"],
  putKmsKey: ["gateway", "admin"],
  putIdentity: ["gateway"],
  deleteIdentity: ["gateway"],
  recordUses: ["gateway"],
  rewrapKeys: ["admin"],
  setGarbageFreeze: [...BOTH, "admin"],
  splitRange: ["keeper"],
  importState: ["admin"],
};

/** Throws StoreError "denied". Without TLS there is no caller, and all is as it was. */
export function checkCommandAccess(caller: PeerIdentity | undefined, { kind }: Command): void {
  if (caller === undefined || kind.case === undefined) return;
  if (!COMMAND_ROLES[kind.case].includes(caller.role)) {
    throw new StoreError("denied", `a ${caller.role} may not propose ${kind.case}`);
  }
  if (kind.case === "registerNode") checkName(caller, kind.value.name);
}

/** Throws StoreError "denied". */
export function checkHeartbeat(
  caller: PeerIdentity | undefined,
  { role, name }: Pick<HeartbeatRequest, "role" | "name">,
): void {
  if (caller === undefined) return;
  if (role !== caller.role) {
    throw new StoreError("denied", `${caller.role} ${caller.name} is no ${role}`);
  }
  if (role === "storage") checkName(caller, name);
}

function checkName({ role, name }: PeerIdentity, claimed: string): void {
  if (name === claimed) return;
  throw new StoreError("denied", `${role} ${name} speaks for itself, not for ${claimed}`);
}
