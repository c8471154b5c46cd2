// Harm to processes: killed, paused, a whole campus of them, restarted one after the other.

import { eventually } from "../../support/eventually.ts";
import { CAMPUSES } from "../campuses.ts";
import type { ChaosProcess } from "../chaos-process.ts";
import {
  type Nemesis,
  type NemesisKind,
  nothingMissing,
  pick,
  pickSome,
  type Scene,
} from "./nemesis.ts";

const READY_MS = 400_000;
type Choose = (scene: Scene) => Promise<readonly ChaosProcess[]>;

/** Of the names' groups two times out of three, else of the root group. */
const leader: Choose = async ({ cluster, random }) => {
  const groupIds = await eventually("the groups", READY_MS, async () => {
    const { groups } = await cluster.status();
    return groups.length > 0 ? groups.map(({ groupId }) => groupId) : undefined;
  });
  return [await cluster.leaderOf(pick(random, groupIds))];
};

const storage: Choose = async ({ cluster, random }) =>
  pickSome(random, cluster.byRole("storage"), 1 + Math.floor(random() * 2));

const metadata: Choose = async ({ cluster, random }) => {
  const replicas = cluster.byRole("metadata");
  return pickSome(random, replicas, Math.floor((replicas.length - 1) / 2));
};

const gateway: Choose = async ({ cluster, random }) => [pick(random, cluster.byRole("gateway"))];

const keeper: Choose = async ({ cluster }) => cluster.byRole("keeper");

const campus: Choose = async ({ cluster, random }) => {
  const where = pick(random, CAMPUSES);
  return cluster.processes.filter(({ plan }) => plan.campus === where);
};

const TARGETS: Readonly<Record<string, Choose>> = {
  leader,
  storage,
  metadata,
  gateway,
  keeper,
  campus,
};

function namesOf(victims: readonly ChaosProcess[]): string {
  return victims.map(({ name }) => name).join(", ");
}

function kill(victims: readonly ChaosProcess[]): Nemesis {
  return {
    text: `kill -9 ${namesOf(victims)}`,
    start: async () => {
      await Promise.all(victims.map((victim) => victim.kill()));
    },
    stop: async () => {
      for (const victim of victims) victim.start();
      await Promise.all(victims.map((victim) => victim.untilReady(READY_MS)));
    },
  };
}

function pause(victims: readonly ChaosProcess[]): Nemesis {
  return {
    text: `pause ${namesOf(victims)}`,
    start: async () => {
      for (const victim of victims) victim.signal("SIGSTOP");
    },
    stop: async () => {
      for (const victim of victims) victim.signal("SIGCONT");
    },
  };
}

function kinds(
  verb: string,
  lastsMs: readonly [number, number],
  make: (victims: readonly ChaosProcess[]) => Nemesis,
): NemesisKind[] {
  return Object.entries(TARGETS).map(([target, choose]) => ({
    name: `${verb}-${target}`,
    sparesShards: target !== "storage" && target !== "campus",
    missing: nothingMissing,
    lastsMs,
    draw: async (scene) => make(await choose(scene)),
  }));
}

/** Every process once, each ready again before the next one stops. */
function roll(scene: Scene): Nemesis {
  return {
    text: "restart every process, one after the other",
    start: async () => {
      for (const victim of scene.cluster.processes) {
        await victim.stop();
        victim.start();
        await victim.untilReady(READY_MS);
        await scene.cluster.untilWhole(READY_MS);
      }
    },
    stop: async () => {
      for (const victim of scene.cluster.processes) victim.start();
    },
  };
}

export const PROCESS_NEMESES: readonly NemesisKind[] = [
  ...kinds("kill", [500, 8000], kill),
  ...kinds("pause", [1000, 12_000], pause),
  {
    name: "rolling-restart",
    missing: nothingMissing,
    lastsMs: [0, 0],
    draw: async (scene) => roll(scene),
  },
];
