// A few replicas on a calm simulated network, driven by the test's own script.
import assert from "node:assert/strict";
import type { RaftGroup } from "../../../services/lib/raft/types.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimNetwork } from "../../sim/network.ts";
import { Checker } from "../../sim/raft/checker.ts";
import { leaderOf } from "../../sim/raft/members.ts";
import { SimNode, type World } from "../../sim/raft/node.ts";
import { createSimRandom } from "../../sim/random.ts";

export interface Rig {
  readonly world: World;
  readonly clock: SimClock;
  readonly errors: unknown[];
  /** Lets `ms` of virtual time pass. */
  run(ms: number): Promise<void>;
  /** Lets time pass until `work` has settled; at most 20 s. */
  settle<T>(work: Promise<T>): Promise<T>;
  until(condition: () => boolean): Promise<void>;
  node(id: number): SimNode;
  group(id: number): RaftGroup;
  leader(): { readonly node: SimNode; readonly group: RaftGroup };
  add(id: number): Promise<SimNode>;
}

export const LIMITS = { deadlineMs: 3000 };

export async function createRig(
  nodeCount: number,
  timing: World["timing"] = {},
  seed = 1,
): Promise<Rig> {
  const clock = new SimClock();
  const random = createSimRandom(seed);
  const errors: unknown[] = [];
  const world: World = {
    clock,
    random,
    network: new SimNetwork(clock, random.fork("network")),
    checker: new Checker(),
    nodes: new Map(),
    groupIds: [1],
    timing: { tickMs: 50, electionTicks: 5, heartbeatTicks: 1, ...timing },
    segmentBytes: 100_000,
    planted: undefined,
    appended: new Map(),
    lines: undefined,
    onLeader: undefined,
    violated: (error) => errors.push(error),
  };
  const rig = rigOf(world, clock, errors);
  const ids = Array.from({ length: nodeCount }, (_, at) => at + 1);
  for (const id of ids) world.nodes.set(id, new SimNode(world, id, ids));
  for (const node of world.nodes.values()) void node.start();
  await rig.until(() => leaderOf(world, 1) !== undefined && [...world.nodes.values()].every(isUp));
  return rig;
}

function isUp(node: SimNode): boolean {
  return node.up && !node.starting && node.group(1)?.leader() !== undefined;
}

function rigOf(world: World, clock: SimClock, errors: unknown[]): Rig {
  const run = (ms: number): Promise<void> => clock.run(clock.monotonicMs() + ms);
  async function until(condition: () => boolean): Promise<void> {
    await clock.run(clock.monotonicMs() + 20_000, condition);
    assert.ok(condition(), "it did not happen in 20 s");
  }
  const node = (id: number): SimNode => {
    const found = world.nodes.get(id);
    assert.ok(found !== undefined, `no node ${id}`);
    return found;
  };
  const group = (id: number): RaftGroup => {
    const found = node(id).group(1);
    assert.ok(found !== undefined, `node ${id} is down`);
    return found;
  };
  return {
    world,
    clock,
    errors,
    run,
    until,
    node,
    group,
    async settle(work) {
      let settled = false;
      const watched = work.finally(() => {
        settled = true;
      });
      watched.catch(() => undefined);
      await clock.run(clock.monotonicMs() + 20_000, () => settled);
      assert.ok(settled, "it did not settle in 20 s");
      return watched;
    },
    leader() {
      const leading = leaderOf(world, 1);
      assert.ok(leading !== undefined, "nobody leads");
      return { group: leading, node: node(leading.status().nodeId) };
    },
    async add(id) {
      const fresh = new SimNode(world, id, undefined);
      world.nodes.set(id, fresh);
      void fresh.start();
      await until(() => fresh.up && !fresh.starting);
      return fresh;
    },
  };
}

export function command(text: string): Uint8Array {
  return Buffer.from(text);
}

/** What a replica's state holds, without the entries that carry no command. */
export function commands(node: SimNode): string[] {
  return (node.machine(1)?.list ?? []).flatMap((one) => (one.command === "" ? [] : [one.command]));
}
