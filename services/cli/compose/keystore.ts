// Wires the key store of the operator's own: its web client, and the file with the token to show.
// Both files are read once at the start, so that a wrong name stops the process and not requests.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Keystore } from "../../gateway/identity/keystore.ts";
import type { IdentitySettings } from "../../gateway/identity/settings.ts";
import { createWebClient } from "../../lib/host/web-client.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import { UsageError } from "../command-line.ts";

export interface KeystorePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Undefined where none is set. Throws UsageError for files that cannot be read, StoreError. */
export function composeKeystore(
  { clock, log, metrics }: KeystorePorts,
  settings: IdentitySettings["keystore"],
): Keystore | undefined {
  if (settings.url === "") return undefined;
  const { caFile, tokenFile } = settings;
  const ca = caFile === "" ? undefined : readText("caFile", caFile);
  if (tokenFile !== "") readText("tokenFile", tokenFile);
  const web = createWebClient(ca === undefined ? {} : { ca });
  // Read for each question: tokens of Kubernetes change while a process runs.
  const token = async (): Promise<string> =>
    tokenFile === "" ? "" : (await readFile(tokenFile, "utf8")).trim();
  return new Keystore({ web, token, clock, log, metrics }, settings);
}

function readText(setting: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`identity.keystore.${setting}: ${path} cannot be read`, { cause: error });
  }
}
