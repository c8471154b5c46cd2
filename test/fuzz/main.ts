// Runs fuzz targets: `node test/fuzz/main.ts --target policy --inputs 10000000 --seed 1`.
// `--target` may come several times; none: all. `--from N` begins with input N, to repeat one that
// failed. Prints what became of the inputs; exits with 1 when one failed.
import process from "node:process";
import { parseArgs } from "node:util";
import { type FuzzTarget, fuzz } from "./fuzz.ts";
import { TARGETS } from "./targets.ts";

const INPUTS_DEFAULT = "1000000";

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    inputs: { type: "string", default: INPUTS_DEFAULT },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
  },
});

function whole(text: string, name: string): number {
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  process.stderr.write(`--${name}: a whole number is wanted\n`);
  process.exit(2);
}

function chosen(names: readonly string[] | undefined): readonly FuzzTarget[] {
  const unknown = names?.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown === undefined) return TARGETS.filter(({ name }) => names?.includes(name) ?? true);
  const known = TARGETS.map(({ name }) => name).join(", ");
  process.stderr.write(`--target ${unknown}: there is ${known}\n`);
  process.exit(2);
}

const options = {
  seed: whole(values.seed, "seed"),
  inputs: whole(values.inputs, "inputs"),
  from: whole(values.from, "from"),
};

for (const target of chosen(values.target)) {
  const startedMs = performance.now();
  const onProgress = (done: number): boolean => process.stderr.write(`${target.name} ${done}\n`);
  const { outcomes, slowestMs } = fuzz(target, { ...options, onProgress });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const head = `${target.name}: ${options.inputs} inputs, seed ${options.seed}, from ${options.from}`;
  process.stdout.write(`${head}; ${seconds} s, slowest ${slowestMs.toFixed(1)} ms\n`);
  for (const [outcome, count] of [...outcomes].toSorted(([, a], [, b]) => b - a)) {
    process.stdout.write(`  ${outcome} ${count}\n`);
  }
}
