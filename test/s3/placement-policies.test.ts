// Settings that name a placement policy which the cluster does not have: the gateway does not start
// where it knows that, and refuses what would use it where it learns of it later.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { S3Settings } from "../../services/gateway/config.ts";
import { CLUSTER_KEY, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { MemoryMetadata } from "../unit/gateway/memory-metadata.ts";
import { pathOf, textAt } from "./caller.ts";
import { callerOf, makeBucket, newBucketName } from "./harness.ts";

const SETTINGS: Partial<S3Settings> = {
  storageClasses: { FAST: "fast", STANDARD_IA: "standard" },
  locations: { cave: "deep", here: "standard" },
};

function start(
  changes: Partial<S3Settings>,
  policies: readonly string[],
): ReturnType<typeof startGatewayOver> {
  const metadata = new MemoryMetadata(() => Date.now());
  return startGatewayOver(metadata, changes, { clusterKey: CLUSTER_KEY, policies });
}

test("a gateway that knows the policies does not start with another name", async () => {
  for (const [policies, message] of [
    [["standard", "deep"], /s3\.storageClasses: FAST names the placement policy fast/],
    [["standard", "fast"], /s3\.locations: cave names the placement policy deep/],
  ] as const) {
    // One that starts all the same is stopped: the test then fails, and does not wait for it.
    const started = start(SETTINGS, policies).then((gateway) => gateway.stop());
    await assert.rejects(started, { code: "invalid", message });
  }
  const gateway = await start(SETTINGS, ["standard", "fast", "deep"]);
  await gateway.stop();
});

test("a gateway that learns of the policies later refuses at use", async () => {
  const policies: string[] = ["standard", "fast", "deep"];
  const gateway = await start(SETTINGS, policies);
  try {
    const s3 = callerOf(gateway);
    const bucket = await makeBucket(s3);
    policies.splice(1);
    for (const [name, code] of [
      ["FAST", "InvalidStorageClass"],
      ["STANDARD_IA", undefined],
      ["ONEZONE_IA", undefined],
    ] as const) {
      const headers = [["x-amz-storage-class", name]] as const;
      const target = pathOf(bucket, name);
      const put = await s3.call({ method: "PUT", target, body: "x", headers });
      assert.equal(put.code, code, name);
      if (code === undefined) continue;
      assert.equal(textAt(put.xml(), "Policy"), "fast");
      assert.equal((await s3.get(bucket, name)).status, 404);
    }
    const create = (location: string): ReturnType<typeof s3.call> => {
      const constraint = `<LocationConstraint>${location}</LocationConstraint>`;
      const body = `<CreateBucketConfiguration>${constraint}</CreateBucketConfiguration>`;
      return s3.call({ method: "PUT", target: `/${newBucketName()}`, body });
    };
    const refused = await create("cave");
    assert.equal(refused.code, "InvalidLocationConstraint");
    assert.match(refused.text, /placed by the policy deep, which this cluster does not have/);
    assert.equal((await create("here")).status, 200);
  } finally {
    await gateway.stop();
  }
});
