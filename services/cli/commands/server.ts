// `dolium server DIR...`: everything in one process over one or more directories, erasure-coded
// over six, plain over one.
import { resolve } from "node:path";
import process from "node:process";
import { createLog } from "../../lib/host/log.ts";
import { installProcessLife } from "../../lib/host/process.ts";
import { survivesText } from "../../lib/placement/survives.ts";
import { command, UsageError } from "../command-line.ts";
import { type EmbeddedCluster, startEmbedded } from "../compose/embedded.ts";
import type { Config } from "../config-schema.ts";
import { makeFolderDurably } from "../durable-file.ts";
import { firstBuckets } from "../first-buckets.ts";
import { createOutput, type Output } from "../output.ts";
import { readConfig } from "../read-config.ts";

const S3_PORT = 9000;

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
    const { buckets, notice } = firstBuckets(process.env);
    if (notice !== undefined) output.say(notice);
    const directories = prepareDirectories(positionals);
    const config = readConfig(options.config);
    const log = createLog({ level: config.log.level, fields: { service: "server" } });
    const life = installProcessLife({ log });
    const stopped = Promise.withResolvers<number>();
    life.onStop("process", async () => stopped.resolve(0));
    const port = options["s3-port"] ?? Number(process.env.DOLIUM_S3_PORT ?? S3_PORT);
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
    announce(output, cluster, { config, directories, port });
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
  return directories;
}

function announce(
  output: Output,
  cluster: EmbeddedCluster,
  facts: {
    readonly config: Config;
    readonly directories: readonly string[];
    readonly port: number;
  },
): void {
  const { config, directories, port } = facts;
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
  output.say(`
Dolium is ready: S3 at ${endpoint}, over ${directories.length} directories; ${sentence}.

  export AWS_ENDPOINT_URL=${endpoint}
  export AWS_ACCESS_KEY_ID=${root.accessKeyId}
  export AWS_SECRET_ACCESS_KEY=${root.secretAccessKey}

Keys come from: ${root.source}. Stop with Ctrl-C.`);
}
