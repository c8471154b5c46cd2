// The chart against a real API server with its controllers, without a place to run pods: what every
// values file makes is taken as it is, makes the pods that it names under the strictest rules for
// pods, changes by upgrades, and leaves with `helm uninstall`.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import {
  at,
  CHART,
  ciValues,
  type Manifest,
  manifests,
  nameOf,
  ofKind,
  ROOT,
  workloads,
} from "../helm/chart.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { definitions, Kubernetes, withoutControllers } from "./kubernetes.ts";

const skip = withoutControllers() ?? false;
const PATIENCE_MS = 300_000;
const RELEASE = "s3";
/** The strictest that Kubernetes has for pods. */
const RESTRICTED = {
  "pod-security.kubernetes.io/enforce": "restricted",
  "pod-security.kubernetes.io/warn": "restricted",
};

let kubernetes: Kubernetes;

before(async () => {
  if (skip !== false) return;
  kubernetes = await Kubernetes.start("controllers");
  await kubernetes.apply(...definitions(), {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "high" },
    value: 1000,
  });
  await kubernetes.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=5m");
});

after(async () => {
  if (skip === false) await kubernetes.stop();
});

async function makeNamespace(name: string): Promise<void> {
  await kubernetes.apply({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: RESTRICTED },
  });
}

/** Helm's and the API server's warnings are faults here: of unknown and of withdrawn fields. */
async function helmQuietly(...args: readonly string[]): Promise<void> {
  const { stdout, stderr, status } = await kubernetes.run("helm", args);
  assert.equal(status, 0, stdout + stderr);
  assert.doesNotMatch(stderr, /warning/i);
}

function install(namespace: string, ...args: readonly string[]): Promise<void> {
  return helmQuietly("install", RELEASE, CHART, "--namespace", namespace, ...args);
}

/** Nothing runs the Job of a hook here. */
function upgrade(namespace: string, ...args: readonly string[]): Promise<void> {
  const release = [RELEASE, CHART, "--namespace", namespace];
  return helmQuietly("upgrade", ...release, "--no-hooks", "--reset-values", ...args);
}

/** Pods that a controller of this kind makes; a DaemonSet makes none where there are no nodes. */
function podsWanted(object: Manifest): number {
  if (object.kind === "Job") return 1;
  if (object.kind !== "StatefulSet" && object.kind !== "Deployment") return 0;
  return Number(at(object, "spec", "replicas") ?? 1);
}

async function untilPodsAreMade(namespace: string): Promise<void> {
  await eventually(`the pods of ${namespace}`, PATIENCE_MS, async () => {
    const [owners, pods, refused] = await Promise.all([
      kubernetes.get("statefulset,deployment,job", "--namespace", namespace),
      kubernetes.get("pod", "--namespace", namespace),
      kubernetes.get("event", "--namespace", namespace, "--field-selector=reason=FailedCreate"),
    ]);
    const why = refused.map((event) => String(event.message));
    assert.deepEqual(why, [], "pods are refused");
    const wanted = owners.reduce((sum, owner) => sum + podsWanted(owner), 0);
    const made = pods.filter((pod) => at(pod, "metadata", "ownerReferences") !== undefined);
    return made.length === wanted && wanted > 0 ? made : undefined;
  });
}

for (const [name, file] of ciValues()) {
  test(`${name}: the API server takes it without a warning, and makes its pods`, {
    skip,
  }, async () => {
    await makeNamespace(name);
    const input = await kubernetes.output("helm", [
      ...["template", RELEASE, CHART, "--namespace", name, "--values", file, "--no-hooks"],
      "--validate",
    ]);
    const strictly = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    const { stdout, stderr, status } = await kubernetes.run("kubectl", strictly, { input });
    assert.equal(status, 0, stdout + stderr);
    assert.equal(stderr, "");
    await install(name, "--values", file);
    await untilPodsAreMade(name);
    await assertUnchangedByUpgrade(name, file);
    await assertLeaves(name);
  });
}

/** By kind and name, what changes when an object is changed. */
async function generations(namespace: string): Promise<Map<string, unknown>> {
  const kinds = "statefulset,deployment,daemonset,job,cronjob,poddisruptionbudget,networkpolicy";
  const found = await kubernetes.get(kinds, "--namespace", namespace);
  const entries = found.map(
    (object) =>
      [
        `${String(object.kind)}/${nameOf(object)}`,
        [at(object, "metadata", "uid"), at(object, "metadata", "generation")],
      ] as const,
  );
  return new Map(entries);
}

async function assertUnchangedByUpgrade(namespace: string, file: string): Promise<void> {
  const before = await generations(namespace);
  await upgrade(namespace, "--values", file);
  assert.deepEqual(await generations(namespace), before);
}

/** What is not of the release, or is meant to stay. */
const STAYS = /^(PersistentVolumeClaim\/|ServiceAccount\/default$|ConfigMap\/kube-root-ca\.crt$)/;

async function assertLeaves(namespace: string): Promise<void> {
  await kubernetes.helm("uninstall", RELEASE, "--namespace", namespace, "--wait");
  const kinds = await kubernetes.kubectl(
    ...["api-resources", "--namespaced", "--verbs=list,delete", "--output=name"],
  );
  const listed = kinds.split("\n").filter((kind) => kind !== "" && !kind.startsWith("events"));
  await eventually("nothing is left", PATIENCE_MS, async () => {
    const left = await kubernetes.get(listed.join(","), "--namespace", namespace);
    const names = left.map((object) => `${String(object.kind)}/${nameOf(object)}`);
    const more = names.filter((object) => !STAYS.test(object));
    assert.deepEqual(more, []);
    return true;
  });
  const cluster = ["clusterrole,clusterrolebinding", "-l", "app.kubernetes.io/part-of=dolium"];
  assert.deepEqual((await kubernetes.get(...cluster)).map(nameOf), []);
}

test("a release changes from each values file of its mode to the next", { skip }, async () => {
  await makeNamespace("changing");
  await install("changing");
  const next = [
    ...["cosi", "gateway-api", "cert-manager", "provisioning", "secrets", "openshift"],
    ...["campus", "cluster"],
  ];
  for (const name of next) {
    await upgrade("changing", "--values", String(ciValues().get(name)));
    await untilSettled("changing");
  }
  await kubernetes.helm("rollback", RELEASE, "1", "--namespace", "changing", "--no-hooks");
  await assertLeaves("changing");
});

/** Controllers have seen the last change; pods are made anew under the strictest rules. */
async function untilSettled(namespace: string): Promise<void> {
  await eventually("controllers have seen the change", PATIENCE_MS, async () => {
    const sets = await kubernetes.get("statefulset", "--namespace", namespace);
    const seen = sets.every(
      (set) => at(set, "status", "observedGeneration") === at(set, "metadata", "generation"),
    );
    return seen ? true : undefined;
  });
  const refused = ["--namespace", namespace, "--field-selector=reason=FailedCreate"];
  assert.deepEqual(await kubernetes.get("event", ...refused), []);
}

/** The chart of the last release; before there is one, of the change of the notes before this. */
function lastChart(folder: string): string | undefined {
  const git = (...args: readonly string[]) =>
    spawnSync("git", ["-C", ROOT, ...args], { encoding: "utf8" }).stdout.trim();
  const changes = git("log", "--format=%H", "--max-count=2", "--", "CHANGELOG.md").split("\n");
  const revision = git("describe", "--tags", "--abbrev=0", "--match", "v*") || changes[1];
  if (revision === undefined || revision === "") return undefined;
  const archive = execFileSync("git", ["-C", ROOT, "archive", revision, "helm/dolium"], {
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  return `${folder}/helm/dolium`;
}

test("the last chart is upgraded to this one", { skip }, async (t) => {
  const folder = temporaryFolder("dolium-last-chart-");
  t.after(folder.remove);
  const chart = lastChart(folder.path);
  if (chart === undefined) return t.skip("the history has no chart before this one");
  for (const name of ["cluster", "standalone", "split", "stretched", "monitoring", "cosi"]) {
    const [namespace, file] = [`last-${name}`, String(ciValues().get(name))];
    await makeNamespace(namespace);
    const old = ["install", RELEASE, chart, "--namespace", namespace, "--values", file];
    await kubernetes.helm(...old);
    await upgrade(namespace, "--values", file);
    await untilSettled(namespace);
    await assertLeaves(namespace);
  }
  return undefined;
});

test("two releases live beside each other, in one namespace and in two", { skip }, async () => {
  for (const namespace of ["one", "two"]) {
    await makeNamespace(namespace);
    // Classes of buckets are the whole cluster's.
    const own = { driverName: `${namespace}.dolium.test`, bucketClass: namespace };
    const cosi = { enabled: true, ...own, bucketAccessClass: namespace };
    await install(namespace, "--set-json", `cosi=${JSON.stringify(cosi)}`);
  }
  await helmQuietly("install", "other", CHART, "--namespace", "one");
  await untilPodsAreMade("one");
  await kubernetes.helm("uninstall", "other", "--namespace", "one", "--wait");
  for (const namespace of ["one", "two"]) {
    await kubernetes.helm("uninstall", RELEASE, "--namespace", namespace, "--wait");
  }
});

/** Each must be refused, or test/helm/upgrade.test.ts keeps what need not be kept. */
const IMMUTABLE: readonly (readonly [string, string, string, RegExp])[] = [
  ["statefulset", "s3-dolium", '{"spec":{"serviceName":"other"}}', /Forbidden/],
  ["statefulset", "s3-dolium", '{"spec":{"podManagementPolicy":"OrderedReady"}}', /Forbidden/],
  [
    "statefulset",
    "s3-dolium",
    '{"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}}}}}',
    /Forbidden/,
  ],
  ["statefulset", "s3-dolium", '{"spec":{"volumeClaimTemplates":[]}}', /Forbidden/],
  ["rolebinding", "s3-dolium-init", '{"roleRef":{"name":"other"}}', /cannot change roleRef/],
  ["service", "s3-dolium-nodes", '{"spec":{"clusterIP":"10.75.0.77"}}', /immutable|may not change/],
];

test("fields of which the chart says so cannot be changed", { skip }, async () => {
  await makeNamespace("kept");
  await install("kept");
  for (const [kind, name, change, refusal] of IMMUTABLE) {
    const args = ["patch", kind, name, "--namespace", "kept", "--type=merge", "--patch", change];
    const { status, stdout, stderr } = await kubernetes.run("kubectl", args);
    assert.notEqual(status, 0, `${kind} ${change}: ${stdout}`);
    assert.match(stderr, refusal);
  }
  // Without the hook, a larger size is refused, and the release is as it was.
  const larger = [RELEASE, CHART, "--namespace", "kept", "--no-hooks"];
  const size = ["--set", "persistence.size=60Gi"];
  const { status, stderr } = await kubernetes.run("helm", ["upgrade", ...larger, ...size]);
  assert.notEqual(status, 0);
  assert.match(stderr, /Forbidden/);
  await upgrade("kept");
  await assertLeaves("kept");
});

/** Account, verb, what, and whether it may, in the namespace of the release. */
const RIGHTS: readonly (readonly [string, string, readonly string[], boolean])[] = [
  ["s3-dolium-init", "create", ["secrets"], true],
  ["s3-dolium-init", "get", ["secrets/s3-dolium-root"], true],
  ["s3-dolium-init", "patch", ["secrets/s3-dolium-internal-metadata"], true],
  ["s3-dolium-init", "get", ["secrets/of-others"], false],
  ["s3-dolium-init", "patch", ["secrets/of-others"], false],
  ["s3-dolium-init", "list", ["secrets"], false],
  ["s3-dolium-init", "watch", ["secrets"], false],
  ["s3-dolium-init", "delete", ["secrets/s3-dolium-root"], false],
  ["s3-dolium-init", "create", ["pods"], false],
  ["s3-dolium-init", "create", ["secrets", "--namespace", "default"], false],
  ["s3-dolium-grow", "patch", ["persistentvolumeclaims/drive-0-s3-dolium-0"], true],
  ["s3-dolium-grow", "delete", ["persistentvolumeclaims/drive-0-s3-dolium-0"], false],
  ["s3-dolium-grow", "delete", ["statefulsets/s3-dolium"], true],
  ["s3-dolium-grow", "delete", ["statefulsets/of-others"], false],
  ["s3-dolium-grow", "get", ["secrets/s3-dolium-root"], false],
  ["s3-dolium", "get", ["secrets/s3-dolium-root"], false],
  ["s3-dolium", "get", ["pods"], false],
  ["s3-dolium", "create", ["pods"], false],
];

test("accounts of the chart may do what their work is, and no more", { skip }, async () => {
  await makeNamespace("rights");
  await install("rights");
  // Those of a hook are there while it runs.
  const hooks = manifests({ release: RELEASE, namespace: "rights" }).filter(
    (object) => at(object, "metadata", "annotations", "helm.sh/hook") === "pre-upgrade",
  );
  const accounts = hooks.filter((object) => object.kind !== "Job");
  assert.equal(accounts.length, 3);
  await kubernetes.apply(...accounts);
  for (const [account, verb, what, may] of RIGHTS) {
    const as = `--as=system:serviceaccount:rights:${account}`;
    const place = what.includes("--namespace") ? [] : ["--namespace", "rights"];
    const { stdout } = await kubernetes.run("kubectl", [
      ...["auth", "can-i", verb, ...what, as, ...place],
    ]);
    assert.equal(stdout.trim(), may ? "yes" : "no", `${account}: ${verb} ${what.join(" ")}`);
  }
});

test("pods that the strictest rules refuse are none of ours, and the rules are on", {
  skip,
}, async () => {
  await makeNamespace("strict");
  const bad = { apiVersion: "v1", kind: "Pod", metadata: { name: "bad", namespace: "strict" } };
  const pod = { ...bad, spec: { containers: [{ name: "bad", image: "dolium" }] } };
  await assert.rejects(kubernetes.apply(pod), /violates PodSecurity "restricted/);
  // Pods of the hooks and of `helm test`, which no controller makes here.
  const [testPod] = ofKind(manifests({ release: RELEASE, namespace: "strict" }), "Pod");
  assert.ok(testPod !== undefined);
  const accounts = manifests({ release: RELEASE, namespace: "strict" }).filter(
    (object) => object.kind === "ServiceAccount",
  );
  await kubernetes.apply(...accounts, testPod);
  const [grow] = workloads(manifests({ release: RELEASE, namespace: "strict" })).filter(
    (object) => nameOf(object) === "s3-dolium-grow",
  );
  assert.ok(grow !== undefined);
  await kubernetes.apply(grow);
  await untilPodsAreMade("strict");
});
