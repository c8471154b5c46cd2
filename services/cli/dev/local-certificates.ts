// The internal certificates of a local cluster with TLS between its processes, in its data
// directory: made on the first start, completed when processes are added, renewed when they end
// soon.
import { join } from "node:path";
import type { InternalTlsOptions } from "../../lib/host/internal-tls.ts";
import type { ClusterPlan } from "./cluster-file.ts";

const FOLDER = "certificates";
const RELOAD_MS = 1000;
const DAYS = 365;
const RENEW_DAYS = 90;

export function certificatesFolder(dataDir: string): string {
  return join(dataDir, FOLDER);
}

/** The files of the process of that name; undefined: the cluster is plain. */
export function localTls(
  dataDir: string,
  { internalTls = false }: Pick<ClusterPlan, "internalTls">,
  name: string,
): InternalTlsOptions | undefined {
  if (!internalTls) return undefined;
  const folder = certificatesFolder(dataDir);
  return {
    caFile: join(folder, "ca.crt"),
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
    reloadMs: RELOAD_MS,
  };
}

export async function prepareCertificates(dataDir: string, plan: ClusterPlan): Promise<void> {
  if (plan.internalTls !== true) return;
  // What makes certificates takes a while to load: only who needs it waits.
  const { completeFolder, renewFolder } = await import("../certs/certificate-folder.ts");
  const folder = certificatesFolder(dataDir);
  const own = plan.processes.filter(({ name, role }) => name !== role);
  const nodes = own.map(({ name, role }) => `${role}/${name}`);
  await completeFolder(folder, { cluster: "local", nodes, hosts: [], days: DAYS });
  const withinDays = RENEW_DAYS;
  await renewFolder(folder, { days: DAYS, withinDays, names: [], newKeys: false });
}
