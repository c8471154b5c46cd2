// What users hold in all their buckets, over index groups and pages; kept for five seconds.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { UserUsage, usageOfBuckets } from "../../../services/lib/clients/user-usage.ts";
import { SimClock } from "../../sim/clock.ts";
import { key } from "../metadata/harness.ts";
import { MachineMetadata, refusedAs } from "./machine-metadata.ts";

async function rig(t: TestContext) {
  const service = new MachineMetadata(t);
  const clock = new SimClock();
  const root = await service.machine(1);
  await root.execute({
    case: "initCluster",
    value: {
      clusterId: "c",
      policies: [{ name: "standard", dataShards: 2, parityShards: 1 }],
      defaultPolicy: "standard",
      placementGroupCount: 8,
      indexGroups: [2, 3],
    },
  });
  const make = async (name: string, owner: string) => {
    const reply = await root.execute({ case: "createBucket", value: { name, owner } });
    assert.ok(reply.kind.case === "createBucket");
    return reply.kind.value.bucket ?? assert.fail();
  };
  const put = async (bucket: Awaited<ReturnType<typeof make>>, name: string, size: number) => {
    const group = await service.machine(bucket.ranges[0]?.groupId ?? 0);
    const body = { case: "inline" as const, value: Buffer.alloc(size) };
    const version = { size: BigInt(size), etag: "e", body };
    const { bucketId } = bucket;
    await group.execute({ case: "putObject", value: { bucketId, key: key(name), version } });
  };
  const usage = new UserUsage({ metadata: service.client, clock });
  /** At once: one by one each would wait for the disk. */
  const makeAll = async (names: readonly string[], owner: string) => {
    const commands = names.map((name) =>
      root.entry({ case: "createBucket", value: { name, owner } }),
    );
    const reply = (await root.applyData(commands)).at(-1);
    assert.ok(reply?.kind.case === "createBucket");
    return reply.kind.value.bucket ?? assert.fail();
  };
  return { service, clock, make, makeAll, put, usage };
}

test("a user's buckets are summed over their groups", async (t) => {
  const { service, clock, make, put, usage } = await rig(t);
  const one = await make("one", "ann_org");
  const two = await make("two", "ann_org");
  const other = await make("other", "bob_org");
  assert.notEqual(one.ranges[0]?.groupId, two.ranges[0]?.groupId);
  await put(one, "a", 10);
  await put(one, "b", 5);
  await put(two, "a", 1);
  await put(other, "a", 1000);
  const sum = { buckets: 2, objects: 3n, versions: 3n, bytes: 16n, uploadBytes: 0n };
  assert.deepEqual(await usage.of("ann_org"), sum);
  const nothing = { buckets: 0, objects: 0n, versions: 0n, bytes: 0n, uploadBytes: 0n };
  assert.deepEqual(await usage.of("nobody_org"), nothing);
  await put(two, "b", 4);
  assert.deepEqual(await usage.of("ann_org"), sum);
  await clock.run(5001);
  assert.equal((await usage.of("ann_org")).bytes, 20n);
  const totals = await usageOfBuckets(service.client, [one, other]);
  assert.equal(totals.get(one.bucketId)?.bytes, 15n);
  assert.equal(totals.get(other.bucketId)?.bytes, 1000n);
  assert.equal(totals.size, 2);
});

test("who asks at once shares one sum; a failure is not kept", async (t) => {
  const { service, make, put, usage } = await rig(t);
  await put(await make("one", "ann_org"), "a", 10);
  service.asked.length = 0;
  const sums = await Promise.all([usage.of("ann_org"), usage.of("ann_org")]);
  assert.equal(sums[0], sums[1]);
  assert.deepEqual(service.asked, ["listBuckets", "bucketUsage"]);
  service.down();
  await assert.rejects(usage.of("bob_org"), refusedAs("unavailable"));
  service.up();
  assert.equal((await usage.of("bob_org")).buckets, 0);
});

test("more buckets than a page are all summed", async (t) => {
  const { service, makeAll, put, usage } = await rig(t);
  const count = 1003;
  const names = Array.from({ length: count }, (_, at) => `b${1000 + at}`);
  const last = await makeAll(names, "ann_org");
  await put(last, "a", 7);
  service.asked.length = 0;
  const { buckets, bytes } = await usage.of("ann_org");
  assert.deepEqual({ buckets, bytes }, { buckets: count, bytes: 7n });
  assert.equal(service.asked.filter((what) => what === "listBuckets").length, 2);
});
