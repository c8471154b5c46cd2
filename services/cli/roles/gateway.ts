// A gateway process.
import { randomBytes } from "node:crypto";
import process from "node:process";
import { placeable } from "../commands/can-place.ts";
import { adminUrlOf, composeGateway } from "../compose/gateway.ts";
import { clusterKeysOf, requiredRootCredentials } from "../credentials.ts";
import { firstBuckets } from "../first-buckets.ts";
import { startClients } from "./clients.ts";
import type { Frame, Running } from "./frame.ts";

export async function start(frame: Frame): Promise<Running> {
  const root = requiredRootCredentials(process.env);
  const { buckets, notice } = firstBuckets(process.env);
  if (notice !== undefined) frame.ports.log.info(notice);
  const clients = startClients(frame);
  const gateway = await composeGateway({
    name: frame.config.node.name,
    beside: frame.config.node.beside,
    ports: frame.ports,
    clients,
    whereabouts: frame.whereabouts,
    addMetrics: frame.addMetrics,
    bucketLabels: frame.config.ops.bucketLabels,
    settings: frame.config.s3,
    notificationTargets: Object.keys(frame.config.notify.targets),
    replicationTargets: Object.keys(frame.config.replication.targets),
    root,
    clusterKeys: clusterKeysOf(frame.config),
    identity: frame.config.identity,
    admin: frame.config.admin,
    audit: frame.config.audit,
    provisioning: frame.config.provisioning,
    firstBuckets: buckets,
  });
  frame.life.onStop("gateway", () => gateway.close());
  let areMade = buckets.length === 0;
  void gateway.firstBuckets.then(() => {
    areMade = true;
  });
  const probe = randomBytes(16);
  const { name } = frame.config.node;
  return {
    leave: async () => gateway.leave(),
    objections: (node) => gateway.objections(node ?? name),
    facts: {
      s3: gateway.address,
      endpoint: gateway.endpoint,
      admin: adminUrlOf(gateway),
    },
    waitingFor: () => placeable(clients.view, probe) ?? (areMade ? undefined : "its buckets"),
  };
}
