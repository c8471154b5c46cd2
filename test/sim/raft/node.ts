// One simulated node: a disk that outlives crashes, and on it, while it is up, a Raft log, a host
// and a state machine per group. A crash ends everything of this life: timers, sends, disk calls.
import { StoreError } from "../../../services/lib/base/errors.ts";
import type { Clock } from "../../../services/lib/ports/clock.ts";
import type { Disk } from "../../../services/lib/ports/disk.ts";
import {
  type ConfState,
  compileRaftCore,
  createRaftCore,
  type RaftCore,
  type RaftCoreModule,
  type RaftId,
} from "../../../services/lib/raft/core.ts";
import type { GroupTiming } from "../../../services/lib/raft/group-deps.ts";
import { RaftHost } from "../../../services/lib/raft/host.ts";
import type { RaftGroup, RaftLog, RaftSender } from "../../../services/lib/raft/types.ts";
import { LogStore } from "../../../services/metadata/log-store.ts";
import type { SimClock } from "../clock.ts";
import { type CrashMode, SimDisk } from "../disk.ts";
import type { SimNetwork } from "../network.ts";
import { type LogLine, recordingLog, silentMetrics } from "../observers.ts";
import type { SimRandom } from "../random.ts";
import type { Checker } from "./checker.ts";
import { ListMachine } from "./machine.ts";
import { type PlantedBug, plantInCore, plantInDisk, plantInLog } from "./planted.ts";

let compiled: RaftCoreModule | undefined;

/** What all nodes of a run share. */
export interface World {
  /** Called when a node begins to lead, before it has sent anything as leader. */
  onLeader: ((nodeId: RaftId) => void) | undefined;
  readonly clock: SimClock;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  readonly checker: Checker;
  readonly nodes: Map<RaftId, SimNode>;
  readonly groupIds: readonly number[];
  readonly timing: Partial<GroupTiming>;
  readonly segmentBytes: number;
  /** Bytes of entries in one message, when it should differ from the core's own bound. */
  readonly messageBytesMax?: number;
  readonly planted: PlantedBug | undefined;
  /** With "reply-before-commit": where each proposal was appended. */
  readonly appended: Map<string, number>;
  readonly lines: LogLine[] | undefined;
  /** Ends the run: something happened that must not. */
  readonly violated: (error: unknown) => void;
}

interface Life {
  readonly number: number;
  readonly log: RaftLog;
  readonly host: RaftHost;
  readonly machines: Map<number, ListMachine>;
}

export class SimNode {
  readonly id: RaftId;
  readonly disk: SimDisk;
  readonly #world: World;
  readonly #bootstrap: readonly RaftId[] | undefined;
  #lives = 0;
  #life: Life | undefined;
  /** Set when a disk fault was injected: then the node may fail. */
  mayFail = false;
  /** Bit rot was injected: the node may find itself corrupt, and must then be replaced. */
  rotten = false;
  corrupt = false;
  members: ConfState | undefined;
  /** Milliseconds of every sync of the log; undefined: a healthy disk's. */
  slowSyncMs: number | undefined;
  starting = false;

  constructor(world: World, id: RaftId, bootstrap: readonly RaftId[] | undefined) {
    this.#world = world;
    this.id = id;
    this.#bootstrap = bootstrap;
    const random = world.random.fork(`disk ${id}`);
    this.disk = new SimDisk({
      random,
      clock: world.clock,
      latencyMs: ({ kind }) => (kind === "datasync" ? (this.slowSyncMs ?? 1 + random.below(6)) : 0),
      afterCrash: "hang",
    });
  }

  get up(): boolean {
    return this.#life !== undefined;
  }

  get host(): RaftHost | undefined {
    return this.#life?.host;
  }

  group(groupId: number): RaftGroup | undefined {
    return this.#life?.host.group(groupId);
  }

  machine(groupId: number): ListMachine | undefined {
    return this.#life?.machines.get(groupId);
  }

  /**
   * Opens what the disk holds. Resolves when all groups are open, or the node found itself corrupt.
   */
  async start(): Promise<void> {
    this.#lives += 1;
    this.starting = true;
    const number = this.#lives;
    const { random, segmentBytes, lines, planted } = this.#world;
    const logger = recordingLog(lines, { node: this.id });
    const lifeClock = this.#clockOf(number);
    try {
      await plantInDisk(planted, this.disk);
      const disk = this.#diskOf(number);
      const opened = await LogStore.open({
        disk,
        path: "raft",
        random,
        clock: lifeClock,
        log: logger,
        metrics: silentMetrics(),
        segmentBytes,
        segmentCountMax: 4,
      });
      const log = plantInLog(planted, opened);
      const host = this.#newHost(number, log);
      this.#life = { number, log, host, machines: new Map() };
      for (const groupId of this.#world.groupIds) await this.#openGroup(this.#life, groupId);
      this.starting = false;
      // Opening checks every byte of the log: what was flipped did no harm.
      this.rotten = false;
    } catch (error) {
      if (number === this.#lives) this.#startFailed(error);
    }
  }

  /**
   * Cuts the power (or, with "kill", only ends the process). A node whose log was damaged keeps its
   * power until it has looked: rot in the last batch counts as a tear once its unsynced seal is
   * lost (LOG.md).
   */
  crash(mode: CrashMode | "kill"): void {
    this.#lives += 1;
    this.starting = false;
    this.#life = undefined;
    if (mode === "kill" || this.rotten) this.disk.kill();
    else this.disk.crash(mode);
  }

  /**
   * The disk as long as this life lasts: a call made in the instant of a crash must not outlive it.
   */
  #diskOf(number: number): Disk {
    const { disk } = this;
    const alive = <T>(call: () => Promise<T>): Promise<T> =>
      number === this.#lives ? call() : new Promise<never>(() => undefined);
    return {
      open: (path, mode) => alive(() => disk.open(path, mode)),
      list: (path) => alive(() => disk.list(path)),
      exists: (path) => alive(() => disk.exists(path)),
      mkdir: (path) => alive(() => disk.mkdir(path)),
      remove: (path) => alive(() => disk.remove(path)),
      removeTree: (path) => alive(() => disk.removeTree(path)),
      rename: (from, to) => alive(() => disk.rename(from, to)),
      syncDirectory: (path) => alive(() => disk.syncDirectory(path)),
      usage: (path) => alive(() => disk.usage(path)),
    };
  }

  async #openGroup(life: Life, groupId: number): Promise<void> {
    const { checker } = this.#world;
    const machine = await ListMachine.open({
      disk: this.#diskOf(life.number),
      path: `state-${groupId}`,
      watch: (applied) => {
        this.#check(life.number, () => checker.applied(groupId, this.id, applied));
      },
      flushLies: this.#world.planted === "flush-not-durable",
    });
    life.machines.set(groupId, machine);
    const bootstrap = this.#bootstrap;
    await life.host.openGroup({ groupId, machine, ...(bootstrap ? { bootstrap } : {}) });
  }

  #newHost(number: number, log: RaftLog): RaftHost {
    const { random, checker, timing, lines, planted, appended, messageBytesMax } = this.#world;
    compiled ??= compileRaftCore();
    const seed = BigInt(random.below(2 ** 48));
    const made = createRaftCore({ seed, module: compiled });
    const core: RaftCore = plantInCore(planted, bounded(made, messageBytesMax), appended);
    const host: RaftHost = new RaftHost({
      core,
      log,
      clock: this.#clockOf(number),
      logger: recordingLog(lines, { node: this.id }),
      metrics: silentMetrics(),
      sender: this.#sender(number),
      nodeId: this.id,
      timing,
      events: {
        leaderChanged: (groupId, _leader, isLeader) => {
          if (!isLeader) return;
          const term = host.group(groupId)?.status().term ?? 0;
          this.#check(number, () => checker.leads(groupId, term, this.id));
          this.#world.onLeader?.(this.id);
        },
        membersChanged: (_groupId, members) => {
          this.members = members;
        },
        groupFailed: (groupId, error) => this.#failed(number, `group ${groupId}`, error),
        failed: (error) => this.#failed(number, "node", error),
      },
    });
    return host;
  }

  #startFailed(error: unknown): void {
    this.#life = undefined;
    this.#lives += 1;
    this.starting = false;
    this.disk.kill();
    if (this.rotten && error instanceof StoreError && error.code === "corrupt") this.corrupt = true;
    else if (!this.mayFail) this.#world.violated(error);
  }

  #failed(number: number, what: string, error: unknown): void {
    if (number !== this.#lives) return;
    if (this.rotten && error instanceof StoreError && error.code === "corrupt") this.corrupt = true;
    else if (!this.mayFail) {
      this.#world.violated(new Error(`${what} of ${this.id} failed`, { cause: error }));
    }
    this.crash("kill");
  }

  #check(number: number, work: () => void): void {
    if (number !== this.#lives) return;
    try {
      work();
    } catch (error) {
      this.#world.violated(error);
    }
  }

  #clockOf(number: number): Clock {
    const { clock } = this.#world;
    const alive = (): boolean => number === this.#lives;
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, run) => clock.after(ms, () => (alive() ? run() : undefined)),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal);
        if (!alive()) await new Promise<never>(() => undefined);
      },
    };
  }

  #sender(number: number): RaftSender {
    const { network, nodes, clock } = this.#world;
    const alive = (): boolean => number === this.#lives;
    return {
      send: (to, envelopes) => {
        if (!alive()) return;
        network.send(this.id, to, () => {
          const peer = nodes.get(to)?.host;
          if (peer === undefined) this.host?.reportUnreachable(to);
          else peer.receive(this.id, envelopes);
        });
      },
      sendSnapshot: async (to, { groupId, message, chunks, signal }) => {
        const target = (): RaftHost => {
          const host = nodes.get(to)?.host;
          const linked = network.connected(this.id, to) && network.connected(to, this.id);
          if (!alive() || !linked || signal.aborted || host === undefined) {
            throw new StoreError("unavailable", "the stream broke");
          }
          return host;
        };
        async function* stream(): AsyncIterable<Uint8Array> {
          const first = target();
          for await (const chunk of chunks) {
            await clock.sleep(network.delayMs());
            if (target() !== first) throw new StoreError("unavailable", "the peer restarted");
            yield chunk;
          }
        }
        await clock.sleep(network.delayMs());
        await target().receiveSnapshot(this.id, { groupId, message, chunks: stream() });
        await clock.sleep(network.delayMs());
        target();
      },
    };
  }
}

/** The core with another bound on its messages. */
function bounded(core: RaftCore, messageBytesMax: number | undefined): RaftCore {
  if (messageBytesMax === undefined) return core;
  const openGroup = core.openGroup.bind(core);
  core.openGroup = (options) => {
    openGroup({ ...options, bounds: { ...options.bounds, messageBytesMax } });
  };
  return core;
}
