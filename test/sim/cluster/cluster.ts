// A simulated cluster: gateways, metadata replicas, storage nodes and a keeper, each a process on a
// machine of its own, over one clock, one network and one source of chance. Everything that happens
// between them goes into the trace, whose hash tells whether two runs were the same.
import { createHash } from "node:crypto";
import type { Keeper } from "../../../services/keeper/keeper.ts";
import { present } from "../../../services/lib/base/assert.ts";
import type { ChecksumFactory } from "../../../services/lib/s3/checksums.ts";
import type { MetadataServer } from "../../../services/metadata/server.ts";
import type { StorageNode } from "../../../services/storage/storage-node.ts";
import { SimClock } from "../clock.ts";
import { SimNetwork } from "../network.ts";
import type { LogLine } from "../observers.ts";
import type { SimRandom } from "../random.ts";
import type { Plants } from "./planted/plant.ts";
import { type ProcessOptions, SimProcess } from "./process.ts";
import {
  bootGateway,
  bootKeeper,
  bootMetadata,
  bootStorage,
  type ClusterOptions,
  type GatewayHandle,
} from "./roles.ts";
import { RpcNetwork } from "./rpc-network.ts";

export interface ClusterShape {
  readonly gateways: number;
  readonly metadata: number;
  readonly storage: number;
  readonly keepers: number;
}

export interface ClusterParts {
  readonly random: SimRandom;
  readonly shape: ClusterShape;
  readonly plants: Plants;
  readonly checksums: ChecksumFactory;
  readonly settings: Omit<ClusterOptions, "metadata" | "checksums" | "plants">;
  /** A metadata replica found damage, though no fault did any. */
  readonly onDamage: (what: string) => void;
  readonly lines?: LogLine[] | undefined;
  /** Kept when given: every event of the trace. */
  readonly events?: string[] | undefined;
}

/** Address of whoever looks at the cluster from outside; no fault reaches it. */
export const OBSERVER = "observer:1";

export class SimCluster {
  readonly clock = new SimClock();
  readonly network: SimNetwork;
  readonly gateways: SimProcess<GatewayHandle>[] = [];
  readonly metadata: SimProcess<MetadataServer>[] = [];
  readonly storage: SimProcess<StorageNode>[] = [];
  readonly keepers: SimProcess<Keeper>[] = [];
  readonly settings: ClusterParts["settings"];
  readonly rpc: RpcNetwork;
  readonly #hash = createHash("sha256");
  readonly #events: string[] | undefined;
  readonly #numbers = new Map<string, number>();
  #eventCount = 0;

  constructor(parts: ClusterParts) {
    const { random, shape, settings, plants, checksums } = parts;
    this.#events = parts.events;
    this.settings = settings;
    this.network = new SimNetwork(this.clock, random.fork("network"));
    const trace = (event: string): void => this.trace(event);
    this.#numbers.set(OBSERVER, 0);
    const rpc = new RpcNetwork({
      clock: this.clock,
      network: this.network,
      random: random.fork("rpc"),
      resetShare: 0.3,
      numberOf: (address) => present(this.#numbers.get(address), address),
      trace,
    });
    this.rpc = rpc;
    const { lines, onDamage } = parts;
    const world = { clock: this.clock, random, rpc, lines, trace, onDamage, plants };
    const names = Array.from({ length: shape.metadata }, (_, at) => `metadata-${at + 1}`);
    const metadata = names.map((name) => ({ name, address: `${name}:1` }));
    const options: ClusterOptions = { ...settings, metadata, plants, checksums };
    const add = <H>(
      processes: SimProcess<H>[],
      role: ProcessOptions<H>["role"],
      boot: (ports: Parameters<ProcessOptions<H>["boot"]>[0], self: Self) => Promise<H>,
    ): void => {
      const name = `${role}-${processes.length + 1}`;
      const self = { name, address: `${name}:1` };
      const number = this.#numbers.size + 1;
      this.#numbers.set(self.address, number);
      const start = { role, ...self, number, boot: (ports: Ports) => boot(ports, self) };
      processes.push(new SimProcess(world, start));
    };
    type Ports = Parameters<ProcessOptions<unknown>["boot"]>[0];
    for (let at = 0; at < shape.metadata; at += 1) {
      add(this.metadata, "metadata", (ports, self) => bootMetadata(ports, options, self));
    }
    for (let at = 0; at < shape.storage; at += 1) {
      add(this.storage, "storage", (ports, self) => bootStorage(ports, options, self));
    }
    for (let at = 0; at < shape.gateways; at += 1) {
      add(this.gateways, "gateway", (ports, self) => bootGateway(ports, options, self));
    }
    for (let at = 0; at < shape.keepers; at += 1) {
      add(this.keepers, "keeper", (ports, self) => bootKeeper(ports, options, self));
    }
  }

  get processes(): readonly SimProcess<unknown>[] {
    return [...this.metadata, ...this.storage, ...this.gateways, ...this.keepers];
  }

  start(): void {
    for (const process of this.processes) process.start();
  }

  trace(event: string): void {
    const line = `${this.clock.monotonicMs()} ${event}\n`;
    this.#eventCount += 1;
    this.#hash.update(line);
    this.#events?.push(line);
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** Of everything traced so far. */
  traceHash(): string {
    return this.#hash.copy().digest("hex");
  }
}

interface Self {
  readonly name: string;
  readonly address: string;
}
