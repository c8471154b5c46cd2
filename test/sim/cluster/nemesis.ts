// Faults, drawn from the seed, and the atlas that keeps their damage within the promise: at most a
// minority of the metadata replicas, and at most m storage nodes, are away at a time; bytes are
// lost or rotten on one storage node only, as a chunk may be acknowledged with one shard owed.
// Power cuts of everything are allowed at any time: what was acknowledged was synced.
import type { CrashMode } from "../disk.ts";
import { CALM_NETWORK } from "../network.ts";
import type { SimRandom } from "../random.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimProcess } from "./process.ts";

export const FAULTS = [
  "kill",
  "power-cut",
  "power-cut-of-all",
  "partition",
  "one-way-cut",
  "bad-network",
  "slow-disk",
  "read-error",
  "sync-error",
  "rot",
  "clock-step",
] as const;
export type Fault = (typeof FAULTS)[number];

type AnyProcess = SimProcess<unknown>;

const CRASHES: readonly CrashMode[] = ["none", "random", "torn", "all"];

export class Nemesis {
  readonly counts: Record<string, number> = {};
  readonly #cluster: SimCluster;
  readonly #random: SimRandom;
  readonly #faults: readonly Fault[];
  readonly #clockStepMs: number;
  /** Processes that are away or may fail at any time, with what ends that. */
  readonly #harmed = new Set<AnyProcess>();
  #rotten: AnyProcess | undefined;
  #isStopped = false;
  #undo = new Set<() => void>();

  constructor(
    cluster: SimCluster,
    options: {
      readonly random: SimRandom;
      readonly faults: readonly Fault[];
      /** Wall clocks are off by up to so much. */
      readonly clockStepMs: number;
    },
  ) {
    this.#cluster = cluster;
    this.#random = options.random;
    this.#faults = options.faults;
    this.#clockStepMs = options.clockStepMs;
  }

  /** Does one fault after another until stopped; some last while others begin. */
  async run(pauseMs: number): Promise<void> {
    while (!this.#isStopped && this.#faults.length > 0) {
      await this.#cluster.clock.sleep(1 + this.#random.below(2 * pauseMs));
      if (this.#isStopped) return;
      this.#do(this.#random.pick(this.#faults));
    }
  }

  /** Ends all faults: network and disks are well, clocks right, every process is up. */
  heal(): void {
    this.#isStopped = true;
    const { network, processes } = this.#cluster;
    for (const undo of [...this.#undo]) undo();
    network.heal();
    network.faults = CALM_NETWORK;
    for (const process of processes) {
      process.slowDiskMs = 0;
      process.disk.fault = undefined;
      process.wallOffsetMs = 0;
      process.isHeldDown = false;
      process.start();
    }
    this.#cluster.trace("healed");
  }

  #do(fault: Fault): void {
    const done = this.#try(fault);
    if (done === undefined) return;
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    this.#cluster.trace(`fault ${fault} ${done}`);
  }

  /** Who was struck; undefined when the atlas forbids it now. */
  #try(fault: Fault): string | undefined {
    const random = this.#random;
    switch (fault) {
      case "kill":
        return this.#withVictim(this.#anybody(), (victim) => this.#down(victim, "kill"));
      case "power-cut":
        return this.#withVictim(this.#anybody(), (victim) =>
          this.#down(victim, random.pick(CRASHES)),
        );
      case "power-cut-of-all":
        return this.#blackout();
      case "partition":
        return this.#partition();
      case "one-way-cut":
        return this.#oneWayCut();
      case "bad-network":
        return this.#badNetwork();
      case "slow-disk":
        return this.#withVictim(this.#withDisk(), (victim) => this.#slowDisk(victim));
      case "read-error":
        return this.#withVictim(this.#cluster.storage, (victim) =>
          this.#diskErrors(victim, "read"),
        );
      case "sync-error":
        return this.#withVictim(this.#withDisk(), (victim) => this.#diskErrors(victim, "datasync"));
      case "rot":
        return this.#rot();
      case "clock-step":
        return this.#clockStep();
    }
  }

  #anybody(): readonly AnyProcess[] {
    return this.#cluster.processes;
  }

  #withDisk(): readonly AnyProcess[] {
    return [...this.#cluster.storage, ...this.#cluster.metadata];
  }

  /** One who may be harmed now, as the atlas allows. */
  #withVictim(
    among: readonly AnyProcess[],
    strike: (victim: AnyProcess) => void,
  ): string | undefined {
    const victim = this.#random.pick(among);
    if (!this.#mayHarm([victim])) return undefined;
    strike(victim);
    return victim.name;
  }

  #mayHarm(victims: readonly AnyProcess[]): boolean {
    const harmed = new Set([...this.#harmed, ...victims]);
    if (victims.some((victim) => this.#harmed.has(victim) || !victim.isUp)) return false;
    const count = (role: string): number => [...harmed].filter((one) => one.role === role).length;
    const { metadata, settings } = this.#cluster;
    const minority = Math.floor((metadata.length - 1) / 2);
    return count("metadata") <= minority && count("storage") <= settings.parityShards;
  }

  /** Counts `victims` as harmed until the time is over, then undoes. */
  #forAWhile(victims: readonly AnyProcess[], undo: () => void): void {
    for (const victim of victims) this.#harmed.add(victim);
    const end = (): void => {
      if (!this.#undo.delete(end)) return;
      for (const victim of victims) this.#harmed.delete(victim);
      undo();
    };
    this.#undo.add(end);
    this.#cluster.clock.after(200 + this.#random.below(6000), end);
  }

  #down(victim: AnyProcess, mode: CrashMode | "kill"): void {
    victim.isHeldDown = true;
    victim.crash(mode);
    this.#forAWhile([victim], () => {
      victim.isHeldDown = false;
      victim.start();
    });
  }

  #blackout(): string {
    const mode = this.#random.pick(CRASHES);
    for (const process of this.#cluster.processes) {
      process.crash(mode);
      const waitMs = this.#random.below(2000);
      this.#cluster.clock.after(waitMs, () => {
        if (!process.isHeldDown) process.start();
      });
    }
    return mode;
  }

  #partition(): string | undefined {
    const side = this.#random.chance(0.3) ? this.#leaderAndGateway() : this.#anySide();
    if (side.length === 0 || !this.#mayHarm(side)) return undefined;
    const { network, processes } = this.#cluster;
    const numbers = side.map(({ number }) => number);
    network.partition(
      numbers,
      processes.map(({ number }) => number),
    );
    this.#forAWhile(side, () => network.heal());
    return side.map(({ name }) => name).join("+");
  }

  #anySide(): readonly AnyProcess[] {
    return this.#cluster.processes.filter(() => this.#random.chance(0.3));
  }

  /** A leader that does not know yet that another one is chosen, and somebody who asks it. */
  #leaderAndGateway(): readonly AnyProcess[] {
    const { metadata, gateways } = this.#cluster;
    const leaders = metadata.filter(({ running }) =>
      running?.status().groups?.some(({ groupId, role }) => groupId !== 1 && role === "leader"),
    );
    if (leaders.length === 0) return [];
    return [this.#random.pick(leaders), this.#random.pick(gateways)];
  }

  #oneWayCut(): string | undefined {
    const { network, processes } = this.#cluster;
    const victim = this.#random.pick(processes);
    const other = this.#random.pick(processes);
    if (victim === other || !this.#mayHarm([victim])) return undefined;
    network.cut(victim.number, other.number);
    this.#forAWhile([victim], () => network.heal());
    return `${victim.name}>${other.name}`;
  }

  #badNetwork(): string {
    const { network } = this.#cluster;
    network.faults = {
      ...CALM_NETWORK,
      loss: this.#random.unit() * 0.05,
      slow: this.#random.unit() * 0.3,
      slowMs: 10 + this.#random.below(400),
    };
    this.#forAWhile([], () => {
      network.faults = CALM_NETWORK;
    });
    return "all";
  }

  #slowDisk(victim: AnyProcess): void {
    victim.slowDiskMs = 20 + this.#random.below(400);
    this.#forAWhile([victim], () => {
      victim.slowDiskMs = 0;
    });
  }

  #diskErrors(victim: AnyProcess, kind: "read" | "datasync"): void {
    const share = this.#random.pick([0.05, 0.3, 1]);
    victim.hasFailingDisk ||= kind === "datasync";
    victim.disk.fault = (operation) =>
      operation.kind === kind && this.#random.chance(share) ? "io" : undefined;
    this.#forAWhile([victim], () => {
      victim.disk.fault = undefined;
    });
  }

  /** Flips bits in shards of one storage node, always the same in a run. */
  #rot(): string | undefined {
    this.#rotten ??= this.#random.pick(this.#cluster.storage);
    const { disk, name } = this.#rotten;
    const segments = disk.filePaths().filter((path) => path.includes("/segments/"));
    if (segments.length === 0) return undefined;
    for (let flips = this.#random.between(1, 20); flips > 0; flips -= 1) {
      const path = this.#random.pick(segments);
      const size = disk.content(path).byteLength;
      if (size > 0) disk.flipBit(path, this.#random.below(size), this.#random.below(8));
    }
    return name;
  }

  #clockStep(): string | undefined {
    const victim = this.#random.pick(this.#cluster.processes);
    const stepMs = this.#clockStepMs;
    victim.wallOffsetMs = this.#random.between(-stepMs, stepMs);
    this.#forAWhile([], () => {
      victim.wallOffsetMs = 0;
    });
    return `${victim.name} ${victim.wallOffsetMs}`;
  }
}
