// The chart on a real Kubernetes with one node: installed, tested by `helm test`, rolled and shrunk
// by a pod under traffic that may not fail, grown by its hook, removed and installed again.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { at, ciValues, nameOf } from "../helm/chart.ts";
import { Kubernetes, withoutNode } from "./kubernetes.ts";
import { makeVolumes, Store } from "./store.ts";
import type { Written } from "./traffic.ts";

const skip = withoutNode() ?? false;
const VOLUMES = 24;
const ROLL_TIMEOUT = "--timeout=12m";

let kubernetes: Kubernetes;

before(async () => {
  if (skip !== false) return;
  kubernetes = await Kubernetes.start("node");
  await kubernetes.kubectl("wait", "--for=create", "node/node-1", "--timeout=5m");
  await kubernetes.kubectl("wait", "--for=condition=Ready", "node/node-1", "--timeout=5m");
  await makeVolumes(kubernetes, VOLUMES);
});

after(async () => {
  if (skip === false) await kubernetes.stop();
});

function assertNothingFailed(written: Written): void {
  const { failed, failedReads, wrongReads, attempts } = written;
  const why = JSON.stringify(attempts, undefined, 1);
  assert.deepEqual({ failed, failedReads, wrongReads }, empty, why);
  assert.ok(Object.keys(written.acknowledged).length > 10, "hardly anything was written");
}

const empty = { failed: [], failedReads: [], wrongReads: [] };

test("standalone: installed, tested, removed", { skip }, async () => {
  const store = new Store(kubernetes, "standalone");
  await store.install("--values", String(ciValues().get("standalone")));
  assert.match(await store.test(), /Phase:\s+Succeeded/);
  const written = await store.whileWriting("first/", async () => {
    await store.kubectl("rollout", "status", "statefulset/s3-dolium", ROLL_TIMEOUT);
  });
  assert.deepEqual(written.failed, []);
  await store.verify(written);
  assert.equal(await store.restarts(), 0);
  await store.uninstall();
});

test("a cluster of three pods", { skip }, async (t) => {
  const store = new Store(kubernetes, "cluster");
  let written: Written | undefined;

  await t.test("is installed, and every pod becomes ready", async () => {
    await store.install("--values", String(ciValues().get("cluster")));
    assert.equal((await store.pods()).size, 3);
    assert.equal(await store.restarts(), 0, "a container ended by itself before it was ready");
  });

  await t.test("passes helm test", async () => {
    assert.match(await store.test(), /Phase:\s+Succeeded/);
  });

  await t.test("is restarted pod by pod, and no request fails", async () => {
    const before = await store.pods();
    written = await store.whileWriting("roll/", async () => {
      await store.kubectl("rollout", "restart", "statefulset/s3-dolium");
      await store.kubectl("rollout", "status", "statefulset/s3-dolium", ROLL_TIMEOUT);
    });
    assertNothingFailed(written);
    const now = await store.pods();
    for (const [name, id] of before) assert.notEqual(now.get(name), id, `${name} is the old pod`);
    assert.equal(await store.restarts(), 0);
  });

  await t.test("loses a pod, which comes back with its drives, and no request fails", async () => {
    const during = await store.whileWriting("lost/", async () => {
      await store.kubectl("delete", "pod", "s3-dolium-1");
      await store.kubectl("rollout", "status", "statefulset/s3-dolium", ROLL_TIMEOUT);
    });
    assertNothingFailed(during);
    await store.verify(during);
  });

  await t.test("is asked for larger drives by an upgrade, and no pod is restarted", async () => {
    const before = await store.pods();
    await store.upgrade("--set", "persistence.size=60Gi");
    assert.deepEqual(await store.pods(), before);
    const claims = await store.get("pvc");
    const sizes = claims.map((claim) => [
      nameOf(claim),
      at(claim, "spec", "resources", "requests", "storage"),
    ]);
    const drives = sizes.filter(([name]) => String(name).startsWith("drive-"));
    assert.equal(drives.length, 6);
    for (const [name, size] of drives) assert.equal(size, "60Gi", String(name));
    const [set] = await store.get("statefulset", "s3-dolium");
    const template = ["spec", "volumeClaimTemplates", 1, "spec", "resources", "requests"];
    assert.equal(at(set, ...template, "storage"), "60Gi");
  });

  await t.test("is removed, and finds its data when it is installed again", async () => {
    assert.ok(written !== undefined);
    await store.uninstall();
    const left = [...(await store.get("pvc")), ...(await store.get("secret"))].map(nameOf);
    assert.equal(left.filter((name) => name.startsWith("drive-")).length, 6);
    assert.ok(left.includes("s3-dolium-cluster"), left.join(" "));
    await store.install("--set", "persistence.size=60Gi");
    await store.verify(written);
    await store.uninstall();
  });
});
