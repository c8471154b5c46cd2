// A slice of the crash points of a whole cluster, other modes for other scenarios; `make crash`
// takes them all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLANTED_BUGS } from "../sim/cluster/planted/plant.ts";
import { AFTER_ANSWER, clusterCrashPoints, crashCluster, SCENARIOS } from "./cluster-crash.ts";

const MODES = ["none", "torn", "random", "all"] as const;
const POINTS = 2;

for (const [at, scenario] of Object.keys(SCENARIOS).entries()) {
  const mode = MODES[at % MODES.length] ?? "none";
  test(`a cluster that loses power during ${scenario} keeps its word (${mode} kept)`, async () => {
    const options = { scenario, mode, seed: 1 };
    const points = await clusterCrashPoints(options);
    assert.ok(points.length >= POINTS, `${points.length} operations`);
    const step = Math.floor(points.length / POINTS);
    for (const [index, point] of points.entries()) {
      if (index % step === Math.min(at, step - 1)) await crashCluster(options, point);
    }
  });
}

for (const name of ["skipped-fsync-storage", "skipped-fsync-raft-log"]) {
  test(`a cut after the answer finds the planted bug ${name}`, async () => {
    const planted = PLANTED_BUGS.get(name);
    assert.ok(planted !== undefined);
    const options = { scenario: "put", mode: "none", seed: 1 } as const;
    await crashCluster(options, AFTER_ANSWER);
    await assert.rejects(crashCluster({ ...options, planted }, AFTER_ANSWER));
  });
}
