// One simulated run: draws everything from the seed, lets clients work while faults come and go,
// then heals all and demands that the service works and that all replicas agree. Throws the first
// violation.

import { SimClock, settle } from "../clock.ts";
import { CALM_NETWORK, SimNetwork } from "../network.ts";
import type { LogLine } from "../observers.ts";
import { createSimRandom, type SimRandom } from "../random.ts";
import { Checker, Violation } from "./checker.ts";
import { Client } from "./clients.ts";
import { leaderOf } from "./members.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNode, type World } from "./node.ts";
import type { PlantedBug } from "./planted.ts";

export interface RunOptions {
  readonly seed: number;
  readonly planted?: PlantedBug;
  /** Half the time under faults; a run of its own, not the first half of the long one. */
  readonly brief?: boolean;
  /** Kept when given: what the nodes logged. */
  readonly lines?: LogLine[];
}

export interface RunReport {
  readonly seed: number;
  readonly nodes: number;
  readonly groups: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly reads: number;
  readonly faults: Readonly<Record<string, number>>;
}

const HEAL_MS = 30_000;

/** Throws Violation when a check fails or the service does not come back. */
export async function simulate(options: RunOptions): Promise<RunReport> {
  const { seed, planted, lines, brief = false } = options;
  const random = createSimRandom(seed);
  const clock = new SimClock();
  const checker = new Checker();
  let violation: unknown;
  const nodeCount = random.pick([3, 3, 3, 4, 5]);
  const groupIds = Array.from({ length: random.between(1, 3) }, (_, at) => at + 1);
  const world: World = {
    clock,
    checker,
    random,
    network: new SimNetwork(clock, random.fork("network")),
    nodes: new Map(),
    groupIds,
    timing: drawTiming(random),
    segmentBytes: random.pick([3000, 12_000, 40_000]),
    planted,
    appended: new Map(),
    lines,
    onLeader: undefined,
    violated: (error) => {
      violation ??= error;
    },
  };
  const ids = Array.from({ length: nodeCount }, (_, at) => at + 1);
  for (const id of ids) world.nodes.set(id, new SimNode(world, id, ids));
  for (const node of world.nodes.values()) void node.start();
  const stop = (): boolean => violation !== undefined;
  const clients = [1, 2, 3].map((number) => new Client(world, `c${number}`));
  const thinkMs = random.pick([10, 30, 60]);
  for (const client of clients) void client.run(thinkMs);
  const nemesis = new Nemesis(world);
  await clock.run(random.between(400, 1000), stop);
  void nemesis.run();
  await clock.run(clock.monotonicMs() + random.between(1200, 4200) / (brief ? 2 : 1), stop);
  for (const client of clients) client.stopped = true;
  await heal(world, nemesis, stop);
  if (violation === undefined) finalCheck(world);
  await settle();
  if (violation !== undefined) throw violation;
  const { acknowledged, refused, unknown, reads } = checker;
  const faults = nemesis.counts;
  const groups = groupIds.length;
  return { seed, nodes: nodeCount, groups, acknowledged, refused, unknown, reads, faults };
}

function drawTiming(random: SimRandom): World["timing"] {
  return {
    tickMs: 50,
    electionTicks: random.between(4, 8),
    heartbeatTicks: random.between(1, 2),
    keepEntries: random.pick([5, 20, 60]),
    keepBytes: 1024 * 1024,
    snapshotIdleMs: 1000,
  };
}

/** Ends all faults and waits until every group takes a command and all replicas have caught up. */
async function heal(world: World, nemesis: Nemesis, stop: () => boolean): Promise<void> {
  const { clock } = world;
  nemesis.stop();
  world.onLeader = undefined;
  world.network.heal();
  world.network.faults = CALM_NETWORK;
  const until = clock.monotonicMs() + HEAL_MS;
  const probe = new Client(world, "probe");
  let done = false;
  async function watch(): Promise<void> {
    await nemesis.repaired();
    for (const groupId of world.groupIds) {
      while (!(await probe.write(groupId))) await clock.sleep(20);
    }
    while (!world.groupIds.every((groupId) => converged(world, groupId))) await clock.sleep(20);
    done = true;
  }
  watch().catch((error: unknown) => world.violated(error));
  await clock.run(until, () => done || stop());
  if (!done && !stop()) world.violated(new Violation(`not healed: ${describe(world)}`));
}

function converged(world: World, groupId: number): boolean {
  const leader = leaderOf(world, groupId);
  if (leader === undefined) return false;
  const { commitIndex, members } = leader.status();
  const up = members.voters.map((id) => world.nodes.get(id)?.machine(groupId)?.appliedIndex);
  return up.length > 0 && up.every((index) => index === commitIndex);
}

function finalCheck(world: World): void {
  try {
    for (const groupId of world.groupIds) {
      for (const node of world.nodes.values()) {
        const machine = node.machine(groupId);
        const voter = leaderOf(world, groupId)?.status().members.voters.includes(node.id);
        if (machine !== undefined && voter === true) {
          world.checker.final(groupId, node.id, machine.list);
        }
      }
    }
  } catch (error) {
    world.violated(error);
  }
}

function describe(world: World): string {
  const parts = world.groupIds.map((groupId) => {
    const nodes = [...world.nodes.values()].map((node) => {
      const status = node.group(groupId)?.status();
      if (status === undefined) return `${node.id}: down`;
      const { role, term, commitIndex, appliedIndex, lastIndex, members } = status;
      const place = `t${term} c${commitIndex} a${appliedIndex} l${lastIndex}`;
      return `${node.id}: ${role} ${place} ${members.voters.join("+")}`;
    });
    return `group ${groupId} {${nodes.join("; ")}}`;
  });
  return parts.join(" ");
}
