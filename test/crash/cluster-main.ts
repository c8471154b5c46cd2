// `node test/crash/cluster-main.ts [--scenario NAME] [--mode MODE] [--every N] [--offset N]
// [--seed S] [--machine NAME --at K]`: cuts the power of a whole small cluster after every disk
// operation (every N-th) of every scenario, in all four modes. Exit code 1 and the command that
// repeats it for each point that does not hold.
import process from "node:process";
import { parseArgs } from "node:util";
import { clusterCrashPoints, crashCluster, SCENARIOS } from "./cluster-crash.ts";

const MODES = ["all", "none", "random", "torn"] as const;

const { values } = parseArgs({
  options: {
    scenario: { type: "string" },
    mode: { type: "string" },
    every: { type: "string", default: "1" },
    offset: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    machine: { type: "string" },
    at: { type: "string" },
  },
});
const every = Number(values.every);
const offset = Number(values.offset);
const seed = Number(values.seed);
const scenarios = values.scenario === undefined ? Object.keys(SCENARIOS) : [values.scenario];
const modes = MODES.filter((mode) => values.mode === undefined || values.mode === mode);
let cuts = 0;
let violations = 0;
for (const scenario of scenarios) {
  for (const mode of modes) {
    const options = { scenario, mode, seed };
    const points = (await clusterCrashPoints(options)).filter(
      ({ machine, change }, index) =>
        index % every === offset &&
        (values.machine === undefined || values.machine === machine) &&
        (values.at === undefined || Number(values.at) === change),
    );
    for (const point of points) {
      cuts += 1;
      try {
        await crashCluster(options, point);
      } catch (error) {
        violations += 1;
        const { machine, change } = point;
        const repeat = `--scenario ${scenario} --mode ${mode} --seed ${seed}`;
        const reason = error instanceof Error ? error.stack : String(error);
        process.stdout.write(`${repeat} --machine ${machine} --at ${change}: ${reason}\n`);
      }
    }
    process.stdout.write(`${scenario}, ${mode}: ${points.length} operations\n`);
  }
}
process.stdout.write(`${cuts} crash points, ${violations} violations\n`);
process.exitCode = violations === 0 ? 0 : 1;
