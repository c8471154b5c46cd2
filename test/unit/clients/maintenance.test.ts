// What may be taken down: nothing that a majority or a readable object needs, and nothing of which
// that cannot be told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { departureObjections, Maintenance } from "../../../services/lib/clients/maintenance.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createLog } from "../../../services/lib/host/log.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { SimClock } from "../../sim/clock.ts";
import { type SampleFacts, sampleReport } from "./sample-report.ts";

function objections(facts: SampleFacts, ...names: string[]): string[] {
  return departureObjections(sampleReport(facts), new Set(names));
}

test("one of each kind may go while all is well", () => {
  for (const name of ["m1", "m3", "s1", "s6", "keeper"]) assert.deepEqual(objections({}, name), []);
  assert.deepEqual(objections({}, "m2", "s2"), [], "both on one machine");
});

test("a replica must stay when a majority would go with it", () => {
  const silent = { silentReplicas: [3] };
  assert.match(objections(silent, "m1").join(), /1 voters would serve, 2 are a majority/);
  assert.deepEqual(objections(silent, "m3"), [], "it is away already");
  assert.deepEqual(objections(silent, "s1"), []);
  assert.match(objections({}, "m1", "m2").join(), /majority/);
  const five = { replicas: 5, silentReplicas: [4, 5] };
  assert.match(objections(five, "m1").join(), /2 voters would serve, 3 are a majority/);
});

test("a storage node must stay when no further one may fail", () => {
  assert.deepEqual(objections({ down: [1] }, "s2"), []);
  assert.match(objections({ down: [1, 2] }, "s3").join(), /storage: 0 more nodes/);
  assert.deepEqual(objections({ down: [1, 2] }, "s1"), [], "it is down");
  assert.deepEqual(objections({}, "s1", "s2"), []);
  assert.match(objections({}, "s1", "s2", "s3").join(), /storage: 2 more nodes/);
});

test("what cannot be told counts as no", () => {
  assert.match(objections({}, "s9").join(), /no node s9/);
  const report = sampleReport();
  const names = new Set(["s1"]);
  const blind = { ...report, cluster: undefined, clusterFailure: "nobody leads" };
  assert.match(departureObjections(blind, names).join(), /nobody leads/);
  const silentGroup = { ...report, stats: new Map([[2, undefined]]) };
  assert.match(departureObjections(silentGroup, names).join(), /storage/);
});

test("many who ask make one report a second", async () => {
  const clock = new SimClock();
  let asked = 0;
  const metadata = {
    clusterStatus: () => {
      asked += 1;
      return Promise.reject(new Error("nobody leads"));
    },
    query: () => Promise.reject(new Error("nobody leads")),
  };
  const log = createLog({ level: "silent" });
  const transport = createLocalNetwork({ clock, log, random: createRandom() }).createTransport({});
  const maintenance = new Maintenance({ transport, metadata, clock, replicas: [] });
  const names = new Set(["s1"]);
  const each = await Promise.all([1, 2, 3].map(() => maintenance.objections(names)));
  for (const reasons of each) assert.match(reasons.join(), /nobody leads/);
  assert.equal(asked, 1);
  await clock.run(1001);
  await maintenance.objections(names);
  assert.equal(asked, 2);
});
