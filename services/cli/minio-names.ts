// What MinIO's command line and environment call things, so that what starts MinIO starts a server
// of ours unchanged. Names of ours go before; values are checked where the settings are.
import { UsageError } from "./command-line.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** MinIO's variables, older names last, by those of ours that mean the same. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  DOLIUM_S3__REGION: ["MINIO_REGION", "MINIO_SITE_REGION", "MINIO_REGION_NAME"],
  DOLIUM_S3__DOMAINS: ["MINIO_DOMAIN"],
};

/** The environment with MinIO's settings under the names of ours. */
export function withMinioSettings(environment: Environment): Environment {
  const result: Record<string, string | undefined> = { ...environment };
  for (const [ours, others] of Object.entries(SETTINGS)) {
    if ((environment[ours] ?? "") !== "") continue;
    const name = others.find((other) => (environment[other] ?? "") !== "");
    if (name !== undefined) result[ours] = environment[name];
  }
  return result;
}

/** A line for people that names the variables of MinIO's that count; undefined: none does. */
export function minioNotice(environment: Environment): string | undefined {
  const names = [...Object.values(SETTINGS).flat(), "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"];
  const found = names.filter((name) => (environment[name] ?? "") !== "");
  return found.length === 0 ? undefined : `Taken from MinIO's environment: ${found.join(", ")}`;
}

const ELLIPSIS = /\{([0-9]{1,9})\.\.\.([0-9]{1,9})\}/;
const DIRECTORIES_MAX = 256;

/**
 * `/data{1...4}` is /data1 to /data4, `{01...12}` keeps its zeros, several multiply. Throws
 * UsageError for other nodes (`http://node{1...4}/data`) and for more than 256 directories.
 */
export function expandDirectories(words: readonly string[]): string[] {
  const remote = words.find((word) => /^https?:\/\//.test(word));
  if (remote !== undefined) {
    throw new UsageError(
      `${remote} names another machine: a server runs everything in one process; a cluster is made of roles (docs/deploy.md)`,
    );
  }
  const directories = words.flatMap((word) => expand(word));
  if (directories.length > DIRECTORIES_MAX) {
    throw new UsageError(`${directories.length} directories: ${DIRECTORIES_MAX} are the most`);
  }
  return directories;
}

function expand(word: string): string[] {
  const found = ELLIPSIS.exec(word);
  if (found === null) return [word];
  const [whole, from = "", to = ""] = found;
  const count = Number(to) - Number(from) + 1;
  if (count < 1 || count > DIRECTORIES_MAX) {
    throw new UsageError(`${word}: ${whole} is no range of 1 to ${DIRECTORIES_MAX} directories`);
  }
  const width = from.startsWith("0") ? from.length : 0;
  return Array.from({ length: count }, (_, at) => {
    const number = String(Number(from) + at).padStart(width, "0");
    return word.replace(whole, number);
  }).flatMap((path) => expand(path));
}

export interface ListenAddress {
  /** "" for every address of the machine. */
  readonly host: string;
  readonly port: number;
}

/** ":9000", "127.0.0.1:9000" or "[::1]:9000". Throws UsageError. */
export function listenAddress(option: string, text: string): ListenAddress {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:\s]*):([0-9]{1,5})$/.exec(text);
  const port = Number(found?.[2] ?? Number.NaN);
  if (found === null || !(port <= 65_535)) {
    throw new UsageError(`--${option} wants HOST:PORT or :PORT, not "${text}"`);
  }
  return { host: (found[1] ?? "").replace(/^\[(.*)\]$/, "$1"), port };
}
