// `dolium server DIR...`: everything in one process over one or more directories, erasure-coded
// over six, plain over one.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { mapBounded } from "../../lib/base/bounded.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createGrpcServer } from "../../lib/host/grpc-server.ts";
import { createLocalNetwork, type LocalNetwork } from "../../lib/host/local-transport.ts";
import { createLog } from "../../lib/host/log.ts";
import { createMetrics, type MetricsRegistry } from "../../lib/host/metrics.ts";
import { createOpsServer, type OpsServer } from "../../lib/host/ops-server.ts";
import { installProcessLife, type ProcessLife } from "../../lib/host/process.ts";
import { createRandom } from "../../lib/host/random.ts";
import { survivesText } from "../../lib/placement/survives.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { command, UsageError } from "../command-line.ts";
import { type BothServers, bothServers } from "../compose/both-servers.ts";
import { type ClientPorts, type Clients, createClients } from "../compose/clients.ts";
import { replicasFor, startPolicy } from "../compose/default-policy.ts";
import { composeMetadata } from "../compose/metadata.ts";
import type { Config } from "../config-schema.ts";
import {
  clusterSecretFile,
  clusterSecretOf,
  localClusterKeys,
  type RootCredentials,
  rootCredentials,
  SHARED_FILES,
} from "../credentials.ts";
import { type ClusterPlan, readPlan, writePlan } from "../dev/cluster-file.ts";
import { copyDurably, makeFolderDurably } from "../durable-file.ts";
import { createOutput, type Output } from "../output.ts";
import { readConfig } from "../read-config.ts";
import { placeable } from "./can-place.ts";

const S3_PORT = 9000;
const TICKS = { tickMs: 20, leaderlessTickMs: 5 };
const POLL_MS = 5;
const STORAGE_ADDRESS = "storage-1:1";

interface Embedded {
  readonly config: Config;
  readonly directories: readonly string[];
  readonly clusterId: string;
  readonly clusterSecret: string;
  readonly network: LocalNetwork;
  readonly s3Port: number;
  readonly ports: ClientPorts & { readonly metrics: MetricsRegistry };
  readonly life: ProcessLife;
}

export const serverCommand = command({
  name: "server",
  summary: "Run everything in one process over one or more directories.",
  positionals: "DIR...",
  options: {
    "s3-port": {
      kind: "number",
      value: "PORT",
      minimum: 1,
      maximum: 65_535,
      help: "port of S3 (DOLIUM_S3_PORT, else 9000)",
    },
    config: {
      kind: "text",
      value: "FILE",
      help: "configuration (JSON); the environment goes before",
    },
    json: { kind: "flag", help: "print JSON lines" },
  },
  run: async ({ options, positionals }) => {
    const output = createOutput(options.json === true);
    const directories = prepareDirectories(positionals);
    const first = directories[0] ?? "";
    const root = rootCredentials(process.env, first);
    const clusterSecret = clusterSecretOf(clusterSecretFile(first));
    const config = readConfig(options.config);
    const clusterKeys = localClusterKeys(config, first);
    const log = createLog({ level: config.log.level, fields: { service: "server" } });
    const life = installProcessLife({ log });
    const stopped = Promise.withResolvers<number>();
    life.onStop("process", async () => stopped.resolve(0));
    const kept = readPlan(first);
    const ports = { clock: createClock(), random: createRandom(), log };
    const network = createLocalNetwork(ports);
    const port = options["s3-port"] ?? Number(process.env.DOLIUM_S3_PORT ?? S3_PORT);
    const embedded: Embedded = {
      config,
      directories,
      clusterId: kept?.clusterId ?? newClusterId(directories, port),
      clusterSecret,
      network,
      s3Port: port,
      ports: { ...ports, transport: network.createTransport(), metrics: createMetrics() },
      life,
    };
    const clients = await startParts(embedded, { root, port, clusterKeys });
    shareFiles(directories);
    announce(output, embedded, { root, port, clients });
    return stopped.promise;
  },
});

/** Absolute, there, and each named once. */
function prepareDirectories(positionals: readonly string[]): string[] {
  if (positionals.length === 0) throw new UsageError("dolium server needs a directory");
  const directories = positionals.map((path) => resolve(path));
  if (new Set(directories).size < directories.length) {
    throw new UsageError("dolium server: a directory is named twice");
  }
  for (const path of directories) {
    try {
      makeFolderDurably(path);
    } catch (error) {
      throw new UsageError(`${path} cannot be used: ${String(error)}`, { cause: error });
    }
  }
  adoptShared(directories);
  return directories;
}

/** Kept before any replica can found a cluster under it. */
function newClusterId(directories: readonly string[], s3Port: number): string {
  const clusterId = crypto.randomUUID();
  const disksPerNode = directories.length;
  writePlan(directories[0] ?? "", { clusterId, disksPerNode, s3Port, processes: [] });
  return clusterId;
}

/** A first directory that is new takes keys and identity from one that has them. */
function adoptShared(directories: readonly string[]): void {
  const first = directories[0] ?? "";
  for (const name of SHARED_FILES) {
    if (existsSync(join(first, name))) continue;
    const holder = directories.find((path) => existsSync(join(path, name)));
    if (holder !== undefined) copyDurably(join(holder, name), join(first, name));
  }
}

/** Every directory keeps a copy of keys and identity: any one of them may be lost. */
function shareFiles(directories: readonly string[]): void {
  const [first = "", ...others] = directories;
  for (const name of SHARED_FILES) {
    if (!existsSync(join(first, name))) continue;
    for (const path of others) copyDurably(join(first, name), join(path, name));
  }
}

async function startParts(
  embedded: Embedded,
  how: {
    readonly root: RootCredentials;
    readonly port: number;
    readonly clusterKeys: ClusterKeys;
  },
): Promise<Clients> {
  const { life, ports, network, directories, config } = embedded;
  const ops = opsOf(ports, () => clients.view.isFresh());
  const addresses = await startMetadata(embedded);
  // Their code is loaded while the metadata opens files and elects leaders.
  const [{ composeStorage }, { composeKeeper }, { adminUrlOf, composeGateway }] = await Promise.all(
    [
      import("../compose/storage.ts"),
      import("../compose/keeper.ts"),
      import("../compose/gateway.ts"),
    ],
  );
  const clients = createClients(ports, addresses);
  life.onStop("clients", async () => clients.close());
  const server = network.createServer();
  const { disks: _none, ...settings } = config.storage;
  const { node } = await composeStorage({
    ports,
    metadata: clients.metadata,
    server,
    listen: STORAGE_ADDRESS,
    advertise: STORAGE_ADDRESS,
    node: { ...config.node, name: "storage-1" },
    folders: directories.map((path) => join(path, "storage")),
    settings,
  });
  life.onStop("storage", () => node.stop());
  life.onStop("storage calls", () => server.close(1000));
  const { clusterKeys } = how;
  const keeper = composeKeeper({
    name: "keeper",
    ports,
    clients,
    config: { ...config, replication: withEndpoint(config.replication, how.port) },
    clusterKeys,
    root: how.root,
  });
  life.onStop("keeper", () => keeper.close());
  const probe = ports.random.bytes(16);
  while (placeable(clients.view, probe) !== undefined) {
    await clients.view.refresh();
    await ports.clock.sleep(POLL_MS);
  }
  const gateway = await composeGateway({
    name: "gateway-1",
    ports,
    clients,
    settings: { ...config.s3, port: how.port },
    notificationTargets: Object.keys(config.notify.targets),
    replicationTargets: Object.keys(config.replication.targets),
    root: how.root,
    clusterKeys,
    identity: config.identity,
    admin: config.admin,
  });
  life.onStop("gateway", () => gateway.close());
  keepAdminUrl(directories, adminUrlOf(gateway));
  await ops.listen(`${config.ops.address}:0`);
  life.onStop("ops", () => ops.close());
  return clients;
}

/** Metrics and health; `isFresh`: the cluster map is known. */
function opsOf({ metrics, log }: Embedded["ports"], isFresh: () => boolean): OpsServer {
  return createOpsServer({
    metrics,
    log,
    health: {
      started: () => ({ ok: true }),
      live: () => ({ ok: true }),
      ready: () => ({ ok: isFresh() }),
      cluster: () => ({ ok: isFresh() }),
    },
  });
}

/** The keeper reads from this process's own gateway, unless the settings name others. */
function withEndpoint(replication: Config["replication"], port: number): Config["replication"] {
  const isSet = replication.endpoints.length > 0;
  return isSet ? replication : { ...replication, endpoints: [`http://127.0.0.1:${port}`] };
}

/** So that `dolium user` and the like find the admin API of this process. */
function keepAdminUrl(directories: readonly string[], adminUrl: string | undefined): void {
  const [first = ""] = directories;
  const plan = readPlan(first);
  if (plan === undefined || adminUrl === undefined) return;
  writePlan(first, { ...plan, adminUrl });
}

/** As many replicas as bear the losses that the data bears, each in another directory. */
async function startMetadata(embedded: Embedded): Promise<string[]> {
  const { directories, config, ports, network, life, clusterSecret } = embedded;
  const count = replicasFor(directories.length);
  const names = Array.from({ length: count }, (_, at) => `metadata-${at + 1}`);
  const metadata = names.map((name) => ({ name, address: `${name}:1` }));
  const { log, random } = ports;
  const outer = await mapBounded(metadata, count, async ({ name, address }, at) => {
    const server = bothServers(
      network.createServer(),
      createGrpcServer({ log, random, clusterSecret }),
    );
    const replica = await composeMetadata({
      ports,
      server,
      ticks: TICKS,
      fatal: (error) => {
        log.error("the metadata of this process cannot go on", error);
        process.exit(1);
      },
      config: {
        ...config,
        node: { ...config.node, name },
        rpc: { address, advertise: "" },
        metadata: { ...config.metadata, dataDir: join(directories[at] ?? "", "metadata") },
        cluster: {
          ...config.cluster,
          id: embedded.clusterId,
          metadata,
          policies: [startPolicy(directories.length, "disk")],
        },
      },
    });
    life.onStop(`${name} calls`, () => server.close(1000));
    life.onStop(name, () => replica.close());
    return server;
  });
  keepPlan(embedded, names, outer);
  return metadata.map((replica) => replica.address);
}

/** So that other commands find the replicas and the S3 port of this process by its directory. */
function keepPlan(
  embedded: Embedded,
  names: readonly string[],
  outer: readonly BothServers[],
): void {
  const first = embedded.directories[0] ?? "";
  const plan: ClusterPlan = {
    clusterId: embedded.clusterId,
    disksPerNode: embedded.directories.length,
    s3Port: embedded.s3Port,
    processes: names.map((name, at) => ({
      name,
      role: "metadata",
      dir: join(embedded.directories[at] ?? "", "metadata"),
      rpcPort: Number(outer[at]?.outerAddress().split(":").at(-1) ?? 0),
      opsPort: 0,
      s3Port: 0,
    })),
  };
  writePlan(first, plan);
}

function announce(
  output: Output,
  embedded: Embedded,
  facts: { readonly root: RootCredentials; readonly port: number; readonly clients: Clients },
): void {
  const { root, port, clients } = facts;
  const scheme = embedded.config.s3.tls.certificateFile === "" ? "http" : "https";
  const endpoint = `${scheme}://127.0.0.1:${port}`;
  const { view } = clients;
  const { sentence } = survivesText(view.policy(view.defaultPolicy()), view.map());
  output.event({
    event: "ready",
    endpoints: [endpoint],
    accessKeyId: root.accessKeyId,
    secretAccessKey: root.secretAccessKey,
    region: embedded.config.s3.region,
    survives: sentence,
    adminUrl: readPlan(embedded.directories[0] ?? "")?.adminUrl,
    processes: [
      { name: "server", role: "server", pid: process.pid, dir: embedded.directories[0] ?? "" },
    ],
  });
  output.say(`
Dolium is ready: S3 at ${endpoint}, over ${embedded.directories.length} directories; ${sentence}.

  export AWS_ENDPOINT_URL=${endpoint}
  export AWS_ACCESS_KEY_ID=${root.accessKeyId}
  export AWS_SECRET_ACCESS_KEY=${root.secretAccessKey}

Keys come from: ${root.source}. Stop with Ctrl-C.`);
}
