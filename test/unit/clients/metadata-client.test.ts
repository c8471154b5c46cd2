// The metadata client finds leaders, retries with one command id, and tells "did not happen" from
// "unknown".
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../services/lib/base/errors.ts";
import { MetadataClient } from "../../../services/lib/clients/metadata-client.ts";
import {
  type ExecuteRequest,
  MetadataService,
} from "../../../services/lib/gen/dolium/metadata/v1/metadata_pb.ts";
import { Outcome } from "../../../services/lib/gen/dolium/record/v1/command_pb.ts";
import { createClock } from "../../../services/lib/host/clock.ts";
import { createLocalNetwork } from "../../../services/lib/host/local-transport.ts";
import { createRandom } from "../../../services/lib/host/random.ts";
import { SILENT_LOG } from "../../support/shard-nodes.ts";

type Execute = (request: ExecuteRequest) => Promise<{ reply: { outcome: Outcome } }>;

const SEAL = { case: "sealBucket", value: { bucketId: 7 } } as const;

/** Replicas a, b, ... that answer as told, and a client that knows their addresses. */
async function replicas(
  behaviours: readonly Execute[],
  options: { readonly deadlineMs: number; readonly attemptMs?: number } = { deadlineMs: 5000 },
): Promise<{ readonly client: MetadataClient; readonly calls: string[] }> {
  const ports = { clock: createClock(), random: createRandom(), log: SILENT_LOG };
  const network = createLocalNetwork(ports);
  const calls: string[] = [];
  const addresses = behaviours.map((_, at) => `${"abc"[at]}:1`);
  for (const [at, behaviour] of behaviours.entries()) {
    const server = network.createServer();
    server.add(MetadataService, {
      execute: (request) => {
        calls.push(`${"abc"[at]} ${Buffer.from(request.commandId).toString("hex")}`);
        return behaviour(request);
      },
      query: async () => ({ kind: { case: "getBucket", value: {} } }),
      replicaStatus: async () => ({}),
      transferLeadership: async () => ({}),
      cutLog: async () => ({}),
      exportGroup: async function* () {
        // Nothing asks for backups here.
      },
    });
    await server.listen(addresses[at] ?? "");
  }
  const transport = network.createTransport();
  return { client: new MetadataClient({ ...ports, transport }, { addresses, ...options }), calls };
}

const answers: Execute = async () => ({ reply: { outcome: Outcome.OK } });

function fails(code: "not-leader" | "unavailable" | "invalid", leaderHint?: string): Execute {
  return async () => {
    throw new StoreError(code, `says ${code}`, leaderHint === undefined ? {} : { leaderHint });
  };
}

test("follows a hint to the leader and stays with it", async () => {
  const { client, calls } = await replicas([fails("not-leader", "b:1"), answers]);
  for (let round = 0; round < 4; round += 1) {
    assert.equal((await client.execute(2, SEAL)).outcome, Outcome.OK);
  }
  const asked = calls.map((call) => call[0]);
  assert.deepEqual(asked.slice(-3), ["b", "b", "b"]);
});

test("goes round the replicas without a hint", async () => {
  const { client } = await replicas([fails("not-leader"), fails("unavailable"), answers]);
  assert.equal((await client.execute(2, SEAL)).outcome, Outcome.OK);
});

test("all attempts of one command carry one id; two commands carry two", async () => {
  let failures = 3;
  const flaky: Execute = async () => {
    failures -= 1;
    if (failures >= 0) throw new StoreError("unavailable", "not yet");
    return { reply: { outcome: Outcome.OK } };
  };
  const { client, calls } = await replicas([flaky]);
  await client.execute(2, SEAL);
  assert.equal(calls.length, 4);
  assert.equal(new Set(calls).size, 1);
  await client.execute(2, SEAL);
  assert.equal(new Set(calls).size, 2);
});

test("a refusal that no other replica would lift is thrown at once", async () => {
  const { client, calls } = await replicas([fails("invalid"), fails("invalid")]);
  await assert.rejects(client.execute(2, SEAL), { code: "invalid" });
  assert.equal(calls.length, 1);
});

test("nobody answers: unavailable, within the deadline", async () => {
  const { client } = await replicas([fails("unavailable")], { deadlineMs: 300 });
  const startedAt = performance.now();
  await assert.rejects(client.execute(2, SEAL), { code: "unavailable" });
  assert.ok(performance.now() - startedAt < 30_000);
});

test("an attempt that ran out of time makes the outcome unknown: timeout", async () => {
  const { promise } = Promise.withResolvers<never>();
  const { client } = await replicas([() => promise], { deadlineMs: 300, attemptMs: 80 });
  await assert.rejects(client.execute(2, SEAL), { code: "timeout" });
});

test("an answer of another kind than the question is our own mistake", async () => {
  const { client } = await replicas([answers]);
  const query = { case: "listLeases", value: {} } as const;
  await assert.rejects(client.query(1, query), { code: "internal" });
  const { bucket } = await client.query(1, { case: "getBucket", value: { name: "b" } });
  assert.equal(bucket, undefined);
});
