// The faults of a run: crashes with every kind of loss, kills, partitions (also one-way), bad
// networks, failing syncs, full disks, bit rot, lost disks, replaced members, moved leadership.
// Whatever it breaks it repairs in the end; at most one node at a time has lost its data.
import { isStoreError } from "../../../services/lib/base/errors.ts";
import { RECORD_HEADER_BYTES, RECORD_TYPES } from "../../../services/metadata/log-format.ts";
import type { CrashMode } from "../disk.ts";
import { CALM_NETWORK } from "../network.ts";
import type { SimRandom } from "../random.ts";
import { leaderOf, replaceNode } from "./members.ts";
import { SimNode, type World } from "./node.ts";

const MODES: readonly (CrashMode | "kill")[] = ["all", "none", "random", "torn", "kill"];

type Fault =
  | "crash"
  | "crash-all"
  | "behead"
  | "partition"
  | "one-way"
  | "bad-network"
  | "heal"
  | "transfer"
  | "sync-error"
  | "disk-full"
  | "rot"
  | "wipe"
  | "replace";

const WEIGHTS: readonly (readonly [Fault, number])[] = [
  ["crash", 10],
  ["crash-all", 2],
  ["behead", 4],
  ["partition", 4],
  ["one-way", 4],
  ["bad-network", 4],
  ["heal", 5],
  ["transfer", 3],
  ["sync-error", 2],
  ["disk-full", 2],
  ["rot", 2],
  ["wipe", 2],
  ["replace", 2],
];

export class Nemesis {
  readonly #world: World;
  readonly #random: SimRandom;
  readonly counts: Record<string, number> = {};
  #stopped = false;
  #nextId = 101;
  /** The node being replaced, which is down for good. */
  #lost: SimNode | undefined;
  #replacing: Promise<void> | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork("nemesis");
  }

  async run(): Promise<void> {
    const pauseMs = this.#random.pick([150, 300, 600]);
    while (!this.#stopped) {
      await this.#world.clock.sleep(this.#random.between(10, pauseMs * 2));
      if (this.#stopped) return;
      const fault = this.#draw();
      this.counts[fault] = (this.counts[fault] ?? 0) + 1;
      this.#do(fault);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when every node is up with a sound disk and no replacement is under way. */
  async repaired(): Promise<void> {
    for (;;) {
      for (const node of this.#world.nodes.values()) {
        node.disk.fault = undefined;
        node.disk.capacityBytes = Number.MAX_SAFE_INTEGER;
        if (node.corrupt && node !== this.#lost) this.#replace(node);
        else if (!node.up && node !== this.#lost && !node.starting) void node.start();
      }
      await this.#world.clock.sleep(100);
      await this.#replacing;
      const nodes = [...this.#world.nodes.values()].filter((node) => node !== this.#lost);
      if (nodes.every((node) => node.up && !node.starting && !node.corrupt)) return;
    }
  }

  #draw(): Fault {
    let left = this.#random.below(WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [fault, weight] of WEIGHTS) {
      left -= weight;
      if (left < 0) return fault;
    }
    return "heal";
  }

  #do(fault: Fault): void {
    const { network } = this.#world;
    const nodes = [...this.#world.nodes.values()].filter((node) => node !== this.#lost);
    const node = this.#random.pick(nodes);
    const ids = nodes.map((one) => one.id);
    const mode = this.#random.pick(MODES);
    const faults: Record<Fault, () => void> = {
      crash: () => this.#crash(node, mode),
      "crash-all": () => {
        for (const one of nodes) this.#crash(one, mode);
      },
      behead: () => this.#behead(),
      partition: () => {
        network.partition(
          ids.filter(() => this.#random.chance(0.4)),
          ids,
        );
      },
      "one-way": () => network.cut(node.id, this.#random.pick(ids)),
      "bad-network": () => this.#worsenNetwork(),
      heal: () => {
        network.heal();
        network.faults = CALM_NETWORK;
      },
      transfer: () => this.#transfer(node.id),
      "sync-error": () => this.#failSync(node),
      "disk-full": () => this.#fill(node),
      rot: () => this.#rot(node),
      wipe: () => this.#wipe(node),
      replace: () => this.#replaceSound(node),
    };
    faults[fault]();
  }

  #crash(node: SimNode, mode: CrashMode | "kill"): void {
    if (node.starting && this.#random.chance(0.5)) return;
    node.crash(mode);
    this.#startLater(node);
  }

  #startLater(node: SimNode): void {
    this.#world.clock.after(this.#random.between(1, 1200), () => {
      if (!node.up && !node.starting && !node.corrupt && node !== this.#lost) void node.start();
    });
  }

  /**
   * The next new leader is cut off before it says a word, and those who voted for it lose their
   * memory and come back at once: they must not elect another one in the same term.
   */
  #behead(): void {
    const { clock, network } = this.#world;
    this.#world.onLeader = (leader) => {
      this.#world.onLeader = undefined;
      const nodes = [...this.#world.nodes.values()].filter((node) => node !== this.#lost);
      const ids = nodes.map((node) => node.id);
      network.partition([leader], ids);
      clock.after(0, () => {
        for (const node of nodes.filter((one) => one.id !== leader)) {
          node.crash(this.#random.pick(MODES));
          if (!node.corrupt) void node.start();
        }
      });
    };
    const group = leaderOf(this.#world, this.#random.pick(this.#world.groupIds));
    const leading = this.#world.nodes.get(group?.status().nodeId ?? 0);
    if (leading !== undefined && leading !== this.#lost) this.#crash(leading, "kill");
  }

  #worsenNetwork(): void {
    this.#world.network.faults = {
      loss: this.#random.pick([0, 0.02, 0.2]),
      duplication: this.#random.pick([0, 0.1, 0.5]),
      slow: this.#random.pick([0, 0.1, 0.5]),
      fastMs: this.#random.pick([2, 10]),
      slowMs: this.#random.pick([30, 200]),
    };
  }

  #transfer(to: number): void {
    const group = leaderOf(this.#world, this.#random.pick(this.#world.groupIds));
    group?.transferLeadership(to, { deadlineMs: 500 }).catch((error: unknown) => {
      if (!isStoreError(error)) this.#world.violated(error);
    });
  }

  /**
   * The next syncs of the log fail: the node must stop at once and may come back after a restart.
   */
  #failSync(node: SimNode): void {
    node.mayFail = true;
    let left = 1;
    node.disk.fault = (operation) => {
      if (operation.kind !== "datasync" || !operation.path.startsWith("raft") || left === 0) {
        return undefined;
      }
      left -= 1;
      return "io";
    };
    this.#world.clock.after(this.#random.between(300, 1000), () => {
      node.disk.fault = undefined;
      this.#startLater(node);
    });
  }

  /** Only the log finds no room: how a state machine takes a full disk is its own affair. */
  #fill(node: SimNode): void {
    node.disk.fault = (operation) =>
      operation.kind === "write" && operation.path.startsWith("raft") ? "no-space" : undefined;
    node.mayFail = true;
    this.#world.clock.after(this.#random.between(200, 1500), () => {
      node.disk.fault = undefined;
      if (!node.up) this.#startLater(node);
    });
  }

  /** Flips a bit in a log that is not being written, and starts the node again. */
  #rot(node: SimNode): void {
    if (this.#dataAtRisk()) return;
    node.crash("kill");
    const paths = node.disk.filePaths("raft").filter((path) => path.endsWith(".raft"));
    // An unsealed last batch cannot be told from one that was never synced (LOG.md).
    const sealed = paths.filter((path) => path !== paths.at(-1) || endsSealed(node, path));
    if (sealed.length > 0) {
      const path = this.#random.pick(sealed);
      node.rotten = true;
      const { byteLength } = node.disk.content(path);
      node.disk.flipBit(path, this.#random.below(byteLength), this.#random.below(8));
    }
    this.#startLater(node);
    this.#world.clock.after(1500, () => {
      if (node.corrupt) this.#replace(node);
    });
  }

  /** One node at a time may lose what it held. */
  #dataAtRisk(): boolean {
    const damaged = [...this.#world.nodes.values()].some((node) => node.corrupt || node.rotten);
    return this.#lost !== undefined || damaged;
  }

  #replaceSound(node: SimNode): void {
    if (!this.#dataAtRisk()) this.#replace(node);
  }

  #wipe(node: SimNode): void {
    if (this.#dataAtRisk()) return;
    if (this.#world.planted !== "id-reused") {
      this.#replace(node);
      return;
    }
    const ids = [...this.#world.nodes.keys()];
    node.crash("none");
    const reborn = new SimNode(this.#world, node.id, ids);
    this.#world.nodes.set(node.id, reborn);
    this.#startLater(reborn);
  }

  /** `node` is lost for good; a new one takes its place under a new id. */
  #replace(node: SimNode): void {
    if (this.#lost !== undefined) return;
    this.#lost = node;
    node.crash("none");
    const fresh = new SimNode(this.#world, this.#nextId, undefined);
    this.#nextId += 1;
    this.#world.nodes.set(fresh.id, fresh);
    void fresh.start();
    const wanted = { oldId: node.id, newId: fresh.id, joint: this.#random.chance(0.5) };
    this.#replacing = replaceNode(this.#world, wanted).then(() => {
      this.#world.nodes.delete(node.id);
      this.#lost = undefined;
      this.#replacing = undefined;
    });
    this.#replacing.catch((error: unknown) => this.#world.violated(error));
  }
}

function endsSealed(node: SimNode, path: string): boolean {
  const content = Buffer.from(node.disk.content(path));
  const record = content.subarray(-RECORD_HEADER_BYTES);
  return (
    content.byteLength > 112 &&
    record.toString("latin1", 8, 10) === "RL" &&
    record[10] === RECORD_TYPES.seal
  );
}
