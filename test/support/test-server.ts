// One `dolium server` process over temporary directories, for tests of the S3 surface.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalCluster } from "./local-cluster.ts";

export interface TestServer {
  readonly endpoint: string;
  /** Console and admin API on a port of their own; empty: there is none. */
  readonly adminUrl: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  stop(): Promise<void>;
}

/** Two data shards and one of parity, three metadata replicas: every kind of work, none often. */
const DIRECTORIES = 3;

export async function startServer(
  environment: Readonly<Record<string, string>> = {},
  count = DIRECTORIES,
): Promise<TestServer> {
  const root = mkdtempSync(join(tmpdir(), "dolium-server-"));
  const directories = Array.from({ length: count }, (_, at) => join(root, `disk-${at + 1}`));
  const cluster = await LocalCluster.start({
    args: ["server", ...directories],
    dataDir: root,
    environment,
  });
  const { endpoints, adminUrl = "", accessKeyId, secretAccessKey, region } = cluster.ready;
  return {
    endpoint: endpoints[0] ?? "",
    adminUrl,
    accessKeyId,
    secretAccessKey,
    region,
    stop: async () => {
      await cluster.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
