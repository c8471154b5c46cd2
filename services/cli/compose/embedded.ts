// Everything of a cluster in one process over the same directories: metadata replicas, a storage
// node, keeper and gateway, who call each other without a network. What stands in the directories
// (keys, plan, data) is made on the first start and found again on every later one.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import type { FirstBucket } from "../../gateway/admin/provisioning/first-buckets.ts";
import { mapBounded } from "../../lib/base/bounded.ts";
import { isStoreError } from "../../lib/base/errors.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createGrpcServer } from "../../lib/host/grpc-server.ts";
import { createLocalNetwork, type LocalNetwork } from "../../lib/host/local-transport.ts";
import { createOpsServer, departureReport, type OpsServer } from "../../lib/host/ops-server.ts";
import { createRandom } from "../../lib/host/random.ts";
import type { Log } from "../../lib/ports/log.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { placeable } from "../commands/can-place.ts";
import type { Config } from "../config-schema.ts";
import {
  clusterSecretFile,
  clusterSecretOf,
  forgetRunning,
  localClusterKeys,
  type RootCredentials,
  rememberRunning,
  rootCredentials,
  SHARED_FILES,
} from "../credentials.ts";
import { type ClusterPlan, readPlan, writePlan } from "../dev/cluster-file.ts";
import { copyDurably } from "../durable-file.ts";
import type { Whereabouts } from "../roles/frame.ts";
import { type BothServers, bothServers } from "./both-servers.ts";
import { type ClientPorts, type Clients, createClients } from "./clients.ts";
import { replicasFor, startPolicy } from "./default-policy.ts";
import type { ComposedGateway } from "./gateway.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { composeMetadata } from "./metadata.ts";

const TICKS = { tickMs: 20, leaderlessTickMs: 5 };
const POLL_MS = 5;
const PLACEABLE_TIMEOUT_MS = 120_000;
/** Default of `ops.port`. */
const OPS_PORT = 9003;
const [GATEWAY, KEEPER, STORAGE] = ["gateway-1", "keeper", "storage-1"];
const STORAGE_ADDRESS = `${STORAGE}:1`;

export interface EmbeddedOptions {
  readonly config: Config;
  /** Absolute paths of folders that are there, each once. */
  readonly directories: readonly string[];
  readonly s3Port: number;
  readonly log: Log;
  /** Where root keys may be; that of the process unless told. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Buckets that are there once it serves; made for the root user when they are missing. */
  readonly firstBuckets?: readonly FirstBucket[];
  /** Called right after opening something; to be closed in reverse order. */
  readonly onStop: (name: string, close: () => Promise<void>) => void;
  /** The metadata cannot go on: the process must end. */
  readonly fatal: (error: unknown) => void;
}

export interface EmbeddedCluster {
  readonly root: RootCredentials;
  readonly clients: Clients;
  readonly adminUrl: string | undefined;
  /** host:port of S3. */
  readonly s3Address: string;
  /** host:port of metrics and health. */
  readonly opsAddress: string;
  readonly instruments: Instruments;
}

/** What health is asked of, once there is something. */
interface Serving {
  clients: Clients | undefined;
  isOpen: boolean;
  objections: ComposedGateway["objections"] | undefined;
}

interface Embedded extends EmbeddedOptions {
  readonly ops: OpsServer;
  readonly serving: Serving;
  readonly clusterId: string;
  readonly clusterSecret: string;
  readonly network: LocalNetwork;
  readonly ports: ClientPorts & Instruments;
  /** What others are told of this process; its metrics are listened on before. */
  readonly whereabouts: Whereabouts;
}

/** Resolves when it serves S3 on `s3Port`. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { config, directories, s3Port, log } = options;
  const first = directories[0] ?? "";
  adoptShared(directories);
  const environment = options.environment ?? process.env;
  const root = rootCredentials(environment, first);
  const clusterSecret = clusterSecretOf(clusterSecretFile(first));
  const clusterKeys = localClusterKeys(config, first);
  const ports = { clock: createClock(), random: createRandom(), log };
  const network = createLocalNetwork(ports);
  const instruments = await createInstruments(ports.clock);
  const serving: Serving = { clients: undefined, isOpen: false, objections: undefined };
  const ops = opsOf({ ...instruments, log }, serving);
  const opsAddress = await listenForOps(ops, config.ops);
  options.onStop("ops", () => ops.close());
  const embedded: Embedded = {
    ...options,
    ...{ ops, serving },
    whereabouts: { campus: config.node.campus, opsAddress: config.ops.advertise || opsAddress },
    clusterId: readPlan(first)?.clusterId ?? newClusterId(directories, s3Port),
    clusterSecret,
    network,
    ports: {
      ...{ ...ports, ...instruments },
      transport: network.createTransport({ observers: instruments.observers }),
    },
  };
  const parts = await startParts(embedded, { root, port: s3Port, clusterKeys });
  serving.isOpen = true;
  // Closed first: whoever sends requests here learns of it before they are refused.
  options.onStop("readiness", async () => {
    serving.isOpen = false;
  });
  shareFiles(directories);
  rememberRunning(environment, first);
  options.onStop("root keys", async () => forgetRunning(first));
  const adminUrl = readPlan(first)?.adminUrl;
  return { root, ...parts, adminUrl, opsAddress, instruments };
}

/** The port of the settings; left as it is, another one where it is in use. */
async function listenForOps(ops: OpsServer, { address, port }: Config["ops"]): Promise<string> {
  try {
    return await ops.listen(`${address}:${port}`);
  } catch (error) {
    if (port !== OPS_PORT) throw error;
    return ops.listen(`${address}:0`);
  }
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
): Promise<Pick<EmbeddedCluster, "clients" | "s3Address">> {
  const { onStop, ports, network, directories, config } = embedded;
  const { whereabouts, serving, ops } = embedded;
  const addresses = await startMetadata(embedded);
  // Their code is loaded while the metadata opens files and elects leaders.
  const [{ composeStorage }, { composeKeeper }, { adminUrlOf, composeGateway }] = await Promise.all(
    [import("./storage.ts"), import("./keeper.ts"), import("./gateway.ts")],
  );
  const clients = createClients(ports, addresses);
  serving.clients = clients;
  ports.calls.follow(() => (clients.view.isFresh() ? clients.view.map() : undefined));
  onStop("clients", async () => clients.close());
  const server = network.createServer();
  const { disks: _none, ...settings } = config.storage;
  const { node } = await composeStorage({
    ports,
    metadata: clients.metadata,
    server,
    listen: STORAGE_ADDRESS,
    advertise: STORAGE_ADDRESS,
    opsAddress: whereabouts.opsAddress,
    node: { ...config.node, name: STORAGE },
    folders: directories.map((path) => join(path, "storage")),
    settings,
  });
  onStop("storage", () => node.stop());
  onStop("storage calls", () => server.close(1000));
  const { clusterKeys } = how;
  const keeper = composeKeeper({
    name: KEEPER,
    ...{ ports, clients, whereabouts },
    config: { ...config, replication: withEndpoint(config, how.port) },
    clusterKeys,
    root: how.root,
  });
  onStop("keeper", () => keeper.close());
  await untilPlaceable(ports, clients);
  const gateway = await composeGateway({
    name: GATEWAY,
    ...{ ports, clients, whereabouts },
    addMetrics: ops.addMetrics,
    bucketLabels: config.ops.bucketLabels,
    settings: { ...config.s3, port: how.port },
    notificationTargets: Object.keys(config.notify.targets),
    replicationTargets: Object.keys(config.replication.targets),
    root: how.root,
    clusterKeys,
    identity: config.identity,
    admin: config.admin,
    audit: config.audit,
    provisioning: config.provisioning,
    firstBuckets: embedded.firstBuckets ?? [],
    beside: [STORAGE, KEEPER, ...metadataNames(directories)],
  });
  serving.objections = gateway.objections;
  onStop("gateway", () => gateway.close());
  keepAddress(directories, adminUrlOf(gateway), config.s3.tls.certificateFile);
  await gateway.firstBuckets;
  return { clients, s3Address: gateway.address };
}

/** Resolves once bodies can be placed. Metadata that is slow to open is waited for. */
async function untilPlaceable({ clock, random }: ClientPorts, { view }: Clients): Promise<void> {
  const probe = random.bytes(16);
  const endMs = clock.monotonicMs() + PLACEABLE_TIMEOUT_MS;
  while (placeable(view, probe) !== undefined) {
    try {
      await view.refresh();
    } catch (error) {
      const isSlow = isStoreError(error, "unavailable") || isStoreError(error, "timeout");
      if (!isSlow || clock.monotonicMs() > endMs) throw error;
    }
    await clock.sleep(POLL_MS);
  }
}

/** Metrics and health: ready while S3 is served and the cluster map is known. */
function opsOf(
  { metrics, log }: Pick<Embedded["ports"], "metrics" | "log">,
  serving: Serving,
): OpsServer {
  const ready = () => ({ ok: serving.isOpen && serving.clients?.view.isFresh() === true });
  return createOpsServer({
    metrics,
    log,
    health: {
      started: () => ({ ok: serving.clients !== undefined }),
      live: () => ({ ok: true }),
      ready,
      cluster: async ({ maintenance, node }) => {
        if (!maintenance) return ready();
        return departureReport((await serving.objections?.(node ?? GATEWAY)) ?? ["it is starting"]);
      },
    },
  });
}

/** The keeper reads from this process's own gateway, unless the settings name others. */
function withEndpoint({ replication, s3 }: Config, port: number): Config["replication"] {
  if (replication.endpoints.length > 0) return replication;
  const scheme = s3.tls.certificateFile === "" ? "http" : "https";
  return { ...replication, endpoints: [`${scheme}://127.0.0.1:${port}`] };
}

/** So that `dolium user` and the like find the admin API of this process, and may trust it. */
function keepAddress(
  directories: readonly string[],
  adminUrl: string | undefined,
  certificateFile: string,
): void {
  const [first = ""] = directories;
  const { certificateFile: _, ...plan } = readPlan(first) ?? { processes: undefined };
  if (plan.processes === undefined) return;
  writePlan(first, {
    ...plan,
    ...(adminUrl === undefined ? {} : { adminUrl }),
    ...(certificateFile === "" ? {} : { certificateFile: resolve(certificateFile) }),
  });
}

/** As many replicas as bear the losses that the data bears, each in another directory. */
async function startMetadata(embedded: Embedded): Promise<string[]> {
  const { directories, config, ports, network, onStop, clusterSecret } = embedded;
  const names = metadataNames(directories);
  const count = names.length;
  const metadata = names.map((name) => ({ name, address: `${name}:1` }));
  const { log, random } = ports;
  const outer = await mapBounded(metadata, count, async ({ name, address }, at) => {
    const server = bothServers(
      network.createServer(),
      createGrpcServer({ log, random, clusterSecret }),
    );
    const replica = await composeMetadata({
      ports,
      whereabouts: embedded.whereabouts,
      server,
      ticks: TICKS,
      fatal: embedded.fatal,
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
    onStop(`${name} calls`, () => server.close(1000));
    // The others end with this process: nobody is left to lead.
    onStop(name, () => replica.close({ handOver: false }));
    return server;
  });
  keepPlan(embedded, names, outer);
  return metadata.map((replica) => replica.address);
}

function metadataNames(directories: readonly string[]): string[] {
  const count = replicasFor(directories.length);
  return Array.from({ length: count }, (_, at) => `metadata-${at + 1}`);
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
