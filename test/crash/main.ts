// `node test/crash/main.ts [--replicas 1|3|both] [--every N] [--offset N] [--seed S]`: cuts the
// power after every disk operation of a metadata cluster's life (every N-th), in all four modes.
// The shard store's and the Raft log's own enumerations are tests of theirs (test/unit). Exit code
// 1 and the command that repeats it for each point that does not hold.
import process from "node:process";
import { parseArgs } from "node:util";
import { countMetadataChanges, crashMetadata } from "./metadata-crash.ts";

const MODES = ["all", "none", "random", "torn"] as const;

const { values } = parseArgs({
  options: {
    replicas: { type: "string", default: "both" },
    every: { type: "string", default: "1" },
    offset: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    at: { type: "string" },
    mode: { type: "string" },
  },
});
const every = Number(values.every);
const offset = Number(values.offset);
const seed = Number(values.seed);
const all = [1, 3] as const;
const counts = all.filter(
  (count) => values.replicas === "both" || Number(values.replicas) === count,
);
const modes = MODES.filter((mode) => values.mode === undefined || values.mode === mode);
let points = 0;
let violations = 0;
for (const replicas of counts) {
  for (const mode of modes) {
    const options = { replicas, mode, seed };
    const total = await countMetadataChanges(options);
    const only = values.at === undefined ? undefined : Number(values.at);
    for (let change = only ?? 1 + offset; change <= (only ?? total); change += every) {
      points += 1;
      try {
        await crashMetadata(options, change);
      } catch (error) {
        violations += 1;
        process.stdout.write(
          `--replicas ${replicas} --mode ${mode} --seed ${seed} --at ${change}: ${String(error)}\n`,
        );
      }
    }
    process.stdout.write(`${replicas} replicas, ${mode}: ${total} operations\n`);
  }
}
process.stdout.write(`${points} crash points, ${violations} violations\n`);
process.exitCode = violations === 0 ? 0 : 1;
