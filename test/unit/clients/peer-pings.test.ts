// The ways to storage nodes: the shortest of a campus is told, who is silent has no figure, and
// what cannot be read counts as nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { linkDetails, linksOf } from "../../../services/lib/clients/gateway-links.ts";
import { PeerPings } from "../../../services/lib/clients/peer-pings.ts";
import { ClusterStatusResponseSchema } from "../../../services/lib/gen/dolium/cluster/v1/cluster_pb.ts";
import type { ClusterMap } from "../../../services/lib/placement/cluster-map.ts";
import type { Transport } from "../../../services/lib/ports/transport.ts";
import { SimClock, settle } from "../../sim/clock.ts";
import { MemoryMetrics } from "../gateway/memory-gateway.ts";

type Node = ClusterMap["nodes"][number];

function node(name: string, campus: string, state: Node["state"] = "up"): Node {
  const place = { rack: "", host: name, state, disks: [] };
  return { nodeId: 1, name, address: name, campus, ...place };
}

/** Peers that answer after so many milliseconds, or with that error. */
function rig(
  ways: Readonly<Record<string, number | StoreError>>,
  nodes: Node[],
  replicas: readonly string[] = [],
) {
  const clock = new SimClock();
  /** Of their clocks from ours, in milliseconds. */
  const drifts = new Map<string, number>();
  const metrics = new MemoryMetrics();
  const answers = new Map(Object.entries(ways));
  const channel = (address: string) => ({
    address,
    unary: async (): Promise<unknown> => {
      const way = answers.get(address) ?? new StoreError("unavailable", "nobody there");
      if (typeof way !== "number") throw way;
      await clock.sleep(way / 2);
      const wallMs = BigInt(Math.floor(clock.wallMs() + (drifts.get(address) ?? 0)));
      await clock.sleep(way / 2);
      return { wallMs, name: `name of ${address}` };
    },
  });
  const transport = { channel } as unknown as Transport;
  const known = { nodes };
  const pings = new PeerPings({ transport, clock, metrics, map: () => known, replicas });
  return { clock, metrics, answers, drifts, known, pings };
}

async function measured({ clock, pings }: ReturnType<typeof rig>): Promise<void> {
  let isOver = false;
  const work = pings.measure().finally(() => {
    isOver = true;
  });
  await settle();
  while (!isOver) await clock.run(clock.monotonicMs() + 1);
  await work;
}

test("the nearest node of a campus counts, by its shortest way of late", async () => {
  const nodes = [node("a1", "um"), node("a2", "um"), node("b1", "msu")];
  const here = rig({ a1: 3, a2: 2, b1: 20 }, nodes);
  await measured(here);
  assert.deepEqual(Object.fromEntries(here.pings.campuses()), { um: 2, msu: 20 });
  assert.equal(here.metrics.values.get('peer_rtt_seconds{peer="b1"}'), 0.02);
  here.answers.set("b1", 50);
  await measured(here);
  assert.equal(here.pings.campuses().get("msu"), 20, "the rest of it was waiting");
  for (let turn = 0; turn < 6; turn += 1) await measured(here);
  assert.equal(here.pings.campuses().get("msu"), 50, "the way became longer");
});

test("a disk that is away is an answer, silence is none and forgets", async () => {
  const gone = new StoreError("not-found", "disk 0 is not here");
  const here = rig({ a1: gone, b1: 5 }, [node("a1", "um"), node("b1", "msu")]);
  await measured(here);
  assert.deepEqual([...here.pings.campuses().keys()].sort(), ["msu", "um"]);
  for (const code of ["unavailable", "timeout", "aborted"] as const) {
    here.answers.set("b1", 5);
    await measured(here);
    assert.equal(here.pings.campuses().get("msu"), 5);
    here.answers.set("b1", new StoreError(code, "silent"));
    await measured(here);
    assert.equal(here.pings.campuses().has("msu"), false, code);
  }
});

test("nodes that were given up are not called, and have no figure any more", async () => {
  const here = rig({ a1: 1, b1: 5 }, [node("a1", "um"), node("b1", "msu")]);
  await measured(here);
  here.known.nodes = [node("a1", "um"), node("b1", "msu", "out")];
  await measured(here);
  assert.deepEqual([...here.pings.campuses().keys()], ["um"]);
  const figures = [...here.metrics.values].filter(([series]) => series.includes("b1"));
  assert.equal(figures.length, 3);
  assert.ok(
    figures.every(([, value]) => Number.isNaN(value)),
    JSON.stringify(figures),
  );
});

test("clocks of nodes and of metadata replicas are compared with ours", async () => {
  const here = rig({ a1: 4, m1: 2 }, [node("a1", "um")], ["m1", "m2"]);
  const figure = (name: string, peer: string) => here.metrics.values.get(`${name}{peer="${peer}"}`);
  here.drifts.set("a1", 3000).set("m1", -2_000_000);
  await measured(here);
  // Half of the call's time cannot be told from a drift.
  assert.equal(figure("clock_offset_seconds", "a1"), 2.998);
  assert.equal(figure("clock_offset_seconds", "name of m1"), -1999.999);
  assert.equal(figure("peer_up", "name of m1"), 1);
  assert.equal(figure("peer_rtt_seconds", "name of m1"), 0.002);
  assert.equal(figure("peer_up", "m2"), 0, "it never told its name");
  assert.equal(figure("clock_offset_seconds", "m2"), Number.NaN);
  assert.deepEqual([...here.pings.campuses().keys()], ["um"], "replicas are of no campus");
  here.drifts.set("a1", 1);
  here.answers.set("m1", new StoreError("timeout", "silent"));
  await measured(here);
  assert.equal(Math.abs(figure("clock_offset_seconds", "a1") ?? 1), 0);
  assert.equal(figure("clock_offset_seconds", "name of m1"), Number.NaN);
  assert.equal(figure("peer_up", "name of m1"), 0);
});

test("it measures again and again until it is stopped", async () => {
  const here = rig({ a1: 1 }, []);
  here.pings.start();
  await settle();
  here.known.nodes = [node("a1", "um")];
  await here.clock.run(2000);
  assert.equal(here.pings.campuses().get("um"), 1);
  here.answers.set("a1", new StoreError("unavailable", "gone"));
  await here.clock.run(15_000);
  assert.equal(here.pings.campuses().size, 0);
  here.pings.stop();
  here.answers.set("a1", 1);
  await here.clock.run(60_000);
  assert.equal(here.pings.campuses().size, 0);
});

test("links are what gateways tell, and nothing else", () => {
  const process = (role: string, name: string, details: string) => ({ role, name, details });
  const told = linkDetails(
    new Map([
      ["um", 0.41234],
      ["msu", 3],
    ]),
  );
  const cluster = create(ClusterStatusResponseSchema, {
    processes: [
      process("gateway", "gateway-2", told),
      process("gateway", "gateway-1", told),
      process("keeper", "keeper-1", told),
      ...["", "{", "null", "7", '{"campusRttMs":3}', '{"campusRttMs":{"um":"x"}}'].map((text) =>
        process("gateway", "old", text),
      ),
    ],
  });
  assert.deepEqual(linksOf(cluster), [
    { gateway: "gateway-1", campus: "msu", rttMs: 3 },
    { gateway: "gateway-1", campus: "um", rttMs: 0.412 },
    { gateway: "gateway-2", campus: "msu", rttMs: 3 },
    { gateway: "gateway-2", campus: "um", rttMs: 0.412 },
  ]);
  assert.deepEqual(linksOf(undefined), []);
});
