// Metadata replicas in one process: real files, real LevelDB and Raft log, an in-process network.
// Replicas are stopped, wiped, damaged and started again by name.
import { rm } from "node:fs/promises";
import type { TestContext } from "node:test";
import { present } from "../../../services/lib/base/assert.ts";
import { StoreError, toStoreError } from "../../../services/lib/base/errors.ts";
import { MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createKvFactory } from "../../../services/lib/host/level-kv.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createLog } from "../../../services/lib/host/log.ts";
import { createMetrics } from "../../../services/lib/host/metrics.ts";
import { createDisk } from "../../../services/lib/host/node-disk.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import type { KvFactory } from "../../../services/lib/ports/kv.ts";
import type { RpcServer } from "../../../services/lib/ports/transport.ts";
import type { MetadataConfig, MetadataTimes } from "../../../services/metadata/config.ts";
import { MetadataServer } from "../../../services/metadata/server.ts";
import { temporaryFolder } from "./harness.ts";

interface Running {
  readonly server: MetadataServer;
  readonly rpc: RpcServer;
}

export interface ClusterOptions {
  readonly names?: readonly string[];
  readonly times?: Partial<MetadataTimes>;
  /** Entries kept in the Raft log. */
  readonly keepEntries?: number;
}

const clock = createClock();
const random = createRandom();
const log = createLog({ level: process.env.LOG_LEVEL === "debug" ? "debug" : "silent" });

export class TestCluster {
  readonly names: readonly string[];
  readonly client: MetadataClient;
  /** Replicas whose stores cannot be written at present. */
  readonly unwritable = new Set<string>();
  readonly #folder: string;
  readonly #options: ClusterOptions;
  readonly #network = createLocalNetwork({ clock, random, log });
  readonly transport = this.#network.createTransport();
  readonly #running = new Map<string, Running>();

  constructor(folder: string, options: ClusterOptions) {
    this.names = options.names ?? ["a", "b", "c"];
    this.#folder = folder;
    this.#options = options;
    const deps = { transport: this.transport, clock, random, log };
    const addresses = this.names.map(addressOf);
    this.client = new MetadataClient(deps, { addresses, deadlineMs: 20_000, attemptMs: 3000 });
  }

  /** Starts every replica (or those in `started`); all are stopped when the test ends. */
  static async start(
    context: TestContext,
    options: ClusterOptions = {},
    started?: readonly string[],
  ): Promise<TestCluster> {
    let cluster: TestCluster | undefined;
    const folder = await temporaryFolder(context, async () => cluster?.stopAll());
    cluster = new TestCluster(folder, options);
    for (const name of started ?? cluster.names) await cluster.start(name);
    return cluster;
  }

  config(name: string): MetadataConfig {
    return {
      name,
      address: addressOf(name),
      dataDir: this.dataDir(name),
      peers: this.names.map((peer) => ({ name: peer, address: addressOf(peer) })),
      clusterId: "",
      indexGroupCount: 2,
      cluster: {
        policies: [
          {
            name: "standard",
            dataShards: 2,
            parityShards: 1,
            failureDomain: "node",
            cellBytes: 1024,
          },
        ],
        defaultPolicy: "standard",
        placementGroupCount: 64,
      },
      times: { retryMs: 50, watchMs: 50, callMs: 3000, ...this.#options.times },
    };
  }

  dataDir(name: string): string {
    return `${this.#folder}/${name}`;
  }

  async start(name: string): Promise<MetadataServer> {
    const { keepEntries } = this.#options;
    const deps = {
      disk: createDisk("/"),
      kvFactory: this.#stores(name),
      clock,
      random,
      log: log.child({ replica: name }),
      metrics: createMetrics({ nodeMetrics: false }),
      transport: this.transport,
      raftTiming: { tickMs: 20, ...(keepEntries === undefined ? {} : { keepEntries }) },
    };
    const server = await MetadataServer.open(deps, this.config(name));
    const rpc = this.#network.createServer();
    server.register(rpc);
    await rpc.listen(addressOf(name));
    server.start();
    this.#running.set(name, { server, rpc });
    return server;
  }

  #stores(name: string): KvFactory {
    const factory = createKvFactory({ cacheBytes: 1 << 20 });
    return {
      verify: (path) => factory.verify(path),
      destroy: (path) => factory.destroy(path),
      open: async (path) => {
        const kv = await factory.open(path);
        const write = kv.write.bind(kv);
        return Object.assign(kv, {
          write: async (...args: Parameters<typeof write>) => {
            if (this.unwritable.has(name)) throw new StoreError("io", "no writes now");
            return write(...args);
          },
        });
      },
    };
  }

  server(name: string): MetadataServer {
    return present(this.#running.get(name), `replica ${name}`).server;
  }

  /** In order, handing leadership over; or, `cut` off first, as if it died. */
  async stop(name: string, how: "order" | "cut" = "order"): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    if (how === "cut") await running.rpc.close(0);
    await running.server.close();
    if (how === "order") await running.rpc.close(0);
  }

  async stopAll(): Promise<void> {
    for (const name of this.names) await this.stop(name);
    await this.transport.close();
  }

  async wipe(name: string): Promise<void> {
    await rm(this.dataDir(name), { recursive: true, force: true });
  }

  /** Resolves once all of `names` serve every group. */
  async serving(names: readonly string[] = this.names): Promise<void> {
    await until(`${names.join(", ")} to serve`, () =>
      names.every((name) => {
        const { state, groups = [] } = this.server(name).status();
        return state === "serving" && groups.length === 3 && groups.every((g) => g.state === state);
      }),
    );
  }

  /** The replica that leads a group, among those that run. */
  leader(groupId: number): string | undefined {
    return [...this.#running.keys()].find((name) => this.group(name, groupId)?.role === "leader");
  }

  group(name: string, groupId: number) {
    const { groups = [] } = this.server(name).status();
    return groups.find((group) => group.groupId === groupId);
  }

  /** Resolves once every replica has applied what the leader has. */
  async level(groupId: number, names: readonly string[] = this.names): Promise<void> {
    await until("the replicas to be level", () => {
      const applied = names.map((name) => this.group(name, groupId)?.appliedIndex ?? -1n);
      const last = this.group(this.leader(groupId) ?? "", groupId)?.lastIndex;
      return last !== undefined && applied.every((index) => index === last);
    });
  }
}

export function addressOf(name: string): string {
  return `${name}.metadata:1`;
}

const UNTIL_MS = 120_000;

/** Waits for a condition that other parts of the process bring about. */
export async function until(what: string, condition: () => boolean | Promise<boolean>) {
  const endMs = clock.monotonicMs() + UNTIL_MS;
  let last = "";
  for (;;) {
    try {
      if (await condition()) return;
      last = "";
    } catch (error) {
      last = toStoreError(error).message;
    }
    if (clock.monotonicMs() > endMs) throw new Error(`waited in vain for ${what} ${last}`);
    await clock.sleep(20);
  }
}
