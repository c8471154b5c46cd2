// A slice of the crash points of a metadata cluster, and those that once did not hold; `make crash`
// takes them all.
import { test } from "node:test";
import {
  countMetadataChanges,
  crashMetadata,
  type MetadataCrashOptions,
} from "./metadata-crash.ts";

const MODES = ["all", "none", "random", "torn"] as const;

async function slice(options: MetadataCrashOptions, from: number, every: number): Promise<void> {
  const total = await countMetadataChanges(options);
  for (let change = from; change <= total; change += every) await crashMetadata(options, change);
}

for (const [at, mode] of MODES.entries()) {
  test(`a lone replica keeps what it acknowledged (${mode} of the unsynced kept)`, async () => {
    await slice({ replicas: 1, mode, seed: 1 }, 1 + at * 2, 8);
  });
  test(`three replicas that lose power at once go on (${mode} of the unsynced kept)`, async () => {
    await slice({ replicas: 3, mode, seed: 1 }, 1 + at * 60, 240);
  });
}

test("a replica whose replacement was cut short is a member again", async () => {
  const options = { replicas: 3, mode: "all", seed: 1 } as const;
  // Admitted before it knew its cluster; a leader before it knew that it votes.
  for (const change of [901, 926, 1139, 1145]) await crashMetadata(options, change);
});
