// `dolium gateway` (or metadata, storage, keeper) `--config FILE`: one role in this process. It
// waits for peers that are not there yet; it refuses a configuration with mistakes, naming each.
import { hostname } from "node:os";
import process from "node:process";
import { createClock } from "../../lib/host/clock.ts";
import { createGrpcServer } from "../../lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../lib/host/grpc-transport.ts";
import { createLog } from "../../lib/host/log.ts";
import { createOpsServer, departureReport, type HealthReport } from "../../lib/host/ops-server.ts";
import { opsToken } from "../../lib/host/ops-token.ts";
import { installProcessLife, type ProcessLife } from "../../lib/host/process.ts";
import { createRandom } from "../../lib/host/random.ts";
import { advertisedAddress } from "../advertised-address.ts";
import { type Command, command, UsageError } from "../command-line.ts";
import type { ClientPorts } from "../compose/clients.ts";
import { createInstruments } from "../compose/instruments.ts";
import type { Config } from "../config-schema.ts";
import type { Role } from "../dev/cluster-file.ts";
import { expectedReplicas, peerEnds, startInternalTls } from "../internal-tls.ts";
import { createOutput } from "../output.ts";
import { readConfig } from "../read-config.ts";
import type { Frame, Running } from "../roles/frame.ts";

const READY_POLL_MS = 20;

/** A process loads the code of its own role only. */
const START: Readonly<Record<Role, (frame: Frame) => Promise<Running>>> = {
  gateway: async (frame) => (await import("../roles/gateway.ts")).start(frame),
  metadata: async (frame) => (await import("../roles/metadata.ts")).start(frame),
  storage: async (frame) => (await import("../roles/storage.ts")).start(frame),
  keeper: async (frame) => (await import("../roles/keeper.ts")).start(frame),
};

const SUMMARIES: Readonly<Record<Role, string>> = {
  gateway: "Run an S3 gateway.",
  metadata: "Run a metadata replica.",
  storage: "Run a storage node.",
  keeper: "Run a keeper: repair, garbage, lifecycle, notifications, access logs.",
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
      const config = await withName(role, readConfig(options.config));
      const running = await runRole(role, config, {
        json: options.json === true,
        supervised: options.supervised === true,
      });
      return running;
    },
  }),
);

/**
 * The settings with a name of this process in them: that of its machine, which in a container is
 * the container's; a storage node's follows its first disk wherever that goes.
 */
async function withName(role: Role, config: Config): Promise<Config> {
  if (config.node.name !== "") return config;
  const isStorage = role === "storage";
  const name = isStorage ? await (await import("../roles/storage.ts")).nameOf(config) : hostname();
  return { ...config, node: { ...config.node, name } };
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
  const parts = await createParts({ role, config, life, log });
  let running: Running | undefined;
  let isStopping = false;
  const ready = () => ({ ok: !isStopping && isReady(running) });
  const leave = async (): Promise<void> => {
    log.info("leaving", {});
    isStopping = true;
    await running?.leave?.();
  };
  const ops = createOpsServer({
    metrics: parts.ports.metrics,
    log,
    health: {
      started: () => ({ ok: running !== undefined }),
      live: () => ({ ok: true }),
      ready,
      cluster: ({ maintenance, node }) => (maintenance ? departure(running, node) : ready()),
    },
    departure: { token: opsToken(config.cluster.secret), leave },
  });
  const opsAddress = await ops.listen(`${config.ops.address}:${config.ops.port}`);
  life.onStop("ops", () => ops.close());
  const whereabouts = {
    campus: config.node.campus,
    opsAddress: advertisedAddress(opsAddress, config.ops.advertise),
  };
  const frame = { ...parts, whereabouts, addMetrics: ops.addMetrics };
  running = await START[role](frame);
  // Closed first: whoever sends requests here learns of it before they are refused.
  life.onStop("readiness", async () => {
    isStopping = true;
  });
  await untilServing(frame, running);
  const { facts } = running;
  output.event({ event: "ready", role, name: config.node.name, ops: opsAddress, ...facts });
  output.say(`${role} ${config.node.name} is ready ${JSON.stringify(facts)}`);
  return stopped.promise;
}

function isReady(running: Running | undefined): boolean {
  if (running === undefined || running.waitingFor() !== undefined) return false;
  return running.lacks?.() === undefined;
}

/** Whether a node may be taken down; who does not know of others speaks for itself only. */
async function departure(
  running: Running | undefined,
  node: string | undefined,
): Promise<HealthReport> {
  const objections = await running?.objections?.(node);
  const unknown = node === undefined ? [] : ["ask a gateway about other nodes"];
  return departureReport(objections ?? unknown);
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

interface PartsOptions {
  readonly role: Role;
  readonly config: Config;
  readonly life: ProcessLife;
  readonly log: ClientPorts["log"];
}

async function createParts({
  role,
  config,
  life,
  log,
}: PartsOptions): Promise<Omit<Frame, "whereabouts" | "addMetrics">> {
  const { secret: clusterSecret, metadata } = config.cluster;
  if (clusterSecret === "")
    throw new UsageError("cluster.secret must be set (DOLIUM_CLUSTER__SECRET_FILE)");
  if (metadata.length === 0) {
    throw new UsageError("cluster.metadata must name the metadata replicas");
  }
  if (config.node.name === "") throw new UsageError("node.name must be set");
  const random = createRandom();
  const clock = createClock();
  const instruments = await createInstruments(clock);
  const internal = startInternalTls(role, config, log);
  const tls = internal === undefined ? {} : { tls: internal };
  const transport = createGrpcTransport({
    ...{ clusterSecret, ...tls, observers: instruments.observers },
    expected: expectedReplicas(metadata),
  });
  life.onStop("connections", () => transport.close());
  life.onStop("internal certificates", async () => internal?.close());
  instruments.certificates.addOwn(() => internal?.ends() ?? []);
  instruments.certificates.addPeers(() => peerEnds(transport));
  const server = createGrpcServer({
    log,
    random,
    clusterSecret,
    tracing: instruments.tracing,
    ...tls,
  });
  const ports = { transport, clock, random, log, ...instruments };
  return { config, ports, life, server };
}
