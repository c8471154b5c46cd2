// `dolium dev`: a whole cluster of processes on loopback, with its data in one directory.
import { resolve } from "node:path";
import process from "node:process";
import { command } from "../command-line.ts";
import {
  clusterKeyVariables,
  clusterSecretFile,
  forgetRunning,
  rememberRunning,
  rootCredentials,
} from "../credentials.ts";
import { type ClusterPlan, preparePlan } from "../dev/cluster-file.ts";
import { localGateways } from "../dev/local-address.ts";
import { prepareCertificates } from "../dev/local-certificates.ts";
import { Supervisor } from "../dev/supervisor.ts";
import { firstBuckets } from "../first-buckets.ts";
import { createOutput, type Output } from "../output.ts";
import { stopSignal } from "../stop-signal.ts";

const COUNT = { kind: "number", value: "N", minimum: 1, maximum: 99 } as const;
const S3_PORT = 9000;
const REGION = "us-east-1";

export const devCommand = command({
  name: "dev",
  summary: "Start a local cluster: gateways, metadata, storage and keeper, each a process.",
  positionals: "",
  options: {
    data: {
      kind: "text",
      value: "DIR",
      help: "data directory (DOLIUM_DATA, else ./data)",
    },
    gateways: { ...COUNT, help: "number of gateways (2)" },
    metadata: { ...COUNT, maximum: 9, help: "number of metadata replicas (3)" },
    storage: { ...COUNT, help: "number of storage nodes (6)" },
    "disks-per-node": { ...COUNT, help: "disks of each storage node (1)" },
    "s3-port": {
      kind: "number",
      value: "PORT",
      minimum: 1,
      maximum: 65_535,
      help: "port of the first gateway (DOLIUM_S3_PORT, else 9000)",
    },
    "internal-tls": { kind: "flag", help: "mutual TLS between the processes" },
    "no-restart": { kind: "flag", help: "leave processes that die as they are" },
    json: { kind: "flag", help: "print JSON lines" },
  },
  run: async ({ options }) => {
    const output = createOutput(options.json === true);
    const { buckets, notice } = firstBuckets(process.env);
    if (notice !== undefined) output.say(notice);
    const dataDir = resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
    const plan = await preparePlan(dataDir, {
      gateways: options.gateways,
      metadata: options.metadata,
      storage: options.storage,
      disksPerNode: options["disks-per-node"],
      s3Port: options["s3-port"] ?? portFromEnvironment() ?? S3_PORT,
      certificateFile: certificateFile(process.env),
      internalTls: options["internal-tls"],
    });
    await prepareCertificates(dataDir, plan);
    const credentials = rootCredentials(process.env, dataDir);
    const stopped = stopSignal({ withStdin: false });
    const supervisor = new Supervisor({
      dataDir,
      plan,
      restart: options["no-restart"] !== true,
      output,
      environment: {
        ...withoutPlanned(process.env),
        DOLIUM_ROOT_USER: credentials.accessKeyId,
        DOLIUM_ROOT_PASSWORD: credentials.secretAccessKey,
        DOLIUM_CLUSTER__SECRET_FILE: clusterSecretFile(dataDir),
        ...clusterKeyVariables(process.env, dataDir),
      },
    });
    output.say(`Starting ${plan.processes.length} processes with data in ${dataDir}`);
    const started = supervisor.start().then(() => true);
    try {
      if (await Promise.race([started, stopped.then(() => false)])) {
        rememberRunning(process.env, dataDir);
        const processes = supervisor.processes();
        const [bucket = "first"] = buckets.map(({ name }) => name);
        announce(output, plan, { ...credentials, dataDir, processes, bucket });
      }
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
    const signal = await stopped;
    output.say(`${signal}: stopping`);
    await supervisor.stop();
    forgetRunning(dataDir);
    return 0;
  },
});

/** Settings that the plan gives each process; an image has them for processes of their own. */
const PLANNED = [
  "DOLIUM_RPC__ADDRESS",
  "DOLIUM_RPC__ADVERTISE",
  "DOLIUM_OPS__ADDRESS",
  "DOLIUM_OPS__PORT",
  "DOLIUM_ADMIN__ADDRESS",
  "DOLIUM_METADATA__DATA_DIR",
  "DOLIUM_STORAGE__DISKS",
];

function withoutPlanned(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !PLANNED.includes(name));
  return Object.fromEntries(kept);
}

function portFromEnvironment(): number | undefined {
  const text = process.env.DOLIUM_S3_PORT;
  return text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
}

/** The certificate that gateways show, by an absolute path: they get it by the environment too. */
function certificateFile(environment: NodeJS.ProcessEnv): string | undefined {
  const file = environment.DOLIUM_S3__TLS__CERTIFICATE_FILE ?? "";
  return file === "" ? undefined : resolve(file);
}

function announce(
  output: Output,
  plan: ClusterPlan,
  facts: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly source: string;
    readonly dataDir: string;
    readonly processes: readonly Readonly<Record<string, unknown>>[];
    /** For the line to try; made by it, unless it is there. */
    readonly bucket: string;
  },
): void {
  const endpoints = localGateways(plan);
  const { bucket } = facts;
  output.event({
    event: "ready",
    endpoints,
    accessKeyId: facts.accessKeyId,
    secretAccessKey: facts.secretAccessKey,
    region: process.env.DOLIUM_S3__REGION ?? REGION,
    adminUrl: plan.adminUrl,
    dataDir: facts.dataDir,
    processes: facts.processes,
  });
  output.say(`
Dolium is ready: S3 at ${endpoints.join(" and ")}. \`npx dolium status\` says what may fail. Use it from another shell:

  export AWS_ENDPOINT_URL=${endpoints[0]}
  export AWS_ACCESS_KEY_ID=${facts.accessKeyId}
  export AWS_SECRET_ACCESS_KEY=${facts.secretAccessKey}
  export AWS_REGION=${REGION}${trustLine(plan)}
  aws s3 mb s3://${bucket} && aws s3 cp README.md s3://${bucket}/ && aws s3 ls s3://${bucket}

Console and admin API: ${plan.adminUrl}. Keys come from: ${facts.source}. State: npx dolium status. Stop with Ctrl-C.`);
}

/** Clients other than this command must be told whose certificate it is. */
function trustLine({ certificateFile: file }: ClusterPlan): string {
  return file === undefined ? "" : `\n  export AWS_CA_BUNDLE=${file}`;
}
