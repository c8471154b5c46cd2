// Runs a local cluster of processes: starts every planned process, waits until all are ready,
// restarts those that die, and stops them in order (gateways first, metadata last).
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type StartPolicy, startPolicy } from "../compose/default-policy.ts";
import type { Output } from "../output.ts";
import { Child } from "./child.ts";
import type { ClusterPlan, PlannedProcess, Role } from "./cluster-file.ts";
import { localGateways } from "./local-address.ts";
import { localTls } from "./local-certificates.ts";

export interface SupervisorOptions {
  readonly dataDir: string;
  readonly plan: ClusterPlan;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly restart: boolean;
  readonly output: Output;
}

const STOP_ORDER: readonly Role[] = ["gateway", "keeper", "storage", "metadata"];

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: readonly Child[];
  readonly #allReady = Promise.withResolvers<void>();
  #announced = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#children = options.plan.processes.map((planned) => this.#child(planned));
  }

  /**
   * Starts all processes; resolves when every one said it is ready. Rejects when one ended before
   * and is not to be started again.
   */
  async start(): Promise<void> {
    for (const child of this.#children) child.start();
    await this.#allReady.promise;
    this.#announced = true;
  }

  /** The processes as the ready line lists them. */
  processes(): readonly Readonly<Record<string, unknown>>[] {
    return this.#children.map((child) => ({
      name: child.planned.name,
      role: child.planned.role,
      pid: child.pid,
      dir: child.planned.dir,
      log: child.logPath,
      opsPort: child.planned.opsPort,
    }));
  }

  async stop(): Promise<void> {
    for (const role of STOP_ORDER) {
      const group = this.#children.filter((child) => child.planned.role === role);
      await Promise.all(group.map((child) => child.stop()));
    }
  }

  #child(planned: PlannedProcess): Child {
    const { output, environment, restart } = this.#options;
    return new Child({
      planned,
      configPath: this.#writeConfig(planned),
      environment,
      restart,
      onReady: (child) => {
        if (this.#announced) this.#announceAgain(child);
        else output.event({ event: "started", name: planned.name, role: planned.role });
        if (this.#children.every((other) => other.ready)) this.#allReady.resolve();
      },
      onExit: (child, how) => {
        output.event({ event: "exit", name: planned.name, role: planned.role, how });
        output.say(
          `${planned.name} ended (${how})${restart ? ", starting it again" : ""}; ${child.logPath}`,
        );
        if (restart) return;
        this.#allReady.reject(new Error(`${planned.name} ended (${how}); see ${child.logPath}`));
      },
    });
  }

  #announceAgain(child: Child): void {
    const { name, role } = child.planned;
    this.#options.output.event({ event: "restarted", name, role, pid: child.pid });
    this.#options.output.say(`${name} is back (pid ${child.pid})`);
  }

  /** One configuration file a process, written anew at every start. */
  #writeConfig(planned: PlannedProcess): string {
    const { plan, dataDir } = this.#options;
    mkdirSync(planned.dir, { recursive: true });
    const path = join(dataDir, `${planned.name}.config.json`);
    const tls = localTls(dataDir, plan, planned.name);
    const config = {
      ...processConfig(plan, planned),
      ...(tls === undefined ? {} : { internal: { tls } }),
    };
    writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    return path;
  }
}

/** The settings of one process of a local cluster. Secrets come by the environment. */
function processConfig(plan: ClusterPlan, planned: PlannedProcess): Record<string, unknown> {
  const metadata = plan.processes
    .filter((other) => other.role === "metadata")
    .map((other) => ({ name: other.name, address: `127.0.0.1:${other.rpcPort}` }));
  const base = {
    node: { name: planned.name, host: planned.name },
    cluster: { id: plan.clusterId, metadata, policies: [policyOf(plan)] },
    rpc: { address: `127.0.0.1:${planned.rpcPort}` },
    ops: { address: "127.0.0.1", port: planned.opsPort },
  };
  switch (planned.role) {
    case "metadata":
      return { ...base, metadata: { dataDir: planned.dir } };
    case "storage":
      return { ...base, storage: { disks: disksOf(plan, planned) } };
    case "gateway":
      return {
        ...base,
        s3: { address: "127.0.0.1", port: planned.s3Port },
        admin: { address: `127.0.0.1:${planned.adminPort ?? 0}` },
      };
    case "keeper":
      return { ...base, replication: { endpoints: localGateways(plan) } };
  }
}

/** One shard to each storage node; with a single node, to each of its disks. */
function policyOf(plan: ClusterPlan): StartPolicy {
  const nodes = plan.processes.filter((other) => other.role === "storage").length;
  return nodes === 1 ? startPolicy(plan.disksPerNode, "disk") : startPolicy(nodes, "node");
}

function disksOf(plan: ClusterPlan, planned: PlannedProcess): string[] {
  return Array.from({ length: plan.disksPerNode }, (_, index) =>
    join(planned.dir, `disk-${index + 1}`),
  );
}
