// What everybody is told of the campuses: endpoints of gateways that live, asked for seldom, kept
// while the root group is silent; and the page that tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { CampusEndpoints } from "../../../services/lib/clients/campus-endpoints.ts";
import { linkDetails } from "../../../services/lib/clients/gateway-links.ts";
import {
  type ClusterStatusResponse,
  ClusterStatusResponseSchema,
} from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { SimClock } from "../../sim/clock.ts";
import { SILENT_LOG } from "../../support/shard-nodes.ts";

const NONE = new Map<string, number>();

function gateway(name: string, campus: string, endpoint: string, heardMsAgo = 100) {
  const details = linkDetails(NONE, endpoint);
  return { role: "gateway", name, campus, details, lastHeardMsAgo: BigInt(heardMsAgo) };
}

const STATUS = create(ClusterStatusResponseSchema, {
  processes: [
    gateway("g1", "um", "https://um.example"),
    gateway("g2", "um", "https://um.example"),
    gateway("g3", "msu", ""),
    gateway("g4", "wsu", "https://wsu.example", 60_000),
    { role: "keeper", name: "k", campus: "um", details: "not JSON" },
  ],
});

const SHOWN = [
  { campus: "msu", endpoints: [], gateways: 1 },
  { campus: "um", endpoints: ["https://um.example"], gateways: 2 },
];

function setUp(answer: () => Promise<ClusterStatusResponse>) {
  const clock = new SimClock();
  let asked = 0;
  const metadata = {
    clusterStatus: async () => {
      asked += 1;
      return answer();
    },
  };
  const endpoints = new CampusEndpoints({ metadata, clock, log: SILENT_LOG });
  return { clock, endpoints, asked: () => asked };
}

test("endpoints by campus, each once, of gateways that were heard of lately", async () => {
  const { endpoints } = setUp(async () => STATUS);
  assert.deepEqual(await endpoints.list(), SHOWN);
});

test("the root group is asked once for all who ask within five seconds", async () => {
  const { endpoints, clock, asked } = setUp(async () => STATUS);
  await Promise.all([endpoints.list(), endpoints.list()]);
  await endpoints.list();
  assert.equal(asked(), 1);
  await clock.run(clock.monotonicMs() + 5000);
  await endpoints.list();
  assert.equal(asked(), 2);
});

test("what was known is kept while the root group does not answer", async () => {
  let isAway = false;
  const { endpoints, clock } = setUp(async () => {
    if (isAway) throw new StoreError("unavailable", "cut off");
    return STATUS;
  });
  await endpoints.list();
  isAway = true;
  await clock.run(clock.monotonicMs() + 5000);
  assert.deepEqual(await endpoints.list(), SHOWN);
});
