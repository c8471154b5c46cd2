// Secrets of a local cluster: root keys from the environment, or generated once and kept in the
// data directory with mode 0600; the cluster secret that services show each other.
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./command-line.ts";

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
const SECRET_FILE = "cluster-secret";
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

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

/** Files that every directory of a single server keeps a copy of. */
export const SHARED_FILES: readonly string[] = [CREDENTIALS_FILE, SECRET_FILE, "cluster.json"];

export function clusterSecretOf(path: string): string {
  return readFileSync(path, "utf8").trim();
}

/** Path of the file with the secret that the cluster's services share; made on first use. */
export function clusterSecretFile(dataDir: string): string {
  const path = join(dataDir, SECRET_FILE);
  if (!existsSync(path)) writePrivate(path, randomBytes(32).toString("hex"));
  return path;
}

function fromEnvironment(environment: Environment, name: string): string | undefined {
  for (const prefix of ["DOLIUM_", "MINIO_"]) {
    const value = environment[`${prefix}${name}`];
    if (value !== undefined && value !== "") return value;
    const file = environment[`${prefix}${name}_FILE`];
    if (file !== undefined && file !== "") return readFileSync(file, "utf8").trim();
  }
  return undefined;
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

function keptCredentials(dataDir: string): RootCredentials {
  const path = join(dataDir, CREDENTIALS_FILE);
  if (!existsSync(path)) {
    const accessKeyId = `DOL${[...randomBytes(17)].map((byte) => ALPHABET[byte % 32]).join("")}`;
    const secretAccessKey = randomBytes(30).toString("base64url");
    writePrivate(path, `${JSON.stringify({ accessKeyId, secretAccessKey })}\n`);
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

function writePrivate(path: string, text: string): void {
  const file = openSync(path, "wx", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
