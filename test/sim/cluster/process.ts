// A simulated process on a machine of its own: a disk that outlives it, an address, a wall clock
// that may be wrong. A crash ends its life; the supervisor starts it anew. A start that fails is
// tried again, as systemd would.
import { isStoreError, toStoreError } from "../../../services/lib/base/errors.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import type { KvFactory } from "../../../services/lib/ports/kv.ts";
import type { Log } from "../../../services/lib/ports/log.ts";
import type { Metrics } from "../../../services/lib/ports/metrics.ts";
import type { Random } from "../../../services/lib/ports/random.ts";
import type { RpcServer, Transport } from "../../../services/lib/ports/transport.ts";
import type { SimClock } from "../clock.ts";
import { type CrashMode, SimDisk } from "../disk.ts";
import { type LogLine, recordingLog, silentMetrics } from "../observers.ts";
import type { SimRandom } from "../random.ts";
import { createSimKvFactory } from "./kv.ts";
import { Life } from "./life.ts";
import type { Plants } from "./planted/plant.ts";
import type { RpcNetwork } from "./rpc-network.ts";

export type Role = "metadata" | "storage" | "gateway" | "keeper";

/** What a life has of the world. */
export interface Ports {
  readonly clock: Life["clock"];
  readonly random: Random;
  readonly disk: Disk;
  readonly kvFactory: KvFactory;
  readonly transport: Transport;
  readonly server: RpcServer;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The process cannot go on: ends it; the supervisor starts it anew. */
  readonly fatal: (error: unknown) => void;
}

export interface ProcessWorld {
  readonly clock: SimClock;
  readonly random: SimRandom;
  readonly rpc: RpcNetwork;
  readonly lines: LogLine[] | undefined;
  readonly trace: (event: string) => void;
  /** A process found damage that no fault did. */
  readonly onDamage: (what: string) => void;
  /** Disks and stores as this run's planted bug leaves them. */
  readonly plants: Pick<Plants, "disk" | "kvFactory">;
}

export interface ProcessOptions<H> {
  readonly role: Role;
  readonly name: string;
  readonly address: string;
  /** In the network. */
  readonly number: number;
  readonly boot: (ports: Ports) => Promise<H>;
}

const RESTART_MS = 1000;
const SYNC_MS_MAX = 4;

export class SimProcess<H> {
  readonly role: Role;
  readonly name: string;
  readonly address: string;
  readonly number: number;
  readonly disk: SimDisk;
  readonly #world: ProcessWorld;
  readonly #options: ProcessOptions<H>;
  readonly #random: SimRandom;
  #life: Life | undefined;
  #handle: H | undefined;
  /** Kept down until told otherwise. */
  isHeldDown = false;
  /** Added to the wall clock of this machine. */
  wallOffsetMs = 0;
  /** Added to every operation of the disk. */
  slowDiskMs = 0;
  /** Its disk was made to fail: what it held of unsynced writes may be gone. */
  hasFailingDisk = false;
  /** Lives that ended by their own failure. */
  failures = 0;

  constructor(world: ProcessWorld, options: ProcessOptions<H>) {
    this.#world = world;
    this.#options = options;
    this.role = options.role;
    this.name = options.name;
    this.address = options.address;
    this.number = options.number;
    this.#random = world.random.fork(`process ${options.name}`);
    const random = this.#random.fork("disk");
    this.disk = new SimDisk({
      random,
      clock: world.clock,
      latencyMs: ({ kind }) =>
        (kind === "datasync" || kind === "sync-directory" ? 1 + random.below(SYNC_MS_MAX) : 0) +
        this.slowDiskMs,
      afterCrash: "hang",
    });
  }

  /** Undefined while it is down or starting. */
  get running(): H | undefined {
    return this.#handle;
  }

  get isUp(): boolean {
    return this.#life !== undefined;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  /** Begins a life; returns at once. */
  start(): void {
    if (this.#life !== undefined) return;
    const { clock, lines, trace, plants } = this.#world;
    trace(`start ${this.name}`);
    const life = new Life(this.address, clock, () => this.wallOffsetMs);
    this.#life = life;
    const pause = (): Promise<void> => life.clock.sleep(SYNC_MS_MAX);
    const disk = plants.disk(this.role, life.disk(this.disk), pause);
    const onError = (message: string, error: unknown): void => this.#overhear(message, error);
    const log = recordingLog(lines, { process: this.name }, onError);
    const fatal = (error: unknown): void => this.#failed(life, error);
    const ports: Ports = {
      clock: life.clock,
      random: this.#random.fork("life"),
      disk,
      kvFactory: plants.kvFactory(this.name, createSimKvFactory(disk)),
      transport: this.#world.rpc.createTransport(life),
      server: this.#world.rpc.createServer(life, log),
      log,
      metrics: silentMetrics(),
      fatal,
    };
    this.#options.boot(ports).then((handle) => {
      if (!life.isOver) this.#handle = handle;
    }, fatal);
  }

  /** Cuts the power, or with "kill" ends the process only. It stays down until `start`. */
  crash(mode: CrashMode | "kill"): void {
    const life = this.#life;
    this.#life = undefined;
    this.#handle = undefined;
    if (life !== undefined) this.#world.trace(`crash ${this.name} ${mode}`);
    life?.end();
    if (mode === "kill") this.disk.kill();
    else this.disk.crash(mode);
  }

  /** No fault of a run damages what a metadata replica synced: damage is our mistake. */
  #overhear(message: string, error: unknown): void {
    if (this.role !== "metadata" || this.hasFailingDisk || !isStoreError(error, "corrupt")) return;
    this.#world.onDamage(`${this.name}: ${message}: ${error.message}`);
  }

  #failed(life: Life, error: unknown): void {
    if (life.isOver) return;
    this.failures += 1;
    const { message } = toStoreError(error);
    this.#world.lines?.push({
      level: "error",
      message: "the process ends itself",
      fields: { process: this.name, reason: message },
      error,
    });
    this.crash("kill");
    this.#world.clock.after(RESTART_MS, () => {
      if (!this.isHeldDown) this.start();
    });
  }
}
