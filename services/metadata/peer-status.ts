// Asks the other replicas how they are. Those that do not answer are left out.
import { mapBounded } from "../lib/base/bounded.ts";
import { toStoreError } from "../lib/base/errors.ts";
import {
  MetadataService,
  type ReplicaStatusResponse,
  type ReplicaStatusResponse_Group,
} from "../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Transport } from "../lib/ports/transport.ts";
import type { MetadataConfig } from "./config.ts";

const CALL_MS = 2000;
const PEERS_AT_ONCE = 16;

/** A group's state as its replica tells it. */
export const SERVING = "serving";

export async function askPeers(
  deps: { readonly transport: Transport; readonly log: Log },
  config: MetadataConfig,
): Promise<ReplicaStatusResponse[]> {
  const others = config.peers.filter(({ name }) => name !== config.name);
  const answers: ReplicaStatusResponse[] = [];
  await mapBounded(others, PEERS_AT_ONCE, async ({ name, address }) => {
    try {
      const method = MetadataService.method.replicaStatus;
      const channel = deps.transport.channel(address);
      const answer = await channel.unary(method, {}, { deadlineMs: CALL_MS });
      if (answer.name === name) answers.push(answer);
    } catch (error) {
      deps.log.debug("replica status: no answer", { name, reason: toStoreError(error).message });
    }
  });
  return answers;
}

export function groupsOf(
  answers: readonly ReplicaStatusResponse[],
  groupId: number,
): ReplicaStatusResponse_Group[] {
  return answers.flatMap(({ groups }) => groups.filter((group) => group.groupId === groupId));
}

/** True when a majority of all replicas, this one not counted, serves each of the groups. */
export function othersServe(
  answers: readonly ReplicaStatusResponse[],
  groupIds: readonly number[],
  replicaCount: number,
): boolean {
  const majority = Math.floor(replicaCount / 2) + 1;
  return groupIds.every((groupId) => {
    const serving = groupsOf(answers, groupId).filter(({ state }) => state === SERVING);
    return serving.length >= majority;
  });
}
