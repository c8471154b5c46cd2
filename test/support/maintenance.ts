// Asks the operations port of a process whether a node may be taken down.
import { readPlan } from "../../services/cli/dev/cluster-file.ts";
import type { LocalCluster } from "./local-cluster.ts";

/** 200: it may; 412: it must stay. Without `node` the asked process speaks of itself. */
export async function maintenanceStatus(
  { dataDir }: Pick<LocalCluster, "dataDir">,
  asked: string,
  node?: string,
): Promise<number> {
  const planned = readPlan(dataDir)?.processes.find(({ name }) => name === asked);
  const about = node === undefined ? "" : `&node=${node}`;
  const page = `http://127.0.0.1:${planned?.opsPort}/health/cluster?maintenance=true${about}`;
  const answer = await fetch(page);
  await answer.arrayBuffer();
  return answer.status;
}
