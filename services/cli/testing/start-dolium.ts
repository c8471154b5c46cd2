// A whole Dolium inside this process, for tests of programs that use S3: nothing is spawned, and
// nothing but a port of loopback is opened. What is stored is as durable as in a server; with a
// folder of its own it is there again at the next start, without one it goes when it stops.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { toStoreError } from "../../lib/base/errors.ts";
import { createConfigLoader } from "../../lib/host/config.ts";
import { createLog } from "../../lib/host/log.ts";
import { startEmbedded } from "../compose/embedded.ts";
import { ConfigSchema } from "../config-schema.ts";
import { firstBuckets } from "../first-buckets.ts";
import { prepareFolder } from "../writable-folder.ts";

const LOOPBACK = "127.0.0.1";
const loadSettings = createConfigLoader(ConfigSchema);

export interface DoliumOptions {
  /** Keeps the data here; without it in a temporary folder that `stop` removes. */
  readonly dir?: string;
  /** Buckets that are there once it has started. */
  readonly buckets?: readonly string[];
  /** Of S3, on loopback; a free one when it is left out. */
  readonly port?: number;
  /** As in the environment, which is not read: `{ DOLIUM_S3__REGION: "eu-1" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Dolium {
  /** "http://127.0.0.1:40123" */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** `accessKeyId` and `secretAccessKey` in short. */
  readonly accessKey: string;
  readonly secretKey: string;
  /** Ends requests and closes everything; may be called again. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Close = () => Promise<void>;

/**
 * Resolves when S3 answers. Throws for settings with mistakes, names that no bucket may have and
 * folders that cannot be used; nothing is left open then.
 */
export async function startDolium(options: DoliumOptions = {}): Promise<Dolium> {
  const settings = { DOLIUM_LOG__LEVEL: "silent", ...options.settings };
  const loaded = loadSettings({ environment: settings });
  const { buckets } = firstBuckets({ DOLIUM_BUCKETS: (options.buckets ?? []).join(",") });
  const config = {
    ...loaded,
    s3: { ...loaded.s3, address: LOOPBACK },
    admin: { ...loaded.admin, enabled: false },
    ops: { ...loaded.ops, address: LOOPBACK, port: 0 },
    // One group of names is opened sooner than two; a folder keeps what it began with.
    cluster: { ...loaded.cluster, indexGroups: 1 },
  };
  const folder = await openFolder(options.dir);
  const closers: Close[] = [folder.close];
  const stop = once(() => closeAll(closers));
  try {
    const cluster = await startEmbedded({
      config,
      environment: settings,
      directories: [folder.path],
      s3Port: options.port ?? 0,
      firstBuckets: buckets,
      log: createLog({ level: config.log.level, fields: { service: "dolium" } }),
      onStop: (_name, close) => closers.push(close),
      fatal: (error) => {
        throw toStoreError(error, "internal");
      },
    });
    const { accessKeyId, secretAccessKey } = cluster.root;
    return {
      endpoint: `${config.s3.tls.certificateFile === "" ? "http" : "https"}://${cluster.s3Address}`,
      region: config.s3.region,
      ...{ accessKeyId, secretAccessKey, accessKey: accessKeyId, secretKey: secretAccessKey },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openFolder(dir: string | undefined): Promise<{ path: string; close: Close }> {
  if (dir !== undefined) {
    const path = resolve(dir);
    prepareFolder(path);
    return { path, close: async () => undefined };
  }
  const path = await mkdtemp(join(tmpdir(), "dolium-"));
  return { path, close: () => rm(path, { recursive: true, force: true }) };
}

function once(work: Close): Close {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

/** In reverse order of opening, all of them; throws what the first failing one threw. */
async function closeAll(closers: readonly Close[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.toReversed()) await close().catch((error) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
