// Wires one keeper.
import type { KeeperConfig } from "../../keeper/config.ts";
import { Keeper } from "../../keeper/keeper.ts";
import { Heartbeats } from "../../lib/clients/heartbeats.ts";
import type { Metrics } from "../../lib/ports/metrics.ts";
import { VERSION } from "../version.ts";
import type { ClientPorts, Clients } from "./clients.ts";

export interface KeeperParts {
  readonly name: string;
  readonly ports: ClientPorts & { readonly metrics: Metrics };
  readonly clients: Clients;
  readonly config: KeeperConfig;
}

export function composeKeeper(parts: KeeperParts): { close(): Promise<void> } {
  const { clients, ports, config, name } = parts;
  const { metadata, view, shards, erasure } = clients;
  const { clock, random, log, metrics } = ports;
  const deps = { metadata, view, shards, erasure, clock, random, log, metrics, config };
  const keeper = new Keeper(deps);
  const heartbeats = new Heartbeats(
    { metadata, clock, log },
    { role: "keeper", name, address: "", version: VERSION, details: () => keeper.details() },
  );
  keeper.start();
  heartbeats.start();
  return {
    close: async () => {
      heartbeats.stop();
      await keeper.close();
    },
  };
}
