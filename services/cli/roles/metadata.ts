// A metadata replica's process.
import process from "node:process";
import { quorumObjections, quorumsOf } from "../../lib/clients/quorum.ts";
import { composeMetadata } from "../compose/metadata.ts";
import { prepareFolder } from "../writable-folder.ts";
import { type Frame, metadataAddresses, RPC_GRACE_MS, type Running } from "./frame.ts";

export async function start(frame: Frame): Promise<Running> {
  const { dataDir, idleUnlessListed } = frame.config.metadata;
  if (idleUnlessListed && !isListed(frame)) return idle(frame);
  if (dataDir !== "") prepareFolder(dataDir);
  const metadata = await composeMetadata({
    ports: frame.ports,
    server: frame.server,
    config: frame.config,
    whereabouts: frame.whereabouts,
    fatal: (error) => endProcess(frame, error),
  });
  // Closed in reverse: the replica hands leadership over while the others can still reach it.
  frame.life.onStop("rpc", () => frame.server.close(RPC_GRACE_MS));
  frame.life.onStop("metadata", () => metadata.close());
  return {
    facts: { rpc: metadata.address },
    waitingFor: () => undefined,
    lacks: () => metadata.lacks(),
    leave: () => metadata.handOver(),
    objections: (node) => objections(frame, node ?? frame.config.node.name),
  };
}

/** A replica may ask the others how they are, and nothing else. */
async function objections(frame: Frame, name: string): Promise<readonly string[]> {
  const { transport } = frame.ports;
  const { askReplicas } = await import("../../lib/clients/cluster-report.ts");
  const replicas = await askReplicas(transport, metadataAddresses(frame));
  const quorums = quorumsOf(replicas);
  if (!quorums.some(({ voters }) => voters.includes(name))) {
    return [`${name} votes in no group: ask a gateway about other nodes`];
  }
  return quorumObjections(quorums, new Set([name]));
}

function isListed({ config }: Frame): boolean {
  return config.cluster.metadata.some(({ name }) => name === config.node.name);
}

/** Where all pods of a set run the same roles, only the first ones are replicas. */
function idle({ config, ports }: Frame): Running {
  ports.log.info("cluster.metadata does not list this process: there is nothing to do", {
    name: config.node.name,
  });
  return { facts: { idle: true }, waitingFor: () => undefined };
}

/** Whatever starts it again finds the durable state; going on could not be trusted. */
function endProcess(frame: Frame, error: unknown): void {
  frame.ports.log.error("this replica cannot go on", error);
  process.exit(1);
}
