// What the keeper's tasks need from outside.
import type { BodyReaderDeps } from "../lib/clients/body-reader.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import type { KeeperConfig } from "./config.ts";

export interface KeeperDeps extends Pick<BodyReaderDeps, "view" | "shards" | "erasure" | "clock"> {
  readonly metadata: MetadataClient;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly config: KeeperConfig;
}
