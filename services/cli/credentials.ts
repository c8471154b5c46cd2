// Secrets of a local cluster: root keys from the environment, or generated once and kept in the
// data directory with mode 0600; the cluster secret that services show each other. Keys that the
// environment gave stand in the data directory (mode 0600) while the cluster runs, and no longer.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { base32 } from "../lib/base/base32.ts";
import { isStoreError } from "../lib/base/errors.ts";
import { parseClusterKey } from "../lib/seal/cluster-key.ts";
import type { ClusterKeys } from "../lib/seal/cluster-keys.ts";
import { UsageError } from "./command-line.ts";
import type { Config } from "./config-schema.ts";
import { writeDurably } from "./durable-file.ts";

export interface RootCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Where they came from, for people. */
  readonly source: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PASSWORD_CHARACTERS_MIN = 8;
const USER_CHARACTERS_MIN = 3;
const CREDENTIALS_FILE = "root-credentials.json";
const RUNNING_FILE = "running-root-credentials.json";
const SECRET_FILE = "cluster-secret";
const CLUSTER_KEY_FILE = "cluster-key";
const CLUSTER_KEY_BYTES = 32;
/** Of the access key, behind its first three letters. */
const ACCESS_KEY_BYTES = 11;
const ACCESS_KEY_CHARACTERS = 20;

/** Root keys of a process that can do without them; undefined when none are in the environment. */
export function givenRootCredentials(environment: Environment): RootCredentials | undefined {
  const isGiven = fromEnvironment(environment, "ROOT_USER") !== undefined;
  return isGiven ? requiredRootCredentials(environment) : undefined;
}

/** Root keys of a process that keeps none itself: they must be in the environment. */
export function requiredRootCredentials(environment: Environment): RootCredentials {
  const user = fromEnvironment(environment, "ROOT_USER");
  const password = fromEnvironment(environment, "ROOT_PASSWORD");
  if (user === undefined || password === undefined) {
    throw new UsageError("set DOLIUM_ROOT_USER and DOLIUM_ROOT_PASSWORD (or their _FILE forms)");
  }
  return checked({ accessKeyId: user, secretAccessKey: password, source: "environment" });
}

/**
 * DOLIUM_ROOT_USER and DOLIUM_ROOT_PASSWORD (or their _FILE forms, or MinIO's names), else the kept
 * ones.
 */
export function rootCredentials(environment: Environment, dataDir: string): RootCredentials {
  const user = fromEnvironment(environment, "ROOT_USER");
  const password = fromEnvironment(environment, "ROOT_PASSWORD");
  if (user === undefined && password === undefined) return keptCredentials(dataDir);
  if (user === undefined || password === undefined) {
    throw new UsageError("set both DOLIUM_ROOT_USER and DOLIUM_ROOT_PASSWORD, or neither");
  }
  return checked({ accessKeyId: user, secretAccessKey: password, source: "environment" });
}

/**
 * Root keys as far as a command can know them: those of the environment, else those of the process
 * that runs over the data directory, else those kept there; undefined when there are none. Makes
 * nothing. Throws UsageError for keys that are there and cannot be read.
 */
export function knownRootCredentials(
  environment: Environment,
  dataDir: string,
): RootCredentials | undefined {
  if (Object.keys(rootVariables(environment)).length > 0) {
    return rootCredentials(environment, dataDir);
  }
  const running = join(dataDir, RUNNING_FILE);
  if (existsSync(running)) return runningCredentials(running);
  return existsSync(join(dataDir, CREDENTIALS_FILE)) ? keptCredentials(dataDir) : undefined;
}

/**
 * Lets commands in other shells find the root keys that the environment gave to the cluster that
 * now runs over the data directory; a key that came as a file stays where it is. To be undone with
 * `forgetRunning` when it stops; what a killed one left is put right by the next.
 */
export function rememberRunning(environment: Environment, dataDir: string): void {
  const variables = rootVariables(environment);
  if (Object.keys(variables).length === 0) forgetRunning(dataDir);
  else writeDurably(join(dataDir, RUNNING_FILE), `${JSON.stringify(variables)}\n`);
}

export function forgetRunning(dataDir: string): void {
  rmSync(join(dataDir, RUNNING_FILE), { force: true });
}

/** Files that every directory of a single server keeps a copy of. */
export const SHARED_FILES: readonly string[] = [
  CREDENTIALS_FILE,
  SECRET_FILE,
  CLUSTER_KEY_FILE,
  "cluster.json",
];

export function clusterSecretOf(path: string): string {
  return readFileSync(path, "utf8").trim();
}

/** Path of the file with the secret that the cluster's services share; made on first use. */
export function clusterSecretFile(dataDir: string): string {
  const path = join(dataDir, SECRET_FILE);
  if (!existsSync(path)) writeDurably(path, randomBytes(32).toString("hex"));
  return path;
}

/**
 * Path of the file with the key that seals the keys of encrypted objects; made on first use.
 * Whoever loses it loses every object that is encrypted with the cluster's own keys.
 */
export function clusterKeyFile(dataDir: string): string {
  const path = join(dataDir, CLUSTER_KEY_FILE);
  if (!existsSync(path))
    writeDurably(path, `${randomBytes(CLUSTER_KEY_BYTES).toString("base64")}\n`);
  return path;
}

/** The configured cluster key; undefined when there is none. Throws UsageError. */
export function clusterKeyOf({ encryption }: Config): Uint8Array | undefined {
  return checkedClusterKey(encryption.clusterKey, "encryption.clusterKey");
}

/** The configured cluster key and those before it. Throws UsageError. */
export function clusterKeysOf(config: Config): ClusterKeys {
  return { current: clusterKeyOf(config), former: formerClusterKeysOf(config) };
}

/** As `clusterKeysOf`; without a configured one the key of the data directory is current. */
export function localClusterKeys(config: Config, dataDir: string): ClusterKeys {
  return { current: localClusterKey(config, dataDir), former: formerClusterKeysOf(config) };
}

function formerClusterKeysOf({ encryption }: Config): Uint8Array[] {
  const texts = encryption.formerClusterKeys.split(",");
  return texts.flatMap((text) => checkedClusterKey(text, "encryption.formerClusterKeys") ?? []);
}

/** The configured cluster key, else the one kept in the data directory. Throws UsageError. */
export function localClusterKey(config: Config, dataDir: string): Uint8Array | undefined {
  const configured = clusterKeyOf(config);
  if (configured !== undefined) return configured;
  clusterKeyFile(dataDir);
  return keptClusterKey(dataDir);
}

/** The key that a local cluster keeps in its data directory, if it does. Throws UsageError. */
export function keptClusterKey(dataDir: string): Uint8Array | undefined {
  const path = join(dataDir, CLUSTER_KEY_FILE);
  if (!existsSync(path)) return undefined;
  const key = checkedClusterKey(readFileSync(path, "utf8"), path);
  if (key === undefined) throw new UsageError(`${path} is empty: put the cluster key back into it`);
  return key;
}

function checkedClusterKey(text: string, source: string): Uint8Array | undefined {
  try {
    return parseClusterKey(text);
  } catch (error) {
    if (!isStoreError(error, "invalid")) throw error;
    throw new UsageError(`${source}: ${error.message}`, { cause: error });
  }
}

/** What tells the processes of a local cluster its key; nothing where the operator set one. */
export function clusterKeyVariables(
  environment: Environment,
  dataDir: string,
): Readonly<Record<string, string>> {
  const name = "DOLIUM_ENCRYPTION__CLUSTER_KEY";
  const isSet = [name, `${name}_FILE`].some((variable) => (environment[variable] ?? "") !== "");
  return isSet ? {} : { [`${name}_FILE`]: clusterKeyFile(dataDir) };
}

const ROOT_PREFIXES = ["DOLIUM_", "MINIO_"];

function fromEnvironment(environment: Environment, name: string): string | undefined {
  for (const prefix of ROOT_PREFIXES) {
    const value = environment[`${prefix}${name}`];
    if (value !== undefined && value !== "") return value;
    const file = environment[`${prefix}${name}_FILE`];
    if (file !== undefined && file !== "") return readFileSync(file, "utf8").trim();
  }
  return undefined;
}

/** The variables of root keys that are set, with the paths of files made absolute. */
function rootVariables(environment: Environment): Readonly<Record<string, string>> {
  const names = ROOT_PREFIXES.flatMap((prefix) =>
    ["ROOT_USER", "ROOT_PASSWORD"].flatMap((name) => [`${prefix}${name}`, `${prefix}${name}_FILE`]),
  );
  const set = names.flatMap((name) => {
    const value = environment[name] ?? "";
    if (value === "") return [];
    return [[name, name.endsWith("_FILE") ? resolve(value) : value] as const];
  });
  return Object.fromEntries(set);
}

function runningCredentials(path: string): RootCredentials {
  try {
    const variables: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof variables !== "object" || variables === null) throw new Error("it is no object");
    const texts = Object.entries(variables).map(([name, value]) => [name, String(value)]);
    return { ...requiredRootCredentials(Object.fromEntries(texts)), source: path };
  } catch (error) {
    // Of a file's text that is no JSON the parser's message would show a part.
    const reason = error instanceof SyntaxError ? "it is no JSON" : String(error);
    throw new UsageError(
      `the root keys of the running cluster cannot be read by ${path} (${reason}): set ` +
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
}

function checked(credentials: RootCredentials): RootCredentials {
  if (credentials.accessKeyId.length < USER_CHARACTERS_MIN) {
    throw new UsageError(`DOLIUM_ROOT_USER needs ${USER_CHARACTERS_MIN} characters or more`);
  }
  if (/[\s/,=]/.test(credentials.accessKeyId)) {
    throw new UsageError("DOLIUM_ROOT_USER must not contain white space, '/', ',' or '='");
  }
  if (credentials.secretAccessKey.length < PASSWORD_CHARACTERS_MIN) {
    throw new UsageError(
      `DOLIUM_ROOT_PASSWORD needs ${PASSWORD_CHARACTERS_MIN} characters or more`,
    );
  }
  return credentials;
}

/** Twenty letters and digits. */
export function newAccessKeyId(): string {
  const drawn = `DOL${base32(randomBytes(ACCESS_KEY_BYTES))}`;
  return drawn.slice(0, ACCESS_KEY_CHARACTERS);
}

/** Forty characters of base64url. */
export function newSecretAccessKey(): string {
  return randomBytes(30).toString("base64url");
}

function keptCredentials(dataDir: string): RootCredentials {
  const path = join(dataDir, CREDENTIALS_FILE);
  if (!existsSync(path)) {
    const accessKeyId = newAccessKeyId();
    const secretAccessKey = newSecretAccessKey();
    writeDurably(path, `${JSON.stringify({ accessKeyId, secretAccessKey })}\n`);
  }
  const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (typeof parsed !== "object" || parsed === null)
    throw new UsageError(`${path} is not readable`);
  const { accessKeyId, secretAccessKey } = parsed as Record<string, unknown>;
  if (typeof accessKeyId !== "string" || typeof secretAccessKey !== "string") {
    throw new UsageError(`${path} lacks accessKeyId or secretAccessKey`);
  }
  return checked({ accessKeyId, secretAccessKey, source: path });
}
