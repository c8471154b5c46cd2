// `node test/aborts/main.ts --count N`: aborts N uploads and prints what the server holds after
// each tenth of them; exit code 1 when sockets or descriptors grew, or something changed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { LocalCluster } from "../support/local-cluster.ts";
import { AbortRun, type Resources } from "./abort-run.ts";

const { values } = parseArgs({ options: { count: { type: "string", default: "5000" } } });
const count = Number(values.count);
const ROUNDS = 10;
const root = mkdtempSync(join(tmpdir(), "dolium-aborts-"));
const directories = Array.from({ length: 6 }, (_, at) => join(root, `disk-${at}`));
const cluster = await LocalCluster.start({ args: ["server", ...directories], dataDir: root });
try {
  const { endpoints, accessKeyId, secretAccessKey, region, processes } = cluster.ready;
  const target = { endpoint: endpoints[0] ?? "", accessKeyId, secretAccessKey, region };
  const run = new AbortRun(target, processes[0]?.pid ?? 0);
  await run.prepare();
  let first: Resources | undefined;
  for (let round = 1; round <= ROUNDS; round += 1) {
    await run.abort(Math.ceil(count / ROUNDS));
    await run.check();
    const now = await run.measure(first?.sockets);
    first ??= now;
    process.stdout.write(
      `${round * Math.ceil(count / ROUNDS)} aborts: ${now.descriptors} descriptors, ` +
        `${now.sockets} sockets, ${Math.round(now.residentBytes / 2 ** 20)} MiB resident\n`,
    );
    if (now.sockets > first.sockets) process.exitCode = 1;
  }
  await run.complete();
} finally {
  await cluster.stop();
  rmSync(root, { recursive: true, force: true });
}
