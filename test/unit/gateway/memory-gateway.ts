// A real gateway on a real port, over metadata and bodies in memory: what the gateway does alone is
// tested with real HTTP, and failures of the rest are played by the doubles.

import type { AdminOptions } from "../../../services/gateway/admin/admin.ts";
import type { S3Settings } from "../../../services/gateway/config.ts";
import type { PeopleDirectory } from "../../../services/gateway/data/access/people.ts";
import type {
  Credential,
  GatewayDependencies,
  MetadataAccess,
} from "../../../services/gateway/dependencies.ts";
import type { Authorizer } from "../../../services/gateway/plugins/authorization.ts";
import { type RunningGateway, startGateway } from "../../../services/gateway/server.ts";
import { BucketDirectory } from "../../../services/lib/clients/bucket-directory.ts";
import { KmsDirectory } from "../../../services/lib/clients/kms-directory.ts";
import type { MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { Log, LogFields } from "../../../services/lib/ports/log.ts";
import type { Labels, Metrics } from "../../../services/lib/ports/metrics.ts";
import { soleClusterKey } from "../../../services/lib/seal/cluster-keys.ts";
import { MemoryBodies } from "./memory-bodies.ts";
import { MemoryMetadata } from "./memory-metadata.ts";
import { s3Settings } from "./s3-settings.ts";

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Lets tests wait for something that is reported, instead of looking again and again. */
class Waiters<T> {
  readonly #waiting = new Map<(value: T) => boolean, (value: T) => void>();

  next(wanted: (value: T) => boolean): Promise<T> {
    return new Promise((resolve) => this.#waiting.set(wanted, resolve));
  }

  tell(value: T): void {
    for (const [wanted, resolve] of this.#waiting) {
      if (!wanted(value)) continue;
      this.#waiting.delete(wanted);
      resolve(value);
    }
  }
}

export class MemoryLog implements Log {
  readonly lines: LogLine[];
  readonly #fields: LogFields;
  readonly #waiters: Waiters<LogLine>;

  constructor(
    lines: LogLine[] = [],
    fields: LogFields = {},
    waiters: Waiters<LogLine> = new Waiters(),
  ) {
    this.lines = lines;
    this.#fields = fields;
    this.#waiters = waiters;
  }

  /** The next line about a request that was served, for the object `key`. */
  nextRequest(key: string): Promise<LogLine> {
    return this.#waiters.next(({ message, fields }) => message === "request" && fields.key === key);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#add("debug", message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#add("info", message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#add("warn", message, fields);
  }

  error(message: string, error: unknown, fields: LogFields = {}): void {
    this.#add("error", message, { ...fields, error });
  }

  child(fields: LogFields): Log {
    return new MemoryLog(this.lines, { ...this.#fields, ...fields }, this.#waiters);
  }

  #add(level: string, message: string, fields: LogFields): void {
    const line = { level, message, fields: { ...this.#fields, ...fields } };
    this.lines.push(line);
    this.#waiters.tell(line);
  }
}

export class MemoryMetrics implements Metrics {
  readonly values = new Map<string, number>();
  readonly #waiters = new Waiters<readonly [series: string, value: number]>();

  /** Resolves when the gauge is next set to `value`. */
  async nextValue(series: string, value: number): Promise<void> {
    await this.#waiters.next((told) => told[0] === series && told[1] === value);
  }

  counter(name: string): { increment(labels?: Labels, amount?: number): void } {
    return { increment: (labels = {}, amount = 1) => this.#add(name, labels, amount) };
  }

  gauge(name: string): { set(value: number, labels?: Labels): void; clear(): void } {
    return {
      set: (value, labels = {}) => this.#set(seriesName(name, labels), value),
      clear: () => {
        for (const series of [...this.values.keys()]) {
          if (series === name || series.startsWith(`${name}{`)) this.values.delete(series);
        }
      },
    };
  }

  histogram(name: string): { observe(value: number, labels?: Labels): void } {
    return { observe: (_value, labels = {}) => this.#add(`${name}_count`, labels, 1) };
  }

  #add(name: string, labels: Labels, amount: number): void {
    const series = seriesName(name, labels);
    this.#set(series, (this.values.get(series) ?? 0) + amount);
  }

  #set(series: string, value: number): void {
    this.values.set(series, value);
    this.#waiters.tell([series, value]);
  }
}

function seriesName(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

export interface TestUser extends Credential {
  readonly accessKeyId: string;
  readonly secret: string;
}

export const ROOT_USER: TestUser = {
  accessKeyId: "ROOTACCESSKEY0000001",
  secret: "a secret of the root user/with+signs",
  userId: "root_dolium",
  displayName: "root",
};
export const OTHER_USER: TestUser = {
  accessKeyId: "OTHERACCESSKEY000001",
  secret: "another secret",
  userId: "other_dolium",
  displayName: "other",
};
export const ADMIN_USER: TestUser = {
  accessKeyId: "ADMINACCESSKEY000001",
  secret: "an administrator's secret",
  userId: "admin_dolium",
  displayName: "admin",
  administrator: true,
};

export interface MemoryGateway {
  readonly running: RunningGateway;
  readonly metadata: MemoryMetadata;
  readonly bodies: MemoryBodies;
  readonly log: MemoryLog;
  readonly metrics: MemoryMetrics;
  /** What the health paths tell. */
  readonly state: { ready: boolean; mayStop: boolean };
  stop(): Promise<void>;
}

export async function startMemoryGateway(
  changes: Partial<S3Settings> = {},
): Promise<MemoryGateway> {
  const metadata = new MemoryMetadata(() => Date.now());
  return { ...(await startGatewayOver(metadata, changes)), metadata };
}

/** Seals the keys of encrypted objects, unless a test takes it away. */
export const CLUSTER_KEY = new Uint8Array(32).fill(0xc5);

export interface MemoryGatewayOptions {
  readonly clusterKey: Uint8Array | undefined;
  readonly authorizer?: Authorizer;
  /** Who has access keys besides the users of every test. */
  readonly users?: readonly TestUser[];
  /** Whom grants and policies may name; unless told, anybody. */
  readonly directory?: PeopleDirectory;
  /** Placement policies that the cluster has; unless told, nothing is known of them. */
  readonly policies?: readonly string[];
  /** Webhooks that bucket notifications may go to. */
  readonly notificationTargets?: readonly string[];
  /** Other stores that buckets may be replicated to. */
  readonly replicationTargets?: readonly string[];
  /** With an admin port. */
  readonly admin?: AdminOptions;
  /** In place of those of every test. */
  readonly dependencies?: Partial<GatewayDependencies>;
}

/** A gateway over that metadata, and bodies in memory. */
export async function startGatewayOver(
  metadata: MetadataAccess,
  changes: Partial<S3Settings> = {},
  options: MemoryGatewayOptions = { clusterKey: CLUSTER_KEY },
): Promise<Omit<MemoryGateway, "metadata">> {
  const clock = createClock();
  const random = createRandom();
  const bodies = new MemoryBodies();
  const log = new MemoryLog();
  const metrics = new MemoryMetrics();
  const users = [ROOT_USER, OTHER_USER, ADMIN_USER, ...(options.users ?? [])];
  const state = { ready: true, mayStop: true };
  const running = await startGateway({
    notificationTargets: options.notificationTargets ?? [],
    replicationTargets: options.replicationTargets ?? [],
    ...(options.authorizer === undefined ? {} : { authorizer: options.authorizer }),
    ...(options.admin === undefined ? {} : { admin: options.admin }),
    name: "gateway-1",
    settings: s3Settings({ address: "127.0.0.1", port: 0, closeGraceMs: 500, ...changes }),
    dependencies: {
      metadata,
      // The directory only asks questions of its client.
      buckets: new BucketDirectory(metadata as unknown as MetadataClient, clock),
      kms: new KmsDirectory({ metadata, clock, random }, soleClusterKey(options.clusterKey)),
      cluster: {
        defaultPolicy: () => "standard",
        hasPolicy: (policy) => options.policies?.includes(policy),
      },
      directory: options.directory,
      writer: bodies,
      reader: bodies,
      credentials: {
        find: async (accessKeyId) => users.find((user) => user.accessKeyId === accessKeyId),
      },
      clock,
      random,
      log,
      metrics,
      isReady: () => state.ready,
      mayStop: async () => state.mayStop,
      ...options.dependencies,
    },
  });
  return { running, bodies, log, metrics, state, stop: () => running.close() };
}
