// Finds the S3 endpoint and the keys: options, then the environment, then the profile of ~/.aws,
// then the local cluster whose data directory is DOLIUM_DATA (else ./data). Only where none of
// these names an endpoint is it Amazon's. Secrets are never printed.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { type OptionTable, UsageError } from "../command-line.ts";
import { knownRootCredentials } from "../credentials.ts";
import { readPlan } from "../dev/cluster-file.ts";
import { localUrl, trustFiles } from "../dev/local-address.ts";
import { type AwsProfile, readProfile } from "./aws-profile.ts";
import { shown } from "./shown-text.ts";

export const CONNECTION_OPTIONS = {
  endpoint: { kind: "text", value: "URL", help: "S3 endpoint (AWS_ENDPOINT_URL_S3)" },
  region: { kind: "text", value: "NAME", help: "region (AWS_REGION, else us-east-1)" },
  profile: { kind: "text", value: "NAME", help: "profile of ~/.aws (AWS_PROFILE)" },
  "no-sign-request": { kind: "flag", help: "send requests without keys" },
} as const satisfies OptionTable;

export interface ConnectionOptions {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly "no-sign-request"?: boolean;
}

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Where requests go, before any SDK is loaded. */
export interface ConnectionPlan {
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly pathStyle: boolean;
  /** Given for a local cluster; otherwise the SDK finds them. */
  readonly keys: Keys | undefined;
  readonly profile: string | undefined;
  readonly anonymous: boolean;
  /** Certificate of a local cluster, to be trusted. */
  readonly certificateFile?: string | undefined;
}

export interface Connection extends ConnectionPlan {
  readonly s3: S3Client;
  /** The keys that sign; throws where there are none. */
  readonly signingKeys: () => Promise<Keys>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const LOCAL_PORT = 9000;
const REGION_DEFAULT = "us-east-1";

/** Throws UsageError for an endpoint that is no http(s) URL and for a profile that is not there. */
export function planConnection(
  options: ConnectionOptions,
  environment: Environment,
): ConnectionPlan {
  const profileName = options.profile ?? set(environment.AWS_PROFILE);
  const profile = profileOf(environment, profileName ?? "default");
  if (profileName !== undefined && !profile.known) {
    throw new UsageError(`no profile "${shown(profileName)}" in ~/.aws/config or credentials`);
  }
  const named =
    options.endpoint ??
    set(environment.AWS_ENDPOINT_URL_S3) ??
    set(environment.AWS_ENDPOINT_URL) ??
    profile.endpoint;
  const local = localCluster(environment, named !== undefined);
  const region =
    options.region ??
    set(environment.AWS_REGION) ??
    set(environment.AWS_DEFAULT_REGION) ??
    profile.region ??
    REGION_DEFAULT;
  const useLocal = named === undefined && local !== undefined;
  const endpoint = useLocal ? local.endpoint : named;
  const chosen = set(environment.AWS_ACCESS_KEY_ID) !== undefined || profileName !== undefined;
  // The default profile is for elsewhere, unless it names an endpoint itself.
  const hasKeys = chosen || (!useLocal && profile.known);
  const localKeys = local !== undefined && (useLocal || isHere(endpoint, local.endpoint));
  return {
    endpoint: endpoint === undefined ? undefined : checkedEndpoint(endpoint),
    region,
    pathStyle: endpoint !== undefined && profile.addressing !== "virtual",
    keys: !hasKeys && localKeys ? knownRootCredentials(environment, local.dataDir) : undefined,
    profile: profileName,
    anonymous: options["no-sign-request"] === true,
    certificateFile: localKeys ? local.certificateFile : undefined,
  };
}

/** Opens the client; loads the SDK. `close` it by `s3.destroy()`. */
export async function openConnection(
  plan: ConnectionPlan,
  environment: Environment,
): Promise<Connection> {
  const withoutAny = plan.keys === undefined && !plan.anonymous && !mayHaveKeys(environment);
  if (withoutAny) throw new UsageError(`no keys: ${WHERE_KEYS_ARE_SOUGHT}`);
  trustFiles(set(environment.AWS_CA_BUNDLE), plan.certificateFile);
  const { s3ClientOf } = await import("./s3-client.ts");
  const config: S3ClientConfig = {
    region: plan.region,
    forcePathStyle: plan.pathStyle,
    maxAttempts: 4,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: 120_000,
      httpAgent: { keepAlive: true, maxSockets: 256 },
      httpsAgent: { keepAlive: true, maxSockets: 256 },
    },
    ...(plan.endpoint === undefined ? {} : { endpoint: plan.endpoint }),
    ...(plan.keys === undefined ? {} : { credentials: signing(plan.keys) }),
    ...(plan.profile === undefined ? {} : { profile: plan.profile }),
    ...(plan.anonymous ? { signer: { sign: async (request) => request } } : {}),
  };
  if (plan.anonymous) config.credentials = { accessKeyId: "anonymous", secretAccessKey: "none" };
  const s3 = s3ClientOf(config);
  askForChecksums(s3);
  return { ...plan, s3, signingKeys: async () => s3.config.credentials() };
}

const WHERE_KEYS_ARE_SOUGHT =
  "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name the data directory " +
  "of a local cluster in DOLIUM_DATA";

/**
 * Asks for the stored checksum of every body that is read. Set as a header and not as ChecksumMode,
 * which would make the SDK hash the body again, slowly.
 */
function askForChecksums(s3: S3Client): void {
  s3.middlewareStack.add(
    (next, context) => async (args) => {
      const { commandName } = context;
      const request: unknown = args.request;
      const reads = commandName === "GetObjectCommand" || commandName === "HeadObjectCommand";
      if (reads && hasHeaders(request)) request.headers["x-amz-checksum-mode"] = "ENABLED";
      return next(args);
    },
    { step: "build", name: "askForChecksums" },
  );
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === "object" && request !== null && "headers" in request;
}

function signing(keys: Keys): { accessKeyId: string; secretAccessKey: string } {
  return { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey };
}

/** Whether the SDK has anywhere to look besides the metadata service of a cloud machine. */
function mayHaveKeys(environment: Environment): boolean {
  const variables = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  ];
  if (variables.some((name) => set(environment[name]) !== undefined)) return true;
  return [configPath(environment), credentialsPath(environment)].some((path) => existsSync(path));
}

function checkedEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`the endpoint "${shown(text)}" is no http or https URL`);
  }
  return text.replace(/\/+$/, "");
}

/** The same port on this machine under any of its usual names. */
function isHere(endpoint: string | undefined, local: string): boolean {
  if (endpoint === undefined || !URL.canParse(endpoint)) return false;
  const [given, own] = [new URL(endpoint), new URL(local)];
  const names = ["127.0.0.1", "localhost", "[::1]"];
  return given.port === own.port && names.includes(given.hostname);
}

interface LocalCluster {
  readonly endpoint: string;
  readonly dataDir: string;
  readonly certificateFile: string | undefined;
}

/**
 * The local cluster of DOLIUM_DATA, else of ./data; undefined when there is none. Throws UsageError
 * when DOLIUM_DATA, by which alone the endpoint is known, holds none; with another endpoint it may
 * be anything, as in the image, where it is the folder of servers.
 */
function localCluster(environment: Environment, hasEndpoint: boolean): LocalCluster | undefined {
  const dataDir = resolve(set(environment.DOLIUM_DATA) ?? "data");
  const plan = readPlan(dataDir);
  if (plan === undefined) {
    if (hasEndpoint || set(environment.DOLIUM_DATA) === undefined) return undefined;
    throw new UsageError(`DOLIUM_DATA: ${shown(dataDir)} holds no cluster`);
  }
  const planned = plan.processes.find(({ role, s3Port }) => role === "gateway" && s3Port > 0);
  const known = planned?.s3Port ?? plan.s3Port;
  const port = known ?? Number(set(environment.DOLIUM_S3_PORT) ?? LOCAL_PORT);
  return {
    endpoint: localUrl(plan, port),
    dataDir,
    certificateFile: plan.certificateFile,
  };
}

function profileOf(environment: Environment, name: string): AwsProfile {
  const [config, credentials] = [configPath(environment), credentialsPath(environment)];
  return readProfile(textOf(config), textOf(credentials), name);
}

function configPath(environment: Environment): string {
  return set(environment.AWS_CONFIG_FILE) ?? join(homedir(), ".aws", "config");
}

function credentialsPath(environment: Environment): string {
  return set(environment.AWS_SHARED_CREDENTIALS_FILE) ?? join(homedir(), ".aws", "credentials");
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function set(value: string | undefined): string | undefined {
  return value === "" ? undefined : value;
}
