// What the chart makes of every values file, judged by a real API server: it takes all of it
// without a warning. It sees what schemas do not: names that point to nothing, two files at one
// path, pods that may do more than the strictest rules allow.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CHART, ciValues } from "../helm/chart.ts";
import { definitions, Kubernetes, withoutApi } from "./kubernetes.ts";

const skip = withoutApi() ?? false;
const RELEASE = "s3";
const RULES = "pod-security.kubernetes.io";
const DRY_RUN = ["create", "--dry-run=server", "--validate=strict", "-f"];

let kubernetes: Kubernetes;

before(async () => {
  if (skip !== false) return;
  kubernetes = await Kubernetes.start("api");
  await kubernetes.apply(...definitions());
  await kubernetes.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=5m");
  // The rules for pods warn of the templates of workloads, and refuse pods.
  const labels = { [`${RULES}/warn`]: "restricted", [`${RULES}/enforce`]: "restricted" };
  const namespaces = [...ciValues().keys()].map((name) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels },
  }));
  await kubernetes.apply(...namespaces);
});

after(async () => {
  if (skip === false) await kubernetes.stop();
});

function template(name: string, file: string): Promise<string> {
  const release = ["template", RELEASE, CHART, "--namespace", name, "--values", file];
  const serves = ["--api-versions", "gateway.networking.k8s.io/v1/TLSRoute"];
  // A bare pod needs its account to be there, which a dry run makes not: see controllers.test.ts.
  return kubernetes.helm(...release, ...serves, "--skip-tests");
}

test("every values file is taken without a warning, its hooks too", { skip }, async () => {
  const folder = join(kubernetes.folder, "rendered");
  mkdirSync(folder);
  for (const [name, file] of ciValues()) {
    writeFileSync(join(folder, `${name}.yaml`), await template(name, file));
  }
  const { stdout, stderr, status } = await kubernetes.run("kubectl", [...DRY_RUN, folder]);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  const made = stdout.split("\n").filter((line) => line.includes(" created (server dry run)"));
  assert.ok(made.length > 200, `${made.length} objects`);
});

test("what does not fit is refused, what may do too much is warned of", { skip }, async () => {
  const text = await template("cluster", String(ciValues().get("cluster")));
  const changes = [
    // A mount of no volume, a field that there is not, a number as text.
    ["- {name: config, mountPath:", "- {name: confg, mountPath:", /Not found: "confg"/],
    ["podManagementPolicy: Parallel", "podManagementPolice: Parallel", /unknown field/],
    ["allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", /would violate/],
  ] as const;
  for (const [from, to, complaint] of changes) {
    const input = text.replaceAll(from, to);
    assert.notEqual(input, text);
    const { stderr } = await kubernetes.run("kubectl", [...DRY_RUN, "-"], { input });
    assert.match(stderr, complaint);
  }
});
