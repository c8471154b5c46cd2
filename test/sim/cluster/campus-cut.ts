// How long reads and writes stand still when a campus is cut off, in simulated time, so that the
// machine's load does not count: `node test/sim/cluster/campus-cut.ts [SEED]`. Five metadata
// replicas, six storage nodes and three gateways over three campuses, up to 80 ms there and back;
// each campus is cut off once. Prints the longest gaps of the gateways that are left, as JSON.
import process from "node:process";
import { loadChecksums } from "../../../services/lib/s3/checksums.ts";
import { CALM_NETWORK } from "../network.ts";
import { createSimRandom } from "../random.ts";
import { SimCluster } from "./cluster.ts";
import { plant } from "./planted/plant.ts";
import { callS3, type S3Call } from "./s3-client.ts";

const CAMPUSES = 3;
const ONE_WAY_MS = 40;
const READY_MS = 120_000;
const CALM_MS = 8000;
const CUT_MS = 25_000;
const PAUSE_MS = 50;
const LANES = 3;
/** Larger than what is kept with the names. */
const BODY = Buffer.alloc(20_000, 7);

export interface CutGaps {
  readonly campus: number;
  /** Simulated milliseconds. */
  readonly readMs: number;
  readonly writeMs: number;
}

async function cutOff(seed: number, campus: number): Promise<CutGaps> {
  const plants = plant(undefined);
  const cluster = new SimCluster({
    random: createSimRandom(seed),
    shape: { gateways: CAMPUSES, metadata: 5, storage: 6, keepers: 1 },
    plants,
    checksums: await loadChecksums(),
    settings: {
      ...{ dataShards: 4, parityShards: 2, cellBytes: 4096, segmentBytes: 256 * 1024 },
      ...{ inlineBytes: 2048, indexGroupCount: 2, outAfterMs: 600_000, keepEntries: 1000 },
      keeper: {},
    },
  });
  const { clock, network, gateways } = cluster;
  network.faults = { ...CALM_NETWORK, fastMs: ONE_WAY_MS };
  cluster.start();
  const isOk = async (at: number, call: S3Call): Promise<boolean> => {
    const gateway = gateways[at];
    if (gateway === undefined) return false;
    const answer = await callS3(cluster, gateway, call);
    return typeof answer !== "string" && answer.status === 200;
  };
  const until = async (limitMs: number, work: () => Promise<void>): Promise<void> => {
    let isDone = false;
    const ended = work().then(() => {
      isDone = true;
    });
    await clock.run(clock.monotonicMs() + limitMs, () => isDone);
    if (!isDone) throw new Error("the simulated cluster does not become ready");
    await ended;
  };
  await until(READY_MS, async () => {
    for (const target of ["/one", "/one/read"]) {
      const body = target === "/one" ? new Uint8Array(0) : BODY;
      while (!(await isOk(0, { method: "PUT", target, body }))) await clock.sleep(PAUSE_MS);
    }
  });
  const ends = { read: [] as number[], write: [] as number[] };
  let isStopped = false;
  const lane = async (at: number, kind: "read" | "write", number: number): Promise<void> => {
    while (!isStopped) {
      const target = kind === "read" ? "/one/read" : `/one/${at}-${number}`;
      const call =
        kind === "read" ? { method: "GET", target } : { method: "PUT", target, body: BODY };
      if (await isOk(at, call)) ends[kind].push(clock.monotonicMs());
      await clock.sleep(PAUSE_MS);
    }
  };
  const left = [...gateways.keys()].filter((at) => at % CAMPUSES !== campus);
  const lanes = left.flatMap((at) =>
    Array.from({ length: LANES }, (_, number) => [
      lane(at, "read", number),
      lane(at, "write", number),
    ]).flat(),
  );
  await clock.run(clock.monotonicMs() + CALM_MS);
  const from = clock.monotonicMs();
  const roles = [cluster.metadata, cluster.storage, gateways, cluster.keepers];
  const inside = roles.flatMap((role) => role.filter((_, at) => at % CAMPUSES === campus));
  network.partition(
    inside.map(({ number }) => number),
    cluster.processes.map(({ number }) => number),
  );
  await clock.run(from + CUT_MS);
  isStopped = true;
  const gaps = {
    campus: campus + 1,
    readMs: longest(ends.read, from),
    writeMs: longest(ends.write, from),
  };
  network.heal();
  let areDone = false;
  void Promise.all(lanes).then(() => {
    areDone = true;
  });
  await clock.run(clock.monotonicMs() + READY_MS, () => areDone);
  for (const each of cluster.processes) each.crash("kill");
  return gaps;
}

/** The longest time without an end from `from` on; `CUT_MS` where there was none. */
function longest(ends: readonly number[], from: number): number {
  let [worst, before] = [0, from];
  for (const end of [...ends.filter((at) => at > from), from + CUT_MS]) {
    worst = Math.max(worst, end - before);
    before = end;
  }
  return worst;
}

const seed = Number(process.argv[2] ?? "1");
for (let campus = 0; campus < CAMPUSES; campus += 1) {
  process.stdout.write(`${JSON.stringify(await cutOff(seed, campus))}\n`);
}
process.exit(0);
