// Every disk operation of what clients and the keeper do to a cluster may be the last before the
// power of all machines goes: whole and small bodies, overwrites, deletes, copies, uploads, garbage
// collection and repair, from the gateway down. After each cut everything starts again; what was
// acknowledged is there byte by byte, nothing else is half there, and in the end nothing is
// missing, waiting or left over.
import assert from "node:assert/strict";
import type { CrashMode } from "../sim/disk.ts";
import { ClusterWorld, type CrashPoint, type WorldOptions } from "./cluster-world.ts";

interface Scenario {
  /** What must be there before; not cut. */
  readonly before: (world: ClusterWorld) => Promise<void>;
  /** Whose disk operations are enumerated. */
  readonly act: (world: ClusterWorld) => Promise<void>;
}

const WHOLE = 6000;
const SMALL = 100;
const nothing = async (): Promise<void> => undefined;

async function keep(world: ClusterWorld): Promise<void> {
  world.startKeeper();
  await world.quiet();
  world.stopKeeper();
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  put: { before: nothing, act: (world) => world.put("a", WHOLE) },
  "put-small": { before: nothing, act: (world) => world.put("a", SMALL) },
  overwrite: {
    before: (world) => world.put("a", WHOLE),
    act: (world) => world.put("a", WHOLE),
  },
  delete: { before: (world) => world.put("a", WHOLE), act: (world) => world.delete("a") },
  copy: { before: (world) => world.put("a", WHOLE), act: (world) => world.copy("a", "b") },
  upload: { before: nothing, act: (world) => world.multipart("a", WHOLE, "complete") },
  "upload-aborted": {
    before: (world) => world.put("a", WHOLE),
    act: (world) => world.multipart("a", WHOLE, "abort"),
  },
  garbage: {
    before: async (world) => {
      await world.put("a", WHOLE);
      await world.put("b", WHOLE);
      await world.put("a", WHOLE);
      await world.delete("b");
    },
    act: keep,
  },
  repair: {
    before: async (world) => {
      await world.put("a", WHOLE);
      world.rot();
    },
    act: keep,
  },
};

export interface ClusterCrashOptions extends WorldOptions {
  readonly scenario: string;
  readonly mode: CrashMode;
}

/** No disk operation: the power goes when the last answer is there. */
export const AFTER_ANSWER: CrashPoint = { machine: "client", change: 0 };

async function begun(options: ClusterCrashOptions): Promise<[ClusterWorld, Scenario]> {
  const { scenario } = options;
  const found = SCENARIOS[scenario];
  assert.ok(found !== undefined, `no such scenario: ${scenario}`);
  const world = await ClusterWorld.make(options);
  await world.drive("start", () => world.start());
  await world.drive("before", () => found.before(world));
  return [world, found];
}

/** Every disk operation of the scenario, machine by machine, and its end. */
export async function clusterCrashPoints(options: ClusterCrashOptions): Promise<CrashPoint[]> {
  const [world, { act }] = await begun(options);
  const from = world.changes();
  await world.drive("act", () => act(world));
  const points = [...world.changes()].flatMap(([machine, to]) => {
    const first = from.get(machine) ?? 0;
    return Array.from({ length: to - first }, (_, at) => ({ machine, change: first + at + 1 }));
  });
  return [...points, AFTER_ANSWER];
}

/** Cuts the power right after `point`; throws when something does not hold afterwards. */
export async function crashCluster(options: ClusterCrashOptions, point: CrashPoint): Promise<void> {
  const { scenario, mode, seed } = options;
  const { machine, change } = point;
  const where = `${scenario}, ${mode} after change ${change} of ${machine}, seed ${seed}`;
  const [world, { act }] = await begun(options);
  if (point !== AFTER_ANSWER) world.cutAfter(point, mode);
  await world.drive(where, () => act(world));
  if (point === AFTER_ANSWER) world.cut(mode);
  assert.ok(world.isCut, `${where}: the work ended before`);
  await world.check(where);
}
