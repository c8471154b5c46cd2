// A keeper's process.
import process from "node:process";
import { composeKeeper } from "../compose/keeper.ts";
import { clusterKeysOf, givenRootCredentials } from "../credentials.ts";
import { startClients } from "./clients.ts";
import type { Frame, Running } from "./frame.ts";

export async function start(frame: Frame): Promise<Running> {
  const clients = startClients(frame);
  const keeper = composeKeeper({
    name: frame.config.node.name,
    ports: frame.ports,
    clients,
    whereabouts: frame.whereabouts,
    config: frame.config,
    clusterKeys: clusterKeysOf(frame.config),
    root: givenRootCredentials(process.env),
  });
  frame.life.onStop("keeper", () => keeper.close());
  return {
    facts: {},
    waitingFor: () => (clients.view.isFresh() ? undefined : "the cluster map"),
  };
}
