// How each role is put together from its ports, as the composition roots of the processes do it.
import type { FastifyInstance } from "fastify";
import { type Clients, createClients } from "../../../services/cli/compose/clients.ts";
import { buildGateway } from "../../../services/gateway/server.ts";
import {
  AccessLogsConfigSchema,
  type KeeperConfig,
  KeeperConfigSchema,
  LifecycleConfigSchema,
  NotifyConfigSchema,
  ReplicationConfigSchema,
} from "../../../services/keeper/config.ts";
import { Keeper } from "../../../services/keeper/keeper.ts";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { Heartbeats } from "../../../services/lib/clients/heartbeats.ts";
import { KmsDirectory } from "../../../services/lib/clients/kms-directory.ts";
import type { ChecksumFactory } from "../../../services/lib/s3/checksums.ts";
import { soleClusterKey } from "../../../services/lib/seal/cluster-keys.ts";
import { MetadataServer } from "../../../services/metadata/server.ts";
import { StorageNode } from "../../../services/storage/storage-node.ts";
import { s3Settings } from "../../unit/gateway/s3-settings.ts";
import { defaultsOf } from "./defaults.ts";
import type { Plants } from "./planted/plant.ts";
import type { Ports } from "./process.ts";

export const ROOT = {
  accessKeyId: "SIMULATEDROOTKEY0001",
  secret: "a secret of the simulated root user",
  userId: "root_dolium",
  displayName: "root",
};
export const REGION = "us-east-1";
const VERSION = "simulated";
const POLICY = "standard";

/** What all processes of a run agree on. */
export interface ClusterOptions {
  readonly metadata: readonly { readonly name: string; readonly address: string }[];
  readonly dataShards: number;
  readonly parityShards: number;
  readonly cellBytes: number;
  readonly segmentBytes: number;
  readonly inlineBytes: number;
  readonly keeper: Partial<KeeperConfig>;
  readonly indexGroupCount: number;
  readonly outAfterMs: number;
  readonly keepEntries: number;
  readonly checksums: ChecksumFactory;
  readonly plants: Plants;
}

export interface GatewayHandle {
  readonly app: FastifyInstance;
  readonly clients: Clients;
}

function clientsOf(ports: Ports, cluster: ClusterOptions): Clients {
  return createClients(
    ports,
    cluster.metadata.map(({ address }) => address),
  );
}

export async function bootMetadata(
  ports: Ports,
  cluster: ClusterOptions,
  self: { readonly name: string; readonly address: string },
): Promise<MetadataServer> {
  const { dataShards, parityShards, cellBytes, keepEntries } = cluster;
  const policy = { name: POLICY, dataShards, parityShards, cellBytes, failureDomain: "node" };
  const server = await MetadataServer.open(
    { ...ports, raftTiming: { keepEntries } },
    {
      ...self,
      dataDir: "metadata",
      peers: cluster.metadata,
      clusterId: "simulated",
      indexGroupCount: cluster.indexGroupCount,
      cluster: { policies: [policy], defaultPolicy: POLICY, placementGroupCount: 16 },
      times: { outAfterMs: cluster.outAfterMs, digestMs: 10_000, auditMs: 20_000 },
    },
  );
  server.register(ports.server);
  await ports.server.listen(self.address);
  server.start();
  return server;
}

export async function bootStorage(
  ports: Ports,
  cluster: ClusterOptions,
  self: { readonly name: string; readonly address: string },
): Promise<StorageNode> {
  const { metadata } = clientsOf(ports, cluster);
  const node = new StorageNode(
    { ...ports, metadata },
    {
      ...self,
      campus: "here",
      rack: "",
      host: self.name,
      folders: ["disk-1"],
      version: VERSION,
      settings: {
        segmentBytes: cluster.segmentBytes,
        spareBytes: 4096,
        scrubPassMsMin: 5000,
        failedRetryMsMin: 1000,
        failedRetryMsMax: 5000,
      },
    },
  );
  node.serve(ports.server);
  await ports.server.listen(self.address);
  await node.start();
  return node;
}

export async function bootGateway(
  ports: Ports,
  cluster: ClusterOptions,
  self: { readonly name: string; readonly address: string },
): Promise<GatewayHandle> {
  const clients = cluster.plants.gateway(clientsOf(ports, cluster), ports);
  const { clock, random, log, metrics } = ports;
  const { metadata, writer, reader } = clients;
  const settings = s3Settings({
    inlineBytes: cluster.inlineBytes,
    supportedPage: false,
    console: false,
  });
  const { app } = buildGateway(
    {
      name: self.name,
      settings,
      dependencies: {
        metadata,
        buckets: clients.buckets,
        kms: new KmsDirectory({ metadata: clients.metadata, clock, random }, NO_KEYS),
        cluster: clients.view,
        writer,
        reader,
        credentials: {
          find: async (accessKeyId) => (accessKeyId === ROOT.accessKeyId ? ROOT : undefined),
        },
        clock,
        random,
        log,
        metrics,
        isReady: () => clients.view.isFresh(),
      },
    },
    cluster.checksums,
  );
  await app.ready();
  heartbeats(ports, clients, { role: "gateway", ...self });
  return { app, clients };
}

const NO_KEYS = soleClusterKey(undefined);

function heartbeats(
  ports: Ports,
  { metadata }: Clients,
  self: { readonly role: "gateway" | "keeper"; readonly name: string; readonly address: string },
): void {
  const { clock, log } = ports;
  new Heartbeats(
    { metadata, clock, log },
    { ...self, version: VERSION, details: () => "" },
  ).start();
}

/** No foreign server exists in the simulation. */
function nobody(): never {
  throw new StoreError("unavailable", "nothing is connected to the simulated cluster");
}

export async function bootKeeper(
  ports: Ports,
  cluster: ClusterOptions,
  self: { readonly name: string; readonly address: string },
): Promise<Keeper> {
  const clients = cluster.plants.keeper(clientsOf(ports, cluster));
  const { clock, random, log, metrics } = ports;
  const { metadata, buckets, view, shards, erasure, writer, reader } = clients;
  const keeper = new Keeper({
    ...{ metadata, buckets, view, shards, erasure, writer, reader },
    ...{ clock, random, log, metrics },
    http: { post: async () => nobody(), close: () => undefined },
    exchanger: { exchange: async () => nobody(), close: () => undefined },
    kms: new KmsDirectory({ metadata: clients.metadata, clock, random }, NO_KEYS),
    config: { ...defaultsOf(KeeperConfigSchema), ...cluster.keeper },
    lifecycle: defaultsOf(LifecycleConfigSchema),
    notify: { ...defaultsOf(NotifyConfigSchema), pollMs: 10_000 },
    accessLogs: defaultsOf(AccessLogsConfigSchema),
    replication: defaultsOf(ReplicationConfigSchema),
    storageClasses: {},
  });
  keeper.start();
  heartbeats(ports, clients, { role: "keeper", name: self.name, address: "" });
  return keeper;
}
