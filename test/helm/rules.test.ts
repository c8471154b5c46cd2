// The rules of the chart, each a complaint about other charts that must not be heard about ours.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test as declare } from "node:test";
import { ConfigSchema } from "../../services/cli/config-schema.ts";
import { parseProvisioning } from "../../services/gateway/admin/provisioning/provisioning-file.ts";
import { loadConfig } from "../../services/lib/host/config.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  at,
  ciValues,
  configOf,
  isMap,
  listAt,
  type Manifest,
  manifests,
  named,
  nameOf,
  notesOf,
  ofKind,
  podSpecOf,
  render,
  withoutHelm,
  workloads,
} from "./chart.ts";

function test(name: string, run: () => void): void {
  declare(name, { skip: withoutHelm }, run);
}

const rendered = new Map<string, Manifest[]>();

function ci(name: string): Manifest[] {
  const found = rendered.get(name) ?? manifests({ files: [ciValues().get(name) ?? ""] });
  rendered.set(name, found);
  return found;
}

function containers(object: Manifest): unknown[] {
  return listAt(podSpecOf(object), "containers");
}

function environment(container: unknown): Map<string, unknown> {
  const entries = listAt(container, "env").map(
    (entry) => [String(at(entry, "name")), at(entry, "value")] as const,
  );
  return new Map(entries);
}

const SERVERS: ReadonlySet<unknown> = new Set(["StatefulSet", "Deployment", "DaemonSet"]);

test("the servers take every settings file and every provisioning file", () => {
  const folder = temporaryFolder("dolium-chart-config-");
  const filePath = join(folder.path, "config.json");
  for (const name of ciValues().keys()) {
    const all = ci(name);
    const fullname = name === "extras" ? "store" : "s3-dolium";
    writeFileSync(filePath, JSON.stringify(configOf(all, fullname)));
    loadConfig(ConfigSchema, { filePath, environment: {} });
    for (const secret of ofKind(all, "Secret")) {
      const text = at(secret, "stringData", "provisioning.json");
      if (text !== undefined) parseProvisioning(String(text));
    }
  }
  folder.remove();
});

test("every pod passes Pod Security restricted, and has no token it does not need", () => {
  for (const name of ciValues().keys()) {
    for (const workload of workloads(ci(name))) {
      const spec = podSpecOf(workload);
      const who = `${name} ${nameOf(workload)}`;
      const { runAsNonRoot, runAsUser, seccompProfile, fsGroupChangePolicy } = Object(
        at(spec, "securityContext"),
      );
      assert.equal(runAsNonRoot, true, who);
      assert.deepEqual(seccompProfile, { type: "RuntimeDefault" }, who);
      assert.equal(fsGroupChangePolicy, "OnRootMismatch", who);
      assert.equal(runAsUser, name === "openshift" ? undefined : 1000, who);
      assert.equal(at(spec, "enableServiceLinks"), false, who);
      const speaks = /-(init|grow|renew|cosi)(-|$)/.test(nameOf(workload));
      assert.equal(at(spec, "automountServiceAccountToken"), speaks, who);
      for (const container of containers(workload)) {
        const security = at(container, "securityContext");
        assert.equal(at(security, "readOnlyRootFilesystem"), true, who);
        assert.equal(at(security, "allowPrivilegeEscalation"), false, who);
        assert.deepEqual(at(security, "capabilities"), { drop: ["ALL"] }, who);
      }
    }
  }
});

/** It must end, and leave time to stop, before the pod is killed. */
function preStopOf(mode: string, container: string): string[] {
  // Nobody takes over from the one process of a standalone pod.
  if (container === "server") return ["sleep", "10"];
  const settle = container === "gateway" ? 10 : 2;
  const config = "--config=/etc/dolium/config/config.json";
  // All of a pod wait for the same; a storage node or a keeper alone is told nothing of others.
  const together = mode === "cluster" ? ["--wait", "--ask=http://127.0.0.1:9003"] : [];
  const alone = container === "gateway" || container === "metadata" ? ["--wait"] : [];
  const wait = mode === "cluster" ? together : alone;
  return ["dolium", "drain", config, ...wait, "--deadline=60", `--settle=${settle}`];
}

test("three probes ask three different things, on the port of that container alone", () => {
  for (const mode of ["cluster", "split", "standalone"]) {
    for (const workload of ci(mode).filter(({ kind }) => SERVERS.has(kind))) {
      const ports = containers(workload).map((container) => {
        const probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        const gets = probes.map((probe) => at(container, probe, "httpGet"));
        const paths = ["/health/started", "/health/live", "/health/ready"];
        assert.deepEqual(
          gets.map((get) => at(get, "path")),
          paths,
        );
        const [port] = new Set(gets.map((get) => at(get, "port")));
        assert.equal(environment(container).get("DOLIUM_OPS__PORT"), String(port));
        const command = at(container, "lifecycle", "preStop", "exec", "command");
        assert.deepEqual(command, preStopOf(mode, String(at(container, "name"))));
        const beside = environment(container).get("DOLIUM_NODE__BESIDE");
        const goesWith = mode === "cluster" && at(container, "name") === "gateway";
        const all = '["$(POD_NAME)-metadata","$(POD_NAME)-storage"]';
        assert.equal(beside, goesWith ? all : undefined);
        return port;
      });
      assert.equal(new Set(ports).size, ports.length, "containers of a pod share its ports");
      assert.equal(at(podSpecOf(workload), "terminationGracePeriodSeconds"), 120);
    }
  }
  const [gateway] = containers(named(ci("split"), "Deployment", "s3-dolium-gateway"));
  assert.equal(at(gateway, "startupProbe", "failureThreshold"), 60);
  assert.equal(at(gateway, "startupProbe", "httpGet", "port"), 9003);
});

test("gateways on every node are a DaemonSet that nothing scales and no budget counts", () => {
  const all = ci("every-node");
  const gateways = named(all, "DaemonSet", "s3-dolium-gateway");
  assert.equal(at(gateways, "spec", "replicas"), undefined);
  assert.equal(at(gateways, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable"), 0);
  assert.equal(at(named(all, "Service", "s3-dolium"), "spec", "internalTrafficPolicy"), "Local");
  assert.deepEqual(ofKind(all, "HorizontalPodAutoscaler"), []);
  const budgets = ofKind(all, "PodDisruptionBudget").map(nameOf);
  assert.ok(!budgets.includes("s3-dolium-gateway"), budgets.join(" "));
});

test("a first start cannot deadlock: peers find pods that are not ready, which start together", () => {
  for (const mode of ["cluster", "split", "stretched"]) {
    const all = ci(mode);
    const headless = at(named(all, "Service", "s3-dolium-nodes"), "spec");
    assert.equal(at(headless, "clusterIP"), "None");
    assert.equal(at(headless, "publishNotReadyAddresses"), true);
    for (const set of ofKind(all, "StatefulSet")) {
      assert.equal(at(set, "spec", "podManagementPolicy"), "Parallel");
      assert.equal(at(set, "spec", "serviceName"), "s3-dolium-nodes");
    }
  }
});

test("metadata replicas are named after pods, and more pods do not change who they are", () => {
  const membersWith = (replicas: number): unknown =>
    at(configOf(manifests({ values: { replicas } })), "cluster", "metadata");
  const three = membersWith(3);
  assert.deepEqual(at(three, 0), {
    name: "s3-dolium-0-metadata",
    address: "s3-dolium-0.s3-dolium-nodes.store.svc.cluster.local:9002",
  });
  assert.deepEqual(membersWith(7), three);
  const annotation = (replicas: number): unknown =>
    at(
      named(manifests({ values: { replicas } }), "StatefulSet", "s3-dolium"),
      ...["spec", "template", "metadata", "annotations"],
    );
  assert.deepEqual(annotation(7), annotation(3), "more pods restart those that are there");
  const [, metadata] = containers(named(ci("cluster"), "StatefulSet", "s3-dolium"));
  assert.equal(environment(metadata).get("DOLIUM_NODE__NAME"), "$(POD_NAME)-metadata");
});

test("durability follows the number of nodes and drives, unless values say it", () => {
  const policy = (values: Readonly<Record<string, unknown>>): string => {
    const found = at(configOf(manifests({ values })), "cluster", "policies", 0);
    const { dataShards, parityShards, failureDomain } = Object(found);
    return `${dataShards}+${parityShards} ${failureDomain}`;
  };
  assert.equal(policy({}), "4+2 node");
  assert.equal(policy({ persistence: { drives: 1 } }), "2+1 node");
  assert.equal(policy({ replicas: 1, persistence: { drives: 6 } }), "4+2 disk");
  assert.equal(policy({ replicas: 4 }), "2+2 node");
  assert.equal(policy({ replicas: 9 }), "4+2 node");
  assert.equal(policy({ durability: { data: 2, parity: 1 } }), "2+1 node");
  const stretched = at(configOf(ci("stretched")), "cluster", "policies", 0);
  assert.equal(at(stretched, "failureDomain"), "campus");
});

test("secrets are made in the cluster, and nothing that is random stands in a template", () => {
  const all = ci("cluster");
  assert.deepEqual(ofKind(all, "Secret"), []);
  const job = ofKind(all, "Job").find((object) => nameOf(object).startsWith("s3-dolium-init-"));
  const args = listAt(podSpecOf(job ?? {}), "containers", 0, "args").map(String);
  for (const word of [
    "s3-dolium-root",
    "s3-dolium-cluster",
    "--internal-tls",
    "s3-dolium-s3-tls",
  ]) {
    assert.ok(args.includes(word), `${word} in ${args}`);
  }
  assert.equal(at(job, "metadata", "annotations"), undefined, "the job is a hook");
  const rules = listAt(named(all, "Role", "s3-dolium-init"), "rules");
  const others = rules.filter((rule) => !listAt(rule, "verbs").includes("create"));
  for (const rule of others) assert.ok(listAt(rule, "resourceNames").length > 0);
  assert.deepEqual(ofKind(ci("secrets"), "Job").map(nameOf), ["s3-dolium-grow"]);
});

test("the init job has another name when it has other work, since jobs cannot be changed", () => {
  const name = (values: Readonly<Record<string, unknown>>): string | undefined =>
    ofKind(manifests({ values }), "Job")
      .map(nameOf)
      .find((one) => one.includes("-init-"));
  assert.equal(name({}), name({ logLevel: "debug" }));
  assert.notEqual(name({}), name({ replicas: 4 }));
  assert.notEqual(name({}), name({ tls: { hosts: ["files.example.org"] } }));
});

test("every node that serves has a certificate of its own name", () => {
  for (const mode of ["cluster", "stretched", "openshift"]) {
    const all = ci(mode);
    const job = ofKind(all, "Job").find((object) => nameOf(object).includes("-init-"));
    const args = listAt(podSpecOf(job ?? {}), "containers", 0, "args").map(String);
    for (const set of ofKind(all, "StatefulSet")) {
      for (const container of containers(set)) {
        const role = String(at(container, "name"));
        const file = environment(container).get("DOLIUM_INTERNAL__TLS__CERTIFICATE_FILE");
        if (role === "gateway" || role === "keeper") continue;
        for (let pod = 0; pod < Number(at(set, "spec", "replicas")); pod += 1) {
          const podName = `${nameOf(set)}-${pod}`;
          const own = String(file).replace("$(POD_NAME)", podName);
          const certificate = own.split("/").at(-1)?.replace(".crt", "");
          assert.ok(args.includes(`${role}/${certificate}`), `${mode} ${role} ${certificate}`);
          const name = String(environment(container).get("DOLIUM_NODE__NAME"));
          assert.equal(name.replace("$(POD_NAME)", podName), certificate);
        }
      }
    }
  }
});

test("selectors and claim templates have nothing of the chart's version in them", () => {
  for (const name of ciValues().keys()) {
    for (const object of ci(name).filter(({ kind }) => SERVERS.has(kind))) {
      const matched = Object.keys(Object(at(object, "spec", "selector", "matchLabels")));
      const known = ["name", "instance", "component"].map((key) => `app.kubernetes.io/${key}`);
      assert.deepEqual(
        matched.filter((key) => !known.includes(key) && key !== "dolium.dev/zone"),
        [],
      );
      const text = JSON.stringify([
        at(object, "spec", "volumeClaimTemplates"),
        at(object, "spec", "template", "metadata", "labels"),
      ]);
      assert.ok(!text.includes("helm.sh/chart") && !text.includes("0.1.0"), text);
    }
  }
});

test("pods are spread softly, and not put onto one host where values say hard", () => {
  const when = (values: Readonly<Record<string, unknown>>): unknown[] => {
    const spec = podSpecOf(named(manifests({ values }), "StatefulSet", "s3-dolium"));
    return listAt(spec, "topologySpreadConstraints").map((one) => at(one, "whenUnsatisfiable"));
  };
  assert.deepEqual(when({}), ["ScheduleAnyway", "ScheduleAnyway"]);
  assert.deepEqual(when({ antiAffinity: "hard" }), ["ScheduleAnyway", "DoNotSchedule"]);
  assert.deepEqual(when({ antiAffinity: "none" }), []);
});

test("budgets let one node go at a time, of all zones together", () => {
  const budgets = ofKind(ci("stretched"), "PodDisruptionBudget").map(
    (object) => [nameOf(object), at(object, "spec", "maxUnavailable")] as const,
  );
  assert.deepEqual(Object.fromEntries(budgets), {
    "s3-dolium-metadata": 1,
    "s3-dolium-storage": 1,
    "s3-dolium-gateway": "50%",
    "s3-dolium-keeper": 1,
  });
});

test("values of MinIO's chart mean what they mean there", () => {
  const all = ci("minio");
  assert.equal(at(named(all, "StatefulSet", "s3-dolium"), "spec", "replicas"), 4);
  const root = at(named(all, "Secret", "s3-dolium-root"), "stringData");
  assert.deepEqual(root, { rootUser: "rootuser", rootPassword: "rootpass123" });
  const text = at(
    named(all, "Secret", "s3-dolium-provisioning"),
    "stringData",
    "provisioning.json",
  );
  const file: unknown = JSON.parse(String(text));
  assert.deepEqual(at(file, "buckets", 0), {
    name: "site",
    access: "download",
    versioning: "Enabled",
  });
  assert.deepEqual(at(file, "users", 0), {
    name: "console",
    administrator: true,
    keys: [{ accessKeyId: "console", secretAccessKey: "console123" }],
  });
  const path = "/etc/dolium/provisioning/secrets/reader-secret/secretKey";
  assert.equal(at(file, "users", 1, "keys", 0, "secretAccessKeyFile"), path);
  assert.deepEqual(at(file, "users", 2, "attachedPolicies"), ["writeonly", "site-only"]);
  const names = listAt(file, "policies").map((policy) => at(policy, "name"));
  assert.deepEqual(names, ["site-only", "readonly", "writeonly"]);
  const condition = at(file, "policies", 0, "document", "Statement", 0, "Condition");
  assert.deepEqual(Object.keys(Object(condition)).sort(), ["IpAddress", "StringLike"]);
  const service = at(named(all, "Service", "s3-dolium"), "spec");
  assert.deepEqual([at(service, "type"), at(service, "ports", 0, "port")], ["LoadBalancer", 9000]);
  // TLS ends at the proxy, which speaks plain HTTP to a port of its own.
  const ingress = named(all, "Ingress", "s3-dolium");
  const backend = at(ingress, "spec", "rules", 0, "http", "paths", 0, "backend", "service");
  assert.deepEqual(at(backend, "port"), { number: 9080 });
  assert.equal(at(configOf(all), "s3", "tls", "plainPort"), 9080);
});

test("images come from one registry, or by digest", () => {
  const images = new Set(
    workloads(ci("openshift")).flatMap((one) => containers(one).map((each) => at(each, "image"))),
  );
  const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  assert.deepEqual([...images], [`registry.example.org/dolium@${digest}`]);
});

test("the heap follows the memory limit", () => {
  const all = ci("split");
  const heap = (kind: string, name: string): unknown =>
    environment(containers(named(all, kind, name))[0]).get("NODE_OPTIONS");
  assert.equal(heap("Deployment", "s3-dolium-gateway"), "--max-old-space-size=614");
  assert.equal(heap("StatefulSet", "s3-dolium-storage"), "--max-old-space-size=2457");
  assert.equal(heap("StatefulSet", "s3-dolium-metadata"), "--max-old-space-size=858");
  assert.equal(heap("Deployment", "s3-dolium-keeper"), undefined);
});

test("zones are campuses of one stretched cluster, each with gateways of its own", () => {
  const all = ci("stretched");
  const set = named(all, "StatefulSet", "s3-dolium-storage-msu");
  const [storage] = containers(set);
  assert.equal(environment(storage).get("DOLIUM_NODE__CAMPUS"), "msu");
  assert.deepEqual(at(podSpecOf(set), "nodeSelector"), { "topology.kubernetes.io/zone": "msu" });
  const [gateway] = containers(named(all, "Deployment", "s3-dolium-gateway-msu"));
  assert.equal(environment(gateway).get("DOLIUM_NODE__CAMPUS"), "msu");
  const selector = at(named(all, "Service", "s3-dolium-msu"), "spec", "selector");
  assert.equal(at(selector, "dolium.dev/zone"), "msu");
  const job = ofKind(all, "Job").find((object) => nameOf(object).includes("-init-"));
  const args = listAt(podSpecOf(job ?? {}), "containers", 0, "args");
  for (const host of ["s3.example.org", "um.s3.example.org", "wsu.s3.example.org"]) {
    assert.ok(args.includes(host), host);
  }
});

test("a release of one campus knows the replicas of the others", () => {
  const members = listAt(configOf(ci("campus")), "cluster", "metadata");
  assert.deepEqual(
    members.map((member) => at(member, "name")),
    ["msu-s3-dolium-0-metadata", "um-dolium-0-metadata", "wsu-dolium-0-metadata"],
  );
  assert.equal(at(members[0], "address"), "s3-dolium-0.dolium.msu.example.org:9002");
});

test("claims grow by a hook before upgrades, which may delete the sets by name alone", () => {
  const all = ci("stretched");
  const job = named(all, "Job", "s3-dolium-grow");
  assert.equal(at(job, "metadata", "annotations", "helm.sh/hook"), "pre-upgrade");
  const args = listAt(podSpecOf(job), "containers", 0, "args");
  assert.ok(args.includes("s3-dolium-storage-wsu/drive-3=2Ti"), String(args));
  assert.ok(args.includes("s3-dolium-metadata/metadata=10Gi"), String(args));
  const rules = listAt(named(all, "Role", "s3-dolium-grow"), "rules");
  assert.ok(rules.some((rule) => listAt(rule, "resourceNames").includes("s3-dolium-storage-um")));
});

test("the network policy closes the ports of services to all but each other", () => {
  const [policy] = ofKind(ci("openshift"), "NetworkPolicy");
  const closed = listAt(policy, "spec", "ingress").find((rule) =>
    listAt(rule, "ports").some((port) => at(port, "port") === 9002),
  );
  assert.equal(listAt(closed, "from").length, 1);
  assert.ok(isMap(at(closed, "from", 0, "podSelector", "matchLabels")));
});

test("helm test signs, compares, deletes, and asks for the cluster", () => {
  const text = render();
  for (const words of ["helm.sh/hook: test", "cmp sent got", "/health/cluster", "dolium rb"]) {
    assert.ok(text.includes(words), words);
  }
  // The image's own directory of data would come before the endpoint: the commands refuse it there.
  const [pod] = manifests().filter((object) => object.kind === "Pod");
  const variables = listAt(pod, "spec", "containers", 0, "env");
  const data = variables.find((variable) => at(variable, "name") === "DOLIUM_DATA");
  assert.equal(at(data, "value"), "");
});

test("the notes are three lines to the first listing", () => {
  const notes = notesOf();
  const lines = notes.split("\n").filter((line) => line.startsWith("  "));
  assert.equal(lines.length, 4, notes);
  assert.match(
    lines[0] ?? "",
    /export AWS_ACCESS_KEY_ID=\$\(kubectl get secret -n store s3-dolium-root/,
  );
  assert.match(lines[1] ?? "", /port-forward -n store svc\/s3-dolium 9000:9000/);
  assert.match(lines[2] ?? "", /AWS_ENDPOINT_URL=https:\/\/localhost:9000 aws s3 ls/);
});

test("a TLSRoute is of the newest version that the cluster serves", () => {
  const file = ciValues().get("gateway-api");
  assert.ok(file !== undefined);
  const versionWith = (...versions: readonly string[]): unknown => {
    const serves = versions.map((version) => `gateway.networking.k8s.io/${version}/TLSRoute`);
    return at(named(manifests({ files: [file], serves }), "TLSRoute", "s3-dolium"), "apiVersion");
  };
  // Today's standard channel serves v1 alone, and earlier experimental ones had the others alone.
  assert.equal(versionWith("v1"), "gateway.networking.k8s.io/v1");
  assert.equal(versionWith("v1alpha2", "v1alpha3", "v1"), "gateway.networking.k8s.io/v1");
  assert.equal(versionWith("v1alpha2", "v1alpha3"), "gateway.networking.k8s.io/v1alpha3");
  assert.equal(versionWith("v1alpha2"), "gateway.networking.k8s.io/v1alpha2");
  assert.equal(versionWith(), "gateway.networking.k8s.io/v1", "rendered without a cluster");
});

test("no two files of a volume have one path, which the API server refuses", () => {
  for (const name of ["cert-manager", "split"]) {
    const values = { internalTls: { mode: "certManager", issuerRef: { name: "ca" } } };
    const all = manifests({ files: [ciValues().get(name) ?? ""], values });
    const volumes = workloads(all).flatMap((object) => listAt(podSpecOf(object), "volumes"));
    const projected = volumes.filter((volume) => at(volume, "projected") !== undefined);
    assert.ok(projected.length >= 4, "certificates of every role");
    for (const volume of projected) {
      const items = listAt(volume, "projected", "sources").flatMap((source) =>
        listAt(source, "secret", "items"),
      );
      const paths = items.map((item) => at(item, "path"));
      assert.deepEqual(paths, [...new Set(paths)], String(at(volume, "name")));
      assert.ok(paths.includes("ca.crt"));
    }
  }
});
