// What the keeper's tasks need from outside.
import type { BodyReader, BodyReaderDeps } from "../lib/clients/body-reader.ts";
import type { BodyWriter } from "../lib/clients/body-writer.ts";
import type { BucketDirectory } from "../lib/clients/bucket-directory.ts";
import type { ClusterView } from "../lib/clients/cluster-view.ts";
import type { KmsDirectory } from "../lib/clients/kms-directory.ts";
import type { MetadataClient } from "../lib/clients/metadata-client.ts";
import type { HttpClient } from "../lib/ports/http.ts";
import type { HttpExchanger } from "../lib/ports/http-exchange.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { Random } from "../lib/ports/random.ts";
import type {
  AccessLogsConfig,
  KeeperConfig,
  LifecycleConfig,
  NotifyConfig,
  ReplicationConfig,
} from "./config.ts";

export type MetadataAccess = Pick<MetadataClient, "execute" | "query">;

export interface KeeperDeps extends Pick<BodyReaderDeps, "shards" | "erasure" | "clock"> {
  readonly view: ClusterView;
  readonly metadata: MetadataAccess;
  readonly buckets: Pick<BucketDirectory, "get" | "invalidate" | "groupOf" | "groupsOf">;
  readonly writer: Pick<BodyWriter, "write">;
  readonly reader: Pick<BodyReader, "read">;
  readonly kms: Pick<KmsDirectory, "forStore" | "forKms">;
  readonly http: HttpClient;
  readonly exchanger: HttpExchanger;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly config: KeeperConfig;
  readonly lifecycle: LifecycleConfig;
  /** Placement policies of storage classes, as gateways use them. */
  readonly storageClasses: Readonly<Record<string, string>>;
  readonly notify: NotifyConfig;
  readonly accessLogs: AccessLogsConfig;
  readonly replication: ReplicationConfig;
}
