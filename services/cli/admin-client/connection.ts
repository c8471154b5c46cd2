// Finds the admin API and the keys: --admin-url, DOLIUM_ADMIN_URL, else the running local cluster
// whose data directory is DOLIUM_DATA (else ./data); AWS_ACCESS_KEY_ID and so on, a profile of
// ~/.aws, else the root keys of that data directory. Secrets are never printed.
import { resolve } from "node:path";
import { UsageError } from "../command-line.ts";
import { knownRootCredentials } from "../credentials.ts";
import { type ClusterPlan, readPlan } from "../dev/cluster-file.ts";
import { trustFiles } from "../dev/local-address.ts";
import { type Keys, openConnection, planConnection } from "../objects/connection.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface AdminConnection {
  /** Without a slash at its end: "http://127.0.0.1:9001". */
  readonly url: string;
  /** Path of the API: "/api/v1" unless said otherwise. */
  readonly base?: string;
  readonly keys: Keys;
}

export interface AdminConnectionOptions {
  readonly "admin-url"?: string | undefined;
  readonly data?: string | undefined;
}

/** Throws UsageError when no address or no keys can be found. */
export async function adminConnection(
  options: AdminConnectionOptions,
  environment: Environment,
): Promise<AdminConnection> {
  const dataDir = resolve(options.data ?? set(environment.DOLIUM_DATA) ?? "data");
  const named = options["admin-url"] ?? set(environment.DOLIUM_ADMIN_URL);
  const local = named === undefined ? localPlan(dataDir) : undefined;
  trustFiles(set(environment.AWS_CA_BUNDLE), local?.certificateFile);
  const url = named ?? local?.adminUrl ?? "";
  return { url: checkedUrl(url), keys: await keysOf(environment, dataDir) };
}

function localPlan(dataDir: string): ClusterPlan {
  const plan = readPlan(dataDir);
  if (plan?.adminUrl !== undefined) return plan;
  const where = plan === undefined ? "holds no cluster" : "holds a cluster without an admin port";
  throw new UsageError(
    `${dataDir} ${where}: set DOLIUM_ADMIN_URL, or name the data directory of a running cluster ` +
      "in DOLIUM_DATA",
  );
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`the admin address "${text}" is no http or https URL`);
  }
  return text.replace(/\/+$/, "");
}

async function keysOf(environment: Environment, dataDir: string): Promise<Keys> {
  const accessKeyId = set(environment.AWS_ACCESS_KEY_ID);
  const secretAccessKey = set(environment.AWS_SECRET_ACCESS_KEY);
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const sessionToken = set(environment.AWS_SESSION_TOKEN);
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const hasProfile = set(environment.AWS_PROFILE) !== undefined;
  const root = hasProfile ? undefined : knownRootCredentials(environment, dataDir);
  if (root !== undefined) return root;
  // The SDK knows every other place; it is loaded for that only.
  const connection = await openConnection(planConnection({}, environment), environment);
  try {
    return await connection.signingKeys();
  } finally {
    connection.s3.destroy();
  }
}

function set(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
