// `node test/rot/main.ts --rounds N --seed S`: damages stores and prints what they made of it; exit
// code 1 for any wrong answer.
import process from "node:process";
import { parseArgs } from "node:util";
import { runRot } from "./rot-run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "2000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
  },
});
const { rounds, noticed, harmless, violations } = await runRot(
  Number(values.rounds),
  Number(values.seed),
);
for (const name of new Set([...noticed.keys(), ...harmless.keys()])) {
  process.stdout.write(
    `${name}: ${noticed.get(name) ?? 0} noticed, ${harmless.get(name) ?? 0} harmless\n`,
  );
}
for (const words of violations) process.stdout.write(`VIOLATION ${words}\n`);
process.stdout.write(`seed ${values.seed}: ${rounds} rounds, ${violations.length} wrong answers\n`);
process.exitCode = violations.length === 0 ? 0 : 1;
