// Is a command of the root group well formed? As validate.ts for those of index groups.
import { compareBytes, equalBytes } from "../../lib/base/bytes.ts";
import type { BucketSetting } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { PutKmsKey, RegisterNode } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import { SETTINGS_BYTES_MAX, settingsBytes } from "./bucket-settings.ts";
import type { RootCommand } from "./commands/root-command-table.ts";
import { firstFault, idFault, keyFault, nameFault } from "./faults.ts";
import {
  deleteIdentityFault,
  identityFault,
  recordUsesFault,
  rewrapFault,
} from "./validate-identity.ts";

const SETTING_NAME = /^[a-z][a-z0-9-]{0,62}$/;
const LEASE_NOTE_BYTES_MAX = 4096;
const WRAPPED_KEY_BYTES_MAX = 1024;
const WEIGHT_PERCENT_MAX = 1000;

/** Why the command can never be applied; undefined when it is well formed. */
export function rootCommandFault(kind: RootCommand): string | undefined {
  switch (kind.case) {
    case "initCluster": {
      const { clusterId, policies, defaultPolicy } = kind.value;
      if (clusterId === "") return "no cluster id";
      return policies.some(({ name }) => name === defaultPolicy) ? undefined : "no default policy";
    }
    case "registerNode":
      return registerNodeFault(kind.value);
    case "createBucket":
      return nameFault(kind.value.name, "bucket name") ?? settingsFault(kind.value.settings);
    case "changeBucket": {
      const { name, owner, settings } = kind.value;
      const fault = owner === "" ? undefined : nameFault(owner, "owner");
      return nameFault(name, "bucket name") ?? fault ?? settingsFault(settings);
    }
    case "removeBucket":
      return nameFault(kind.value.name, "bucket name");
    case "acquireLease":
      if ((kind.value.note?.byteLength ?? 0) > LEASE_NOTE_BYTES_MAX) return "a note over 4 KiB";
      return nameFault(kind.value.name, "lease name") ?? nameFault(kind.value.holder, "holder");
    case "releaseLease":
      return nameFault(kind.value.name, "lease name") ?? nameFault(kind.value.holder, "holder");
    case "putKmsKey":
      return kmsKeyFault(kind.value);
    case "putIdentity":
      return identityFault(kind.value);
    case "deleteIdentity":
      return deleteIdentityFault(kind.value);
    case "recordUses":
      return recordUsesFault(kind.value);
    case "rewrapKeys":
      return rewrapFault(kind.value);
    case "setGarbageFreeze":
      return kind.value.frozen ? nameFault(kind.value.reason, "reason") : undefined;
    case "splitRange":
      return nameFault(kind.value.name, "bucket name") ?? keyFault(kind.value.at);
    case "setStates":
      return firstFault(kind.value.disks, ({ weightPercent }) =>
        (weightPercent ?? 0) <= WEIGHT_PERCENT_MAX ? undefined : "a weight above 1000 percent",
      );
  }
}

function settingsFault(settings: readonly BucketSetting[]): string | undefined {
  const names = new Set(settings.map(({ name }) => name));
  if (names.size !== settings.length) return "a setting named twice";
  if (settingsBytes(settings) > SETTINGS_BYTES_MAX) return "settings too large";
  return firstFault(settings, ({ name }) =>
    SETTING_NAME.test(name) ? undefined : "a bad setting name",
  );
}

function kmsKeyFault({ name, wrappedKey }: PutKmsKey): string | undefined {
  const { byteLength } = wrappedKey;
  if (byteLength === 0 || byteLength > WRAPPED_KEY_BYTES_MAX) return "a bad wrapped key";
  return nameFault(name, "key name");
}

function registerNodeFault(command: RegisterNode): string | undefined {
  const fault = nameFault(command.name, "node name") ?? nameFault(command.address, "address");
  if (fault !== undefined) return fault;
  const uuids = command.disks.map(({ diskUuid }) => diskUuid).toSorted(compareBytes);
  return firstFault(uuids, (uuid) => {
    const at = uuids.indexOf(uuid);
    const before = uuids[at - 1];
    if (before !== undefined && equalBytes(before, uuid)) return "a disk named twice";
    return idFault(uuid, "disk uuid");
  });
}
