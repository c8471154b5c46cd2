// `dolium gateway|metadata|storage|keeper --config FILE`: one role in this process. It waits for peers that
// are not there yet; it refuses a configuration with mistakes, naming each.
import { randomBytes } from "node:crypto";
import process from "node:process";
import { isStoreError } from "../../lib/base/errors.ts";
import { createClock } from "../../lib/host/clock.ts";
import { loadConfig } from "../../lib/host/config.ts";
import { createGrpcServer } from "../../lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../lib/host/grpc-transport.ts";
import { createLog } from "../../lib/host/log.ts";
import { createMetrics, type MetricsRegistry } from "../../lib/host/metrics.ts";
import { createOpsServer } from "../../lib/host/ops-server.ts";
import { installProcessLife, type ProcessLife } from "../../lib/host/process.ts";
import { createRandom } from "../../lib/host/random.ts";
import type { RpcServer } from "../../lib/ports/transport.ts";
import { type Command, command, UsageError } from "../command-line.ts";
import { type ClientPorts, type Clients, createClients } from "../compose/clients.ts";
import { composeGateway } from "../compose/gateway.ts";
import { composeKeeper } from "../compose/keeper.ts";
import { composeMetadata } from "../compose/metadata.ts";
import { composeStorage } from "../compose/storage.ts";
import { type Config, ConfigSchema } from "../config-schema.ts";
import { requiredRootCredentials } from "../credentials.ts";
import type { Role } from "../dev/cluster-file.ts";
import { createOutput } from "../output.ts";
import { placeable } from "./can-place.ts";

interface Running {
  /** What the ready line says beside the role. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Undefined once it serves; else what it waits for. */
  readonly waitingFor: () => string | undefined;
}

interface Frame {
  readonly config: Config;
  readonly ports: ClientPorts & { readonly metrics: MetricsRegistry };
  readonly life: ProcessLife;
  readonly server: RpcServer;
  /** Clients of the metadata service; closed at the end. */
  readonly clients: () => Clients;
}

const RPC_GRACE_MS = 5000;
const READY_POLL_MS = 20;

const START: Readonly<Record<Role, (frame: Frame) => Promise<Running>>> = {
  gateway: startGatewayRole,
  metadata: startMetadataRole,
  storage: startStorageRole,
  keeper: startKeeperRole,
};

const SUMMARIES: Readonly<Record<Role, string>> = {
  gateway: "Run an S3 gateway.",
  metadata: "Run a metadata replica.",
  storage: "Run a storage node.",
  keeper: "Run a keeper: repair, garbage, orphans, stale uploads.",
};

const ROLES: readonly Role[] = ["gateway", "metadata", "storage", "keeper"];

export const ROLE_COMMANDS: readonly Command[] = ROLES.map((role) =>
  command({
    name: role,
    summary: SUMMARIES[role],
    positionals: "",
    options: {
      config: {
        kind: "text",
        value: "FILE",
        help: "configuration (JSON); the environment goes before",
      },
      json: { kind: "flag", help: "print JSON lines" },
      supervised: { kind: "flag", help: "stop when stdin ends (the parent is gone)" },
    },
    run: async ({ options }) => {
      const config = readConfig(options.config);
      const running = await runRole(role, config, {
        json: options.json === true,
        supervised: options.supervised === true,
      });
      return running;
    },
  }),
);

/** The checked configuration. Throws UsageError with a line for every mistake. */
export function readConfig(filePath: string | undefined): Config {
  try {
    return loadConfig(ConfigSchema, {
      environment: process.env,
      ...(filePath === undefined ? {} : { filePath }),
    });
  } catch (error) {
    if (isStoreError(error, "invalid")) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function runRole(
  role: Role,
  config: Config,
  how: { readonly json: boolean; readonly supervised: boolean },
): Promise<number> {
  const output = createOutput(how.json);
  const log = createLog({
    level: config.log.level,
    fields: { service: role, node: config.node.name },
  });
  const life = installProcessLife({ log });
  const stopped = Promise.withResolvers<number>();
  life.onStop("process", async () => stopped.resolve(0));
  if (how.supervised) stopWithParent(life);
  const frame = createFrame(config, life, log);
  let running: Running | undefined;
  const ops = createOpsServer({
    metrics: frame.ports.metrics,
    log,
    health: {
      started: () => ({ ok: running !== undefined }),
      live: () => ({ ok: true }),
      ready: () => ({ ok: running !== undefined && running.waitingFor() === undefined }),
      cluster: () => ({ ok: running !== undefined && running.waitingFor() === undefined }),
    },
  });
  const opsAddress = await ops.listen(`${config.ops.address}:${config.ops.port}`);
  life.onStop("ops", () => ops.close());
  running = await START[role](frame);
  await untilServing(frame, running);
  const { facts } = running;
  output.event({ event: "ready", role, name: config.node.name, ops: opsAddress, ...facts });
  output.say(`${role} ${config.node.name} is ready ${JSON.stringify(facts)}`);
  return stopped.promise;
}

function stopWithParent(life: ProcessLife): void {
  const stop = (): void => {
    life.stop("the parent ended").then(
      (code) => process.exit(code),
      () => process.exit(1),
    );
  };
  process.stdin.resume();
  process.stdin.once("end", stop);
  process.stdin.once("error", stop);
}

async function untilServing(frame: Frame, running: Running): Promise<void> {
  let told = "";
  for (;;) {
    const waitingFor = running.waitingFor();
    if (waitingFor === undefined) return;
    if (waitingFor !== told) frame.ports.log.info("waiting", { for: waitingFor });
    told = waitingFor;
    await frame.ports.clock.sleep(READY_POLL_MS);
  }
}

function createFrame(config: Config, life: ProcessLife, log: ClientPorts["log"]): Frame {
  const { secret } = config.cluster;
  if (secret === "")
    throw new UsageError("cluster.secret must be set (DOLIUM_CLUSTER__SECRET_FILE)");
  if (config.cluster.metadata.length === 0) {
    throw new UsageError("cluster.metadata must name the metadata replicas");
  }
  if (config.node.name === "") throw new UsageError("node.name must be set");
  const random = createRandom();
  const transport = createGrpcTransport({ clusterSecret: secret });
  life.onStop("connections", () => transport.close());
  const server = createGrpcServer({ log, random, clusterSecret: secret });
  const ports = { transport, clock: createClock(), random, log, metrics: createMetrics() };
  return {
    config,
    ports,
    life,
    server,
    clients: () => {
      const clients = createClients(
        ports,
        config.cluster.metadata.map((replica) => replica.address),
      );
      life.onStop("clients", async () => clients.close());
      return clients;
    },
  };
}

async function startGatewayRole(frame: Frame): Promise<Running> {
  const root = requiredRootCredentials(process.env);
  const clients = frame.clients();
  const gateway = await composeGateway({
    name: frame.config.node.name,
    ports: frame.ports,
    clients,
    settings: frame.config.s3,
    root,
  });
  frame.life.onStop("gateway", () => gateway.close());
  const probe = randomBytes(16);
  return {
    facts: { s3: gateway.address },
    waitingFor: () => placeable(clients.view, probe),
  };
}

async function startMetadataRole(frame: Frame): Promise<Running> {
  const metadata = await composeMetadata({
    ports: frame.ports,
    server: frame.server,
    config: frame.config,
    fatal: (error) => endProcess(frame, error),
  });
  frame.life.onStop("metadata", () => metadata.close());
  frame.life.onStop("rpc", () => frame.server.close(RPC_GRACE_MS));
  return { facts: { rpc: metadata.address }, waitingFor: () => undefined };
}

/** Whatever starts it again finds the durable state; going on could not be trusted. */
function endProcess(frame: Frame, error: unknown): void {
  frame.ports.log.error("this replica cannot go on", error);
  process.exit(1);
}

async function startStorageRole(frame: Frame): Promise<Running> {
  const { disks: folders, ...settings } = frame.config.storage;
  if (folders.length === 0) throw new UsageError("storage.disks must name at least one directory");
  const { address, node } = await composeStorage({
    ports: frame.ports,
    metadata: frame.clients().metadata,
    server: frame.server,
    listen: frame.config.rpc.address,
    advertise: frame.config.rpc.advertise,
    node: frame.config.node,
    folders,
    settings,
  });
  frame.life.onStop("storage", () => node.stop());
  frame.life.onStop("rpc", () => frame.server.close(RPC_GRACE_MS));
  return { facts: { rpc: address }, waitingFor: () => node.waitingFor };
}

async function startKeeperRole(frame: Frame): Promise<Running> {
  const clients = frame.clients();
  const keeper = composeKeeper({
    name: frame.config.node.name,
    ports: frame.ports,
    clients,
    config: frame.config.keeper,
  });
  frame.life.onStop("keeper", () => keeper.close());
  return {
    facts: {},
    waitingFor: () => (clients.view.isFresh() ? undefined : "the cluster map"),
  };
}
