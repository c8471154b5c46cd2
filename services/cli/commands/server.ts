// `dolium server DIR...`: everything in one process over one or more directories, erasure-coded
// over six, plain over one. It takes the command line of `minio server` too.
import { resolve } from "node:path";
import process from "node:process";
import { createLog } from "../../lib/host/log.ts";
import { installProcessLife } from "../../lib/host/process.ts";
import { survivesText } from "../../lib/placement/survives.ts";
import { command, UsageError } from "../command-line.ts";
import { type EmbeddedCluster, startEmbedded } from "../compose/embedded.ts";
import type { Config } from "../config-schema.ts";
import { firstBuckets } from "../first-buckets.ts";
import { expandDirectories, listenAddress, minioNotice } from "../minio-names.ts";
import { createOutput, type Output } from "../output.ts";
import { readConfig } from "../read-config.ts";
import { prepareFolder } from "../writable-folder.ts";

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
    address: { kind: "text", value: "HOST:PORT", help: "address of S3, as MinIO has it" },
    "console-address": {
      kind: "text",
      value: "HOST:PORT",
      help: "address of console and admin API, as MinIO has it",
    },
    config: {
      kind: "text",
      value: "FILE",
      help: "configuration (JSON); the environment goes before",
    },
    json: { kind: "flag", help: "print JSON lines" },
    quiet: { kind: "flag", short: "q", help: "print nothing but errors" },
    anonymous: { kind: "flag", help: "leave the keys out of what is printed" },
  },
  run: async ({ options, positionals }) => {
    const output = createOutput(options.json === true, options.quiet === true);
    const { buckets, notice } = firstBuckets(process.env);
    for (const line of [notice, minioNotice(process.env)]) if (line) output.say(line);
    const directories = prepareDirectories(positionals);
    const { config, port } = withAddresses(readConfig(options.config), options);
    const log = createLog({ level: config.log.level, fields: { service: "server" } });
    const life = installProcessLife({ log });
    const stopped = Promise.withResolvers<number>();
    life.onStop("process", async () => stopped.resolve(0));
    const cluster = await startEmbedded({
      config,
      directories,
      s3Port: port,
      firstBuckets: buckets,
      log,
      onStop: (name, close) => life.onStop(name, close),
      fatal: (error) => {
        log.error("the metadata of this process cannot go on", error);
        process.exit(1);
      },
    });
    const isAnonymous = options.anonymous === true;
    announce(output, cluster, { config, directories, port, isAnonymous });
    return stopped.promise;
  },
});

/** Absolute, there, and each named once. */
function prepareDirectories(positionals: readonly string[]): string[] {
  const volumes = process.env.MINIO_VOLUMES ?? "";
  const named = positionals.length > 0 ? positionals : volumes.split(/\s+/).filter(Boolean);
  if (named.length === 0) throw new UsageError("dolium server needs a directory");
  const directories = expandDirectories(named).map((path) => resolve(path));
  if (new Set(directories).size < directories.length) {
    throw new UsageError("dolium server: a directory is named twice");
  }
  for (const path of directories) prepareFolder(path);
  return directories;
}

interface AddressOptions {
  readonly "s3-port"?: number;
  readonly address?: string;
  readonly "console-address"?: string;
}

/** The settings with the addresses of the command line in them. Throws UsageError. */
function withAddresses(config: Config, options: AddressOptions): { config: Config; port: number } {
  const { address, "console-address": consoleAddress } = options;
  const s3 = address === undefined ? undefined : listenAddress("address", address);
  const variable = process.env.DOLIUM_S3_PORT;
  const fromVariable = variable === undefined ? config.s3.port : Number(variable);
  const port = options["s3-port"] ?? s3?.port ?? fromVariable;
  const changed = { ...config, s3: { ...config.s3, address: s3?.host || config.s3.address } };
  if (consoleAddress === undefined) return { config: changed, port };
  const at = listenAddress("console-address", consoleAddress);
  // Without a host the settings say where it is open to: on the network only as they allow.
  const held = config.admin.address.slice(0, config.admin.address.lastIndexOf(":"));
  const host = at.host === "" ? held : at.host.includes(":") ? `[${at.host}]` : at.host;
  const admin = { ...config.admin, address: `${host}:${at.port}` };
  return { config: { ...changed, admin }, port };
}

function announce(
  output: Output,
  cluster: EmbeddedCluster,
  facts: {
    readonly config: Config;
    readonly directories: readonly string[];
    readonly port: number;
    readonly isAnonymous: boolean;
  },
): void {
  const { config, directories, port, isAnonymous } = facts;
  const { root, clients, adminUrl } = cluster;
  const scheme = config.s3.tls.certificateFile === "" ? "http" : "https";
  const endpoint = `${scheme}://127.0.0.1:${port}`;
  const { view } = clients;
  const { sentence } = survivesText(view.policy(view.defaultPolicy()), view.map());
  output.event({
    event: "ready",
    endpoints: [endpoint],
    accessKeyId: root.accessKeyId,
    secretAccessKey: root.secretAccessKey,
    region: config.s3.region,
    survives: sentence,
    adminUrl,
    processes: [{ name: "server", role: "server", pid: process.pid, dir: directories[0] ?? "" }],
  });
  const keys = `
  export AWS_ACCESS_KEY_ID=${root.accessKeyId}
  export AWS_SECRET_ACCESS_KEY=${root.secretAccessKey}`;
  output.say(`
Dolium is ready: S3 at ${endpoint}, over ${directories.length} directories; ${sentence}.

  export AWS_ENDPOINT_URL=${endpoint}${isAnonymous ? "" : keys}

Keys come from: ${root.source}. Stop with Ctrl-C.`);
}
