// The plan of a local cluster, kept in its data directory: which processes there are, their folders
// and their ports. Chosen on the first start and found again on every later one; processes may be
// added.
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../command-line.ts";
import { makeFolderDurably, writeDurably } from "../durable-file.ts";
import { FreePorts } from "./free-ports.ts";
import { localUrl } from "./local-address.ts";

export type Role = "metadata" | "storage" | "gateway" | "keeper";

export interface PlannedProcess {
  readonly name: string;
  readonly role: Role;
  readonly dir: string;
  /** gRPC; 0 for roles that serve none. */
  readonly rpcPort: number;
  readonly opsPort: number;
  /** Gateways only, else 0. */
  readonly s3Port: number;
  /** Gateways only. */
  readonly adminPort?: number;
}

export interface ClusterPlan {
  readonly clusterId: string;
  readonly disksPerNode: number;
  /** Of a single server, whose gateway is no process of its own. */
  readonly s3Port?: number;
  /** Of the admin API: "http://127.0.0.1:20017". */
  readonly adminUrl?: string;
  /** Certificate (PEM) that the ports of gateways show; none: they speak plain HTTP. */
  readonly certificateFile?: string;
  /** TLS between the processes, by certificates in the data directory. */
  readonly internalTls?: boolean;
  readonly processes: readonly PlannedProcess[];
}

export interface ClusterShape {
  readonly gateways: number | undefined;
  readonly metadata: number | undefined;
  readonly storage: number | undefined;
  readonly disksPerNode: number | undefined;
  readonly s3Port: number;
  /** Absolute; undefined: plain HTTP. */
  readonly certificateFile?: string | undefined;
  /** Undefined: as it was, at first without. */
  readonly internalTls?: boolean | undefined;
}

const PLAN_FILE = "cluster.json";
const DEFAULTS = { gateways: 2, metadata: 3, storage: 6, disksPerNode: 1 };

export function planPath(dataDir: string): string {
  return join(dataDir, PLAN_FILE);
}

/** The plan kept in a data directory; undefined when there is none. */
export function readPlan(dataDir: string): ClusterPlan | undefined {
  const path = planPath(dataDir);
  if (!existsSync(path)) return undefined;
  // Written by writePlan below; a file that is not ours fails at the first field that is missing.
  const plan = JSON.parse(readFileSync(path, "utf8")) as ClusterPlan;
  if (typeof plan.clusterId !== "string" || !Array.isArray(plan.processes)) {
    throw new UsageError(`${path} is not the plan of a local cluster`);
  }
  return plan;
}

/** Reads the plan, or makes it; adds processes that the shape wants more; keeps it. */
export async function preparePlan(dataDir: string, shape: ClusterShape): Promise<ClusterPlan> {
  makeFolderDurably(dataDir);
  const kept = readPlan(dataDir);
  checkShape(kept, shape);
  const wanted: readonly (readonly [Role, number])[] = [
    ["metadata", shape.metadata ?? countOf(kept, "metadata") ?? DEFAULTS.metadata],
    ["storage", shape.storage ?? countOf(kept, "storage") ?? DEFAULTS.storage],
    ["gateway", shape.gateways ?? countOf(kept, "gateway") ?? DEFAULTS.gateways],
    ["keeper", 1],
  ];
  const processes: PlannedProcess[] = [];
  const known = kept?.processes.flatMap(({ rpcPort, opsPort, s3Port, adminPort = 0 }) => [
    rpcPort,
    opsPort,
    s3Port,
    adminPort,
  ]);
  const ports = new FreePorts([shape.s3Port, ...(known ?? [])]);
  for (const [role, count] of wanted) {
    for (let number = 1; number <= count; number += 1) {
      const name = role === "keeper" ? role : `${role}-${number}`;
      const before = kept?.processes.find((candidate) => candidate.name === name);
      const planned = before ?? (await planProcess(ports, join(dataDir, name), { name, role }));
      processes.push(
        role === "gateway" ? await withPorts(planned, { ports, number, shape }) : planned,
      );
    }
  }
  const admin = processes.find(({ adminPort }) => adminPort !== undefined)?.adminPort;
  const { certificateFile } = shape;
  const served = certificateFile === undefined ? {} : { certificateFile };
  const plan: ClusterPlan = {
    clusterId: kept?.clusterId ?? randomUUID(),
    disksPerNode: kept?.disksPerNode ?? shape.disksPerNode ?? DEFAULTS.disksPerNode,
    ...(admin === undefined ? {} : { adminUrl: localUrl(served, admin) }),
    ...served,
    ...((shape.internalTls ?? kept?.internalTls) ? { internalTls: true } : {}),
    processes,
  };
  writePlan(dataDir, plan);
  return plan;
}

/** The first gateway has the port of S3 that is asked for; a plan of before has no admin ports. */
async function withPorts(
  planned: PlannedProcess,
  how: { readonly ports: FreePorts; readonly number: number; readonly shape: ClusterShape },
): Promise<PlannedProcess> {
  const { ports, number, shape } = how;
  const s3Port = number === 1 ? shape.s3Port : planned.s3Port;
  return { ...planned, s3Port, adminPort: planned.adminPort ?? (await ports.take()) };
}

function countOf(plan: ClusterPlan | undefined, role: Role): number | undefined {
  return plan?.processes.filter((candidate) => candidate.role === role).length;
}

function checkShape(kept: ClusterPlan | undefined, shape: ClusterShape): void {
  if (kept === undefined) return;
  const metadata = countOf(kept, "metadata");
  if (shape.metadata !== undefined && shape.metadata !== metadata) {
    throw new UsageError(
      `this data directory has ${metadata} metadata replicas; --metadata cannot change that`,
    );
  }
  const storage = countOf(kept, "storage") ?? 0;
  if (shape.storage !== undefined && shape.storage < storage) {
    throw new UsageError(
      `this data directory has ${storage} storage nodes that may hold data; --storage cannot go below`,
    );
  }
  if (shape.disksPerNode !== undefined && shape.disksPerNode !== kept.disksPerNode) {
    throw new UsageError(
      `this data directory has ${kept.disksPerNode} disks a node; --disks-per-node cannot change that`,
    );
  }
}

async function planProcess(
  ports: FreePorts,
  dir: string,
  { name, role }: { readonly name: string; readonly role: Role },
): Promise<PlannedProcess> {
  const serves = role === "metadata" || role === "storage";
  return {
    name,
    role,
    dir,
    rpcPort: serves ? await ports.take() : 0,
    opsPort: await ports.take(),
    s3Port: role === "gateway" ? await ports.take() : 0,
  };
}

/** Atomically, and power-safe when it returns. */
export function writePlan(dataDir: string, plan: ClusterPlan): void {
  writeDurably(planPath(dataDir), `${JSON.stringify(plan, null, 2)}\n`);
}
