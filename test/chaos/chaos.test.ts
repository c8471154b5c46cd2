// A short run of chaos on plain loopback: processes are killed and paused under load, every key's
// history has an order, and in the end everything acknowledged is read. `make chaos` does the rest
// of the fault matrix, in network namespaces and for longer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "../support/seeded-bytes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { loopbackCampuses } from "./campuses.ts";
import { ChaosCluster } from "./chaos-cluster.ts";
import { runRound } from "./round.ts";
import { summary } from "./summary.ts";

const SECONDS = 20;

test("kills and pauses under load: nothing lost, every history has an order", async (t) => {
  const seed = runSeed("chaos");
  const folder = temporaryFolder("dolium-chaos-test-");
  const say = (text: string): void => t.diagnostic(text);
  const cluster = await ChaosCluster.start({
    dataDir: folder.path,
    campuses: loopbackCampuses(),
    shape: { metadata: 3, storage: 6, gateways: 2 },
  });
  try {
    const result = await runRound({
      cluster,
      dataDir: folder.path,
      seed,
      seconds: SECONDS,
      nemeses: ["kill-storage", "kill-leader", "kill-gateway", "pause-storage", "pause-leader"],
      clients: 6,
      pauseMs: 30,
      say,
      signal: new AbortController().signal,
    });
    const text = summary(result);
    say(text);
    assert.ok(result.strikes.length > 0, text);
    assert.ok(result.isGood, text);
  } finally {
    await cluster.close();
    folder.remove();
  }
});
