// `dolium kms create|rotate|list|rewrap`: the named keys of a running cluster, for SSE-KMS, and
// what is left to do after a change of the cluster key. Needs the cluster key, since the keys are
// made here and leave this process sealed. Exit code 0 done, 1 failed, 5 when the cluster does not
// answer.
import process from "node:process";
import { StoreError, toStoreError } from "../../lib/base/errors.ts";
import { KmsDirectory } from "../../lib/clients/kms-directory.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { type RewrapReport, rewrapAll } from "../../lib/clients/rewrap-all.ts";
import type { KmsKeyRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createLog } from "../../lib/host/log.ts";
import { createRandom } from "../../lib/host/random.ts";
import type { ClusterKeys } from "../../lib/seal/cluster-keys.ts";
import { command, UsageError } from "../command-line.ts";
import { clusterKeysOf, keptClusterKey } from "../credentials.ts";
import {
  dataDirOf,
  METADATA_ACCESS_OPTIONS,
  type MetadataAccessOptions,
  type MetadataPlace,
  metadataPlaceOf,
  openTransport,
} from "../metadata-access.ts";
import { reportFailure } from "../output.ts";
import { readConfig } from "../read-config.ts";

const FAILED = 1;
const UNAVAILABLE = 5;

interface Options extends MetadataAccessOptions {
  readonly json?: boolean;
}

/** How to reach the cluster, and what seals its keys. */
interface Access extends MetadataPlace {
  readonly clusterKeys: ClusterKeys;
}

export const kmsCommand = command({
  name: "kms",
  summary: "Make, rotate and list the named keys of a running cluster; seal them anew.",
  positionals: "create NAME | rotate NAME | list | rewrap",
  options: {
    ...METADATA_ACCESS_OPTIONS,
    json: { kind: "flag", help: "print one JSON object" },
  },
  run: async ({ options, positionals }) => {
    const work = workOf(positionals);
    const { addresses, access, clusterKeys } = accessOf(options);
    const transport = openTransport(access);
    const ports = { clock: createClock(), random: createRandom() };
    const log = createLog({ level: "silent" });
    const metadata = new MetadataClient({ ...ports, transport, log }, { addresses });
    try {
      const kms = new KmsDirectory({ ...ports, metadata }, clusterKeys);
      const done = await work({ kms, rewrap: { metadata, random: ports.random, clusterKeys } });
      const isJson = options.json === true;
      if ("unopened" in done) {
        process.stdout.write(isJson ? `${JSON.stringify(done)}\n` : reportText(done));
        return done.unopened.length > 0 ? FAILED : 0;
      }
      process.stdout.write(isJson ? json(done) : table(done));
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

interface Session {
  readonly kms: KmsDirectory;
  readonly rewrap: Parameters<typeof rewrapAll>[0];
}

/** Throws UsageError. */
function workOf(
  positionals: readonly string[],
): (session: Session) => Promise<readonly KmsKeyRecord[] | RewrapReport> {
  const [verb, name, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`dolium kms takes no argument "${extra}"`);
  if (verb === "list" || verb === "rewrap") {
    if (name !== undefined) throw new UsageError(`dolium kms ${verb} takes no argument "${name}"`);
    return verb === "list" ? ({ kms }) => kms.list() : ({ rewrap }) => rewrapAll(rewrap);
  }
  if (verb !== "create" && verb !== "rotate") {
    throw new UsageError("dolium kms wants create NAME, rotate NAME, list or rewrap");
  }
  if (name === undefined) throw new UsageError(`dolium kms ${verb} wants the NAME of a key`);
  if (verb === "rotate") return async ({ kms }) => [await kms.rotate(name)];
  return async ({ kms }) => {
    // The store makes its own keys when it needs them.
    if (/^(?:aws|dolium)\//.test(name)) {
      throw new StoreError("invalid", "names that begin with aws/ or dolium/ are the store's own");
    }
    return [await kms.create(name)];
  };
}

/** From a configuration when one is named, else from a data directory. Throws UsageError. */
function accessOf(options: Options): Access {
  const place = metadataPlaceOf(options);
  if (options.config !== undefined) {
    return { ...place, clusterKeys: clusterKeysOf(readConfig(options.config)) };
  }
  const configured = clusterKeysOf(readConfig(undefined));
  const current = configured.current ?? keptClusterKey(dataDirOf(options));
  return { ...place, clusterKeys: { ...configured, current } };
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

function reportText({ namedKeys, secrets, unopened }: RewrapReport): string {
  const lines = [
    `${namedKeys} versions of named keys and ${secrets} secrets were sealed anew`,
    ...unopened.map((what) => `none of the configured cluster keys opens ${what}`),
  ];
  return `${lines.join("\n")}\n`;
}

function table(keys: readonly KmsKeyRecord[]): string {
  if (keys.length === 0) return "no keys\n";
  const lines = keys.map(shown).map(({ name, created, versions }) => {
    const last = versions.at(-1);
    return `${name.padEnd(24)} made ${created}, version ${last?.version} of ${last?.created}`;
  });
  return `${lines.join("\n")}\n`;
}
