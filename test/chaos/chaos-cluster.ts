// A cluster over three campuses: 4+2 with the campus as failure domain over six storage nodes, so
// that any campus or any two nodes may go, metadata replicas over all campuses, a gateway each.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import { gatherReport } from "../../services/lib/clients/cluster-report.ts";
import { describeCluster, type StatusView } from "../../services/lib/clients/cluster-status.ts";
import { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import type { Transport } from "../../services/lib/ports/transport.ts";
import { eventually } from "../support/eventually.ts";
import { SILENT_LOG } from "../support/shard-nodes.ts";
import { CAMPUSES, type Campus, type Campuses } from "./campuses.ts";
import { ChaosProcess, type ProcessPlan } from "./chaos-process.ts";

export interface ClusterShape {
  readonly metadata: number;
  readonly storage: number;
  readonly gateways: number;
}

export interface ClusterOptions {
  readonly dataDir: string;
  readonly campuses: Campuses;
  readonly shape: ClusterShape;
  /** Port of every gateway; each its own when left out. */
  readonly s3Port?: number;
  /** Settings of the S3 side of each gateway, beside those that all have. */
  readonly s3SettingsOf?: (plan: ProcessPlan) => Readonly<Record<string, unknown>>;
  /** Scrubs are as seldom as in service: rot is not what is looked for. */
  readonly isScrubSeldom?: boolean;
  /** Variables of each process, beside those that all have. */
  readonly environmentOf?: (name: string) => Readonly<Record<string, string>>;
}

export const ACCESS_KEY = "chaos-root-user";
export const SECRET_KEY = randomBytes(16).toString("hex");
const READY_MS = 400_000;
/** Scrubs follow one another closely: rot is to be found while the run lasts. */
const SCRUB_PASS_MS = 5000;
/** Replicas are asked one after the other while clients write: so far behind is level. */
const LEVEL_ENTRIES = 200;

export class ChaosCluster {
  readonly processes: readonly ChaosProcess[];
  readonly campuses: Campuses;
  readonly #addresses: readonly string[];
  readonly #transport: Transport;
  readonly #metadata: MetadataClient;
  readonly #ports: FreePorts;

  private constructor(parts: {
    readonly processes: readonly ChaosProcess[];
    readonly campuses: Campuses;
    readonly addresses: readonly string[];
    readonly clusterSecret: string;
    readonly ports: FreePorts;
  }) {
    this.processes = parts.processes;
    this.campuses = parts.campuses;
    this.#addresses = parts.addresses;
    this.#ports = parts.ports;
    this.#transport = createGrpcTransport({ clusterSecret: parts.clusterSecret });
    const ports = {
      transport: this.#transport,
      clock: createClock(),
      random: createRandom(),
      log: SILENT_LOG,
    };
    this.#metadata = new MetadataClient(ports, { addresses: parts.addresses });
  }

  static async start(options: ClusterOptions): Promise<ChaosCluster> {
    const { dataDir, campuses, shape } = options;
    mkdirSync(dataDir, { recursive: true });
    const ports = new FreePorts();
    const plans = (await planProcesses(dataDir, shape, ports)).map((plan) => ({
      ...plan,
      s3Port: options.s3Port ?? plan.s3Port,
    }));
    const clusterId = randomUUID();
    const clusterSecret = randomBytes(32).toString("hex");
    const metadata = plans
      .filter(({ role }) => role === "metadata")
      .map((plan) => ({
        name: plan.name,
        address: `${campuses.address(plan.campus)}:${plan.rpcPort}`,
      }));
    const processes = plans.map((plan) => {
      const configPath = join(dataDir, `${plan.name}.config.json`);
      const s3 = options.s3SettingsOf?.(plan) ?? {};
      const scrub = options.isScrubSeldom === true ? {} : { scrubPassMsMin: SCRUB_PASS_MS };
      const config = configOf(plan, { campuses, clusterId, metadata, s3, scrub });
      writeFileSync(configPath, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
      return new ChaosProcess({
        plan,
        configPath,
        environment: {
          ...process.env,
          DOLIUM_ROOT_USER: ACCESS_KEY,
          DOLIUM_ROOT_PASSWORD: SECRET_KEY,
          DOLIUM_CLUSTER__SECRET: clusterSecret,
          ...options.environmentOf?.(plan.name),
        },
        wrap: (command) => campuses.at(plan.campus, command),
      });
    });
    const addresses = metadata.map(({ address }) => address);
    const cluster = new ChaosCluster({ processes, campuses, addresses, clusterSecret, ports });
    try {
      for (const started of processes) started.start();
      for (const started of processes) await started.untilReady(READY_MS);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  process(name: string): ChaosProcess {
    const found = this.processes.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found;
  }

  byRole(role: ProcessPlan["role"]): readonly ChaosProcess[] {
    return this.processes.filter(({ plan }) => plan.role === role);
  }

  /** "http://host:port" of every gateway. */
  endpoints(): readonly string[] {
    return this.byRole("gateway").map(
      ({ plan }) => `http://${this.campuses.address(plan.campus)}:${plan.s3Port}`,
    );
  }

  async status(): Promise<StatusView> {
    return describeCluster(await gatherReport(this.#transport, this.#metadata, this.#addresses));
  }

  /** The replica that leads a group; group 1 is the root, 2 and up hold names. */
  async leaderOf(groupId: number): Promise<ChaosProcess> {
    return eventually(`a leader of group ${groupId}`, READY_MS, async () => {
      const { groups } = await this.status();
      const leader = groups.find((group) => group.groupId === groupId)?.leader ?? "";
      return leader === "" ? undefined : this.process(leader);
    });
  }

  /** Every process up, every shard where it belongs, every replica's digest that of the others. */
  async untilWhole(timeoutMs: number): Promise<void> {
    await eventually("the cluster is whole", timeoutMs, async () => {
      const down = this.processes.filter(({ isReady }) => !isReady).map(({ name }) => name);
      if (down.length > 0) throw new Error(`not ready: ${down.join(", ")}`);
      const status = await this.status();
      if (!status.durability.fullRedundancy || !status.healthy) throw new Error(status.summary);
      return true;
    });
  }

  /** Every process up, every group led, and its replicas level with the leader as it was asked. */
  async untilServing(timeoutMs: number): Promise<void> {
    const replicaCount = this.byRole("metadata").length;
    await eventually("the cluster serves", timeoutMs, async () => {
      const down = this.processes.filter(({ isReady }) => !isReady).map(({ name }) => name);
      if (down.length > 0) throw new Error(`not ready: ${down.join(", ")}`);
      const { groups } = await this.status();
      const behind = groups.filter(({ leader, commitIndex, replicas }) => {
        const level = replicas.filter(
          ({ appliedIndex }) => appliedIndex + LEVEL_ENTRIES >= commitIndex,
        );
        return leader === "" || level.length < replicaCount;
      });
      if (groups.length === 0) throw new Error("no group is known");
      if (behind.length > 0) {
        throw new Error(`behind: groups ${behind.map(({ groupId }) => groupId).join(", ")}`);
      }
      return true;
    });
  }

  async close(): Promise<void> {
    await this.#transport.close();
    for (const role of ["gateway", "keeper", "storage", "metadata"] as const) {
      await Promise.all(this.byRole(role).map((running) => running.close()));
    }
    await this.#ports.close();
  }
}

async function planProcesses(
  dataDir: string,
  shape: ClusterShape,
  ports: FreePorts,
): Promise<ProcessPlan[]> {
  const counts = [
    ["metadata", shape.metadata],
    ["storage", shape.storage],
    ["gateway", shape.gateways],
    ["keeper", 1],
  ] as const;
  const plans: ProcessPlan[] = [];
  for (const [role, count] of counts) {
    for (let index = 0; index < count; index += 1) {
      const name = role === "keeper" ? role : `${role}-${index + 1}`;
      plans.push({
        name,
        role,
        campus: CAMPUSES[index % CAMPUSES.length] ?? 1,
        dir: join(dataDir, name),
        rpcPort: await ports.take(),
        opsPort: await ports.take(),
        s3Port: await ports.take(),
        adminPort: await ports.take(),
      });
    }
  }
  return plans;
}

function configOf(
  plan: ProcessPlan,
  shared: {
    readonly campuses: Campuses;
    readonly clusterId: string;
    readonly metadata: readonly { readonly name: string; readonly address: string }[];
    readonly s3: Readonly<Record<string, unknown>>;
    readonly scrub: Readonly<Record<string, unknown>>;
  },
): Record<string, unknown> {
  const address = shared.campuses.address(plan.campus);
  const policy = {
    name: "standard",
    dataShards: 4,
    parityShards: 2,
    failureDomain: "campus",
    cellBytes: 131_072,
  };
  const base = {
    node: { name: plan.name, host: plan.name, campus: campusName(plan.campus) },
    cluster: { id: shared.clusterId, metadata: shared.metadata, policies: [policy] },
    rpc: { address: `${address}:${plan.rpcPort}` },
    ops: { address, port: plan.opsPort },
    // The addresses of the campuses are in a network of this run's own.
    internal: { tls: { allowPlain: true } },
  };
  switch (plan.role) {
    case "metadata":
      return { ...base, metadata: { dataDir: join(plan.dir, "data") } };
    case "storage":
      return { ...base, storage: { disks: [join(plan.dir, "disk")], ...shared.scrub } };
    case "gateway":
      return {
        ...base,
        s3: { address, port: plan.s3Port, ...shared.s3 },
        admin: { address: `127.0.0.1:${plan.adminPort}` },
      };
    case "keeper":
      return base;
  }
}

export function campusName(campus: Campus): string {
  return `campus-${campus}`;
}
