// What a keeper needs to know to read from the gateways of its own cluster, where the settings do
// not say it: the region they sign for, the root user's keys, the certificate they show.
import type { OwnGatewaysOptions } from "../../lib/host/own-gateways.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { Config } from "../config-schema.ts";
import type { RootCredentials } from "../credentials.ts";

/** `root`: undefined where the process does not know it. */
export function replicationSettings(
  { replication, s3 }: Pick<Config, "replication" | "s3">,
  root: Pick<RootCredentials, "accessKeyId" | "secretAccessKey"> | undefined,
): Config["replication"] {
  const { accessKeyId, secretAccessKey, region } = replication;
  const keys =
    accessKeyId !== "" || root === undefined
      ? { accessKeyId, secretAccessKey }
      : { accessKeyId: root.accessKeyId, secretAccessKey: root.secretAccessKey };
  return { ...replication, ...keys, region: region === "" ? s3.region : region };
}

/** Gateways of this cluster show the certificate of `s3.tls`; undefined: there is none. */
export function ownGateways(
  { replication, s3 }: Pick<Config, "replication" | "s3">,
  log: Log,
): OwnGatewaysOptions | undefined {
  const { certificateFile, reloadMs } = s3.tls;
  if (certificateFile === "") return undefined;
  return { origins: replication.endpoints, certificateFile, reloadMs, log };
}
