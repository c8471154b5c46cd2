// `dolium kms create|rotate|list`: the named keys of a running cluster, for SSE-KMS. Needs the
// cluster key, since the keys are made here and leave this process sealed. Exit code 0 done, 1
// failed, 5 when the cluster does not answer.
import { resolve } from "node:path";
import process from "node:process";
import { StoreError, toStoreError } from "../../lib/base/errors.ts";
import { KmsDirectory } from "../../lib/clients/kms-directory.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import type { KmsKeyRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createGrpcTransport } from "../../lib/host/grpc-transport.ts";
import { createLog } from "../../lib/host/log.ts";
import { createRandom } from "../../lib/host/random.ts";
import { soleClusterKey } from "../../lib/seal/cluster-keys.ts";
import { command, UsageError } from "../command-line.ts";
import {
  clusterKeyOf,
  clusterSecretFile,
  clusterSecretOf,
  keptClusterKey,
} from "../credentials.ts";
import { readPlan } from "../dev/cluster-file.ts";
import { reportFailure } from "../output.ts";
import { readConfig } from "../read-config.ts";

const FAILED = 1;
const UNAVAILABLE = 5;

interface Options {
  readonly data?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** How to reach the cluster, and the key that seals its keys. */
interface Access {
  readonly addresses: readonly string[];
  readonly clusterSecret: string;
  readonly clusterKey: Uint8Array | undefined;
}

export const kmsCommand = command({
  name: "kms",
  summary: "Make, rotate and list the named keys of a running cluster.",
  positionals: "create NAME | rotate NAME | list",
  options: {
    data: { kind: "text", value: "DIR", help: "data directory (DOLIUM_DATA, else ./data)" },
    config: {
      kind: "text",
      value: "FILE",
      help: "configuration (JSON) of a process of the cluster, instead of a data directory",
    },
    json: { kind: "flag", help: "print one JSON object" },
  },
  run: async ({ options, positionals }) => {
    const work = workOf(positionals);
    const { addresses, clusterSecret, clusterKey } = accessOf(options);
    const transport = createGrpcTransport({ clusterSecret });
    const ports = { clock: createClock(), random: createRandom() };
    const log = createLog({ level: "silent" });
    const metadata = new MetadataClient({ ...ports, transport, log }, { addresses });
    try {
      const keys = await work(new KmsDirectory({ ...ports, metadata }, soleClusterKey(clusterKey)));
      process.stdout.write(options.json === true ? json(keys) : table(keys));
      return 0;
    } catch (thrown) {
      const { code, message } = toStoreError(thrown);
      reportFailure(options.json === true, message, code);
      return code === "unavailable" || code === "timeout" ? UNAVAILABLE : FAILED;
    } finally {
      await transport.close();
    }
  },
});

/** Throws UsageError. */
function workOf(
  positionals: readonly string[],
): (kms: KmsDirectory) => Promise<readonly KmsKeyRecord[]> {
  const [verb, name, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`dolium kms takes no argument "${extra}"`);
  if (verb === "list" && name === undefined) return (kms) => kms.list();
  if (verb === "list") throw new UsageError(`dolium kms list takes no argument "${name}"`);
  if (verb !== "create" && verb !== "rotate") {
    throw new UsageError("dolium kms wants create NAME, rotate NAME or list");
  }
  if (name === undefined) throw new UsageError(`dolium kms ${verb} wants the NAME of a key`);
  if (verb === "rotate") return async (kms) => [await kms.rotate(name)];
  return async (kms) => {
    // The store makes its own keys when it needs them.
    if (/^(?:aws|dolium)\//.test(name)) {
      throw new StoreError("invalid", "names that begin with aws/ or dolium/ are the store's own");
    }
    return [await kms.create(name)];
  };
}

/** From a configuration when one is named, else from a data directory. Throws UsageError. */
function accessOf(options: Options): Access {
  if (options.config !== undefined) {
    const config = readConfig(options.config);
    const addresses = config.cluster.metadata.map(({ address }) => address);
    if (addresses.length === 0) throw new UsageError(`${options.config} names no metadata replica`);
    const clusterKey = clusterKeyOf(config);
    return { addresses, clusterSecret: config.cluster.secret, clusterKey };
  }
  const dataDir = resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
  const plan = readPlan(dataDir);
  if (plan === undefined) {
    throw new UsageError(`${dataDir} holds no cluster: name its data directory with --data`);
  }
  const addresses = plan.processes
    .filter((planned) => planned.role === "metadata")
    .map((planned) => `127.0.0.1:${planned.rpcPort}`);
  const clusterKey = clusterKeyOf(readConfig(undefined)) ?? keptClusterKey(dataDir);
  return { addresses, clusterSecret: clusterSecretOf(clusterSecretFile(dataDir)), clusterKey };
}

function shown({ name, createdMs, versions }: KmsKeyRecord): {
  readonly name: string;
  readonly created: string;
  readonly versions: readonly { readonly version: number; readonly created: string }[];
} {
  const date = (ms: bigint): string => new Date(Number(ms)).toISOString();
  return {
    name,
    created: date(createdMs),
    versions: versions.map((one) => ({ version: one.version, created: date(one.createdMs) })),
  };
}

function json(keys: readonly KmsKeyRecord[]): string {
  return `${JSON.stringify({ keys: keys.map(shown) })}\n`;
}

function table(keys: readonly KmsKeyRecord[]): string {
  if (keys.length === 0) return "no keys\n";
  const lines = keys.map(shown).map(({ name, created, versions }) => {
    const last = versions.at(-1);
    return `${name.padEnd(24)} made ${created}, version ${last?.version} of ${last?.created}`;
  });
  return `${lines.join("\n")}\n`;
}
