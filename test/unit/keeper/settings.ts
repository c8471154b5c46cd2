// Settings of the keeper under test: the defaults of the schema, with pauses that suit a test.

import { ConfigSchema } from "../../../services/cli/config-schema.ts";
import type { KeeperDeps } from "../../../services/keeper/deps.ts";
import { loadConfig } from "../../../services/lib/host/config.ts";

type Settings = Pick<
  KeeperDeps,
  "config" | "lifecycle" | "notify" | "accessLogs" | "replication" | "storageClasses"
>;

const { keeper, lifecycle, notify, accessLogs, replication } = loadConfig(ConfigSchema, {
  environment: {},
});

export const CONFIG: Settings = {
  config: { ...keeper, intervalMs: 50, garbageDelayMs: 0, staleUploadRetryMs: 1 },
  lifecycle,
  notify: { ...notify, pollMs: 10, backoffMs: 2, backoffMsMax: 20 },
  accessLogs,
  replication: { ...replication, backoffMs: 2, backoffMsMax: 20 },
  storageClasses: {},
};
