// Metadata replicas, whole servers with their real Raft core, log, state and membership, in virtual
// time over one simulated disk: a cut of its power takes all of them down in the same instant.
import { present } from "../../services/lib/base/assert.ts";
import { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import type { Outcome } from "../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createLocalNetwork, type LocalNetwork } from "../../services/lib/host/local-transport.ts";
import type { RpcServer } from "../../services/lib/ports/transport.ts";
import { MetadataServer } from "../../services/metadata/server.ts";
import { SimClock } from "../sim/clock.ts";
import { type CrashMode, SimDisk } from "../sim/disk.ts";
import { createSimKvFactory } from "../sim/kv.ts";
import { type LogLine, recordingLog, silentMetrics } from "../sim/observers.ts";
import { createSimRandom, type SimRandom } from "../sim/random.ts";
import { OneLife } from "./one-life.ts";

const ROOT = "metadata";
const KEEP_ENTRIES = 6;
const KV_LOG_BYTES = 4096;
/** Virtual; a minute of elections and retries is an eternity. */
const PATIENCE_MS = 120_000;

interface Running {
  readonly server: MetadataServer;
  readonly rpc: RpcServer;
}

/** All replicas between two power cuts. */
interface Life {
  readonly ports: OneLife;
  readonly network: LocalNetwork;
  readonly client: MetadataClient;
  readonly running: Map<string, Running>;
}

export class MetadataWorld {
  readonly clock = new SimClock();
  readonly disk: SimDisk;
  readonly names: readonly string[];
  /** Lines of all lives. */
  readonly lines: LogLine[] = [];
  readonly #random: SimRandom;
  #life: Life;
  isCut = false;

  constructor(seed: number, replicas: number) {
    this.#random = createSimRandom(seed);
    this.disk = new SimDisk({ random: this.#random.fork("disk"), afterCrash: "hang" });
    this.names = ["a", "b", "c", "d", "e"].slice(0, replicas);
    this.#life = this.#newLife();
    this.disk.onCrash = () => {
      this.isCut = true;
      this.#life.ports.end();
    };
  }

  get client(): MetadataClient {
    return this.#life.client;
  }

  /** Runs virtual time until `work` ends, the power is cut, or patience does. */
  async drive(work: Promise<void>): Promise<void> {
    let end: { readonly error?: unknown } | undefined;
    work.then(
      () => {
        end = {};
      },
      (error: unknown) => {
        end = { error };
      },
    );
    const untilMs = this.clock.monotonicMs() + PATIENCE_MS;
    await this.clock.run(untilMs, () => end !== undefined || this.isCut);
    if (this.isCut) return;
    if (end === undefined) throw new Error(`nothing came of it: ${this.describe()}`);
    if ("error" in end) throw end.error;
  }

  /** After a cut: everything is forgotten but the disk. */
  powerOn(): void {
    this.isCut = false;
    this.#life = this.#newLife();
  }

  cutAfter(change: number, mode: CrashMode): void {
    this.disk.crashAfter(change, mode);
  }

  async startAll(): Promise<void> {
    for (const name of this.names) await this.start(name);
  }

  async start(name: string): Promise<void> {
    const { ports, network, running } = this.#life;
    const { disk, clock } = ports;
    const log = recordingLog(this.lines, { replica: name });
    const server = await MetadataServer.open(
      {
        disk,
        clock,
        log,
        kvFactory: createSimKvFactory(disk, { logBytes: KV_LOG_BYTES }),
        random: this.#random.fork(name),
        metrics: silentMetrics(),
        transport: network.createTransport(),
        raftTiming: { tickMs: 20, keepEntries: KEEP_ENTRIES },
      },
      {
        name,
        address: addressOf(name),
        dataDir: `${ROOT}/${name}`,
        peers: this.names.map((peer) => ({ name: peer, address: addressOf(peer) })),
        clusterId: "",
        indexGroupCount: 2,
        cluster: { policies: [POLICY], defaultPolicy: POLICY.name, placementGroupCount: 64 },
        times: { retryMs: 50, watchMs: 1000, callMs: 3000 },
      },
    );
    const rpc = network.createServer();
    server.register(rpc);
    await rpc.listen(addressOf(name));
    server.start();
    running.set(name, { server, rpc });
  }

  /** The disk of one replica is lost while the others run; it begins anew. */
  async replace(name: string): Promise<void> {
    const { server, rpc } = present(this.#life.running.get(name), name);
    this.#life.running.delete(name);
    await rpc.close(0);
    await server.close();
    await this.#life.ports.disk.removeTree(`${ROOT}/${name}`);
    await this.start(name);
  }

  /** Resolves once every replica serves every group, and the first cluster map is written. */
  async serving(): Promise<void> {
    for (;;) {
      const states = [...this.#life.running.values()].map(({ server }) => server.status());
      const isServing =
        states.length === this.names.length &&
        states.every(
          ({ state, groups = [] }) =>
            state === "serving" && groups.length === 3 && groups.every((g) => g.state === state),
        );
      if (isServing && (await this.#hasMap())) return;
      await this.#life.ports.clock.sleep(20);
    }
  }

  async #hasMap(): Promise<boolean> {
    const { map } = await this.client.query(1, { case: "getClusterMap", value: {} });
    return map !== undefined;
  }

  /** Compares digests and checks all values. */
  async checkReplicas(): Promise<void> {
    for (const { server } of this.#life.running.values()) await server.checkNow();
  }

  async put(group: number, key: string, body: string | undefined): Promise<Outcome> {
    const bytes = Buffer.from(key);
    if (body === undefined) {
      const value = { bucketId: 1, targets: [{ key: bytes }] };
      return (await this.client.execute(group, { case: "deleteObjects", value })).outcome;
    }
    const inline = { case: "inline" as const, value: Buffer.from(body) };
    const version = { size: BigInt(body.length), etag: body.slice(0, 16), body: inline };
    const value = { bucketId: 1, key: bytes, version };
    return (await this.client.execute(group, { case: "putObject", value })).outcome;
  }

  async bodyOf(group: number, key: string): Promise<string | undefined> {
    const value = { bucketId: 1, key: Buffer.from(key), withBody: true };
    const { version } = await this.client.query(group, { case: "getObject", value });
    return version === undefined ? undefined : Buffer.from(version.body.value ?? "").toString();
  }

  async createBucket(name: string): Promise<Outcome> {
    const value = { name, owner: "ann" };
    return (await this.client.execute(1, { case: "createBucket", value })).outcome;
  }

  describe(): string {
    const states = [...this.#life.running].map(([name, { server }]) => {
      const { state, groups = [] } = server.status();
      return `${name} ${state} (${groups.map((group) => group.state).join(", ")})`;
    });
    const last = this.lines.slice(-12).map(({ level, message, fields, error }) => {
      return `${level} ${message} ${JSON.stringify(fields)} ${error === undefined ? "" : String(error)}`;
    });
    return `${states.join("; ")}\n${last.join("\n")}`;
  }

  #newLife(): Life {
    const ports = new OneLife(this.disk, this.clock);
    const log = recordingLog();
    const random = this.#random.fork("network");
    const { clock } = ports;
    const network = createLocalNetwork({ clock, random, log });
    const addresses = this.names.map(addressOf);
    const deps = { transport: network.createTransport(), clock, random, log };
    const client = new MetadataClient(deps, { addresses, deadlineMs: 60_000, attemptMs: 3000 });
    return { ports, network, client, running: new Map() };
  }
}

const POLICY = {
  name: "standard",
  dataShards: 2,
  parityShards: 1,
  failureDomain: "node",
  cellBytes: 1024,
};

function addressOf(name: string): string {
  return `${name}.metadata:1`;
}
