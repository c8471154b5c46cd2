// Clients that go away at each 1/64 of a body: what was there stays, and nothing is left of them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LocalCluster } from "../support/local-cluster.ts";
import { AbortRun, STEPS } from "./abort-run.ts";

/** Every other step of each kind; `make aborts` takes them all, many times. */
const STRIDE = 2;
const COUNT = (STEPS / STRIDE) * 4;
const root = mkdtempSync(join(tmpdir(), "dolium-aborts-"));
let cluster: LocalCluster;
let run: AbortRun;

before(async () => {
  const directories = Array.from({ length: 6 }, (_, at) => join(root, `disk-${at}`));
  cluster = await LocalCluster.start({ args: ["server", ...directories], dataDir: root });
  const { endpoints, accessKeyId, secretAccessKey, region, processes } = cluster.ready;
  const target = { endpoint: endpoints[0] ?? "", accessKeyId, secretAccessKey, region };
  run = new AbortRun(target, processes[0]?.pid ?? 0, STRIDE);
  await run.prepare();
});

after(async () => {
  await cluster?.stop();
  rmSync(root, { recursive: true, force: true });
});

test("aborted uploads change nothing and leave no descriptor behind", async () => {
  await run.abort(STEPS / STRIDE);
  const former = await run.measure();
  await run.abort(COUNT);
  await run.check();
  const now = await run.measure(former.sockets);
  assert.ok(
    now.descriptors <= former.descriptors + DESCRIPTORS_SLACK,
    `${former.descriptors} descriptors became ${now.descriptors}`,
  );
  const grown = now.residentBytes - former.residentBytes;
  assert.ok(grown < MEMORY_SLACK, `${Math.round(grown / 2 ** 20)} MiB more are resident`);
  await run.complete();
});

/** Segments and tables that may be opened meanwhile. */
const DESCRIPTORS_SLACK = 40;
/** A heap that is still warming up; a body kept for each abort would be 700 MiB. */
const MEMORY_SLACK = 150 * 2 ** 20;
