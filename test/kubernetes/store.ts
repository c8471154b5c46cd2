// A release of the chart on a running Kubernetes: installed, asked through its Service, and watched
// while its pods change.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { at, CHART, isMap, type Manifest, nameOf } from "../helm/chart.ts";
import { type Kubernetes, writeInto } from "./kubernetes.ts";
import type { Written } from "./traffic.ts";

const RELEASE = "s3";
const FULL_NAME = "s3-dolium";
const TRAFFIC = join(import.meta.dirname, "traffic.ts");
/** On two cores that do other work besides, starts and rolls take their time. */
const HELM_TIMEOUT = "12m";
const PORT = 9000;

/** Drives of the machine: folders, as local volumes, which anybody may claim once. */
export async function makeVolumes(kubernetes: Kubernetes, count: number): Promise<void> {
  const storage = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass" };
  const names = Array.from({ length: count }, (_, at) => `volume-${at}`);
  for (const name of names)
    mkdirSync(join(kubernetes.folder, "volumes", name), { recursive: true });
  await kubernetes.apply(
    {
      ...storage,
      metadata: {
        name: "local",
        annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
      },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
      allowVolumeExpansion: true,
    },
    ...names.map((name) => volume(name, join(kubernetes.folder, "volumes", name))),
  );
}

function volume(name: string, path: string): Manifest {
  const here = { key: "kubernetes.io/hostname", operator: "In", values: ["node-1"] };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "100Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "local",
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [here] }] } },
    },
  };
}

export class Store {
  readonly namespace: string;
  readonly #kubernetes: Kubernetes;

  constructor(kubernetes: Kubernetes, namespace: string) {
    this.#kubernetes = kubernetes;
    this.namespace = namespace;
  }

  /** In a namespace that refuses pods which may do more than they need. */
  async install(...args: readonly string[]): Promise<void> {
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    const metadata = { name: this.namespace, labels };
    await this.#kubernetes.apply({ apiVersion: "v1", kind: "Namespace", metadata });
    await this.#helm("install", ["--wait-for-jobs", ...args]);
  }

  upgrade(...args: readonly string[]): Promise<void> {
    return this.#helm("upgrade", args);
  }

  /** Resolves when every pod is ready. */
  async #helm(command: string, args: readonly string[]): Promise<void> {
    const image = ["--set", "image.repository=dolium,image.tag=latest"];
    const wait = ["--wait", "--timeout", HELM_TIMEOUT];
    const release = [RELEASE, CHART, "--namespace", this.namespace];
    const all = [command, ...release, ...image, ...wait, ...args];
    const { status, stdout, stderr } = await this.#kubernetes.run("helm", all);
    if (status !== 0) assert.fail(`${stdout}${stderr}\n${await this.#state()}`);
  }

  /** What a person would look at when an installation does not become ready. */
  async #state(): Promise<string> {
    const inside = ["--namespace", this.namespace];
    const commands = [
      ["get", "all,pvc", ...inside],
      ["get", "events", ...inside, "--sort-by=.lastTimestamp"],
      ["logs", ...inside, "-l", "app.kubernetes.io/instance=s3", "--all-containers", "--tail=15"],
    ];
    const said = await Promise.all(commands.map((args) => this.#kubernetes.run("kubectl", args)));
    return said.map(({ stdout, stderr }) => stdout + stderr).join("\n");
  }

  /** `helm test`; what its pod printed. */
  async test(): Promise<string> {
    const args = ["test", RELEASE, "--namespace", this.namespace, "--timeout", HELM_TIMEOUT];
    const { status, stdout, stderr } = await this.#kubernetes.run("helm", args);
    if (status !== 0) {
      const pod = ["logs", `${FULL_NAME}-test`, "--namespace", this.namespace];
      const { stdout: logs } = await this.#kubernetes.run("kubectl", pod);
      assert.fail(`${stdout}${stderr}\n${logs}\n${await this.#state()}`);
    }
    return stdout;
  }

  async uninstall(): Promise<void> {
    const wait = ["--wait", "--timeout", HELM_TIMEOUT];
    await this.#kubernetes.helm("uninstall", RELEASE, "--namespace", this.namespace, ...wait);
  }

  get(...args: readonly string[]): Promise<Manifest[]> {
    return this.#kubernetes.get(...args, "--namespace", this.namespace);
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return this.#kubernetes.kubectl(...args, "--namespace", this.namespace);
  }

  /** Ids of the servers' pods by their names: another id is another pod. */
  async pods(): Promise<Map<string, unknown>> {
    const pods = await this.get("pod", "-l", "app.kubernetes.io/name=dolium");
    return new Map(pods.map((pod) => [nameOf(pod), at(pod, "metadata", "uid")]));
  }

  /** How often containers of the servers ended by themselves. */
  async restarts(): Promise<number> {
    const pods = await this.get("pod", "-l", "app.kubernetes.io/name=dolium");
    const counts = pods.flatMap((pod) => {
      const statuses = at(pod, "status", "containerStatuses");
      return Array.isArray(statuses) ? statuses.map((one) => Number(at(one, "restartCount"))) : [];
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Writes and reads while `change` goes on; every answer counts, with the SDK's own retries. */
  async whileWriting(prefix: string, change: () => Promise<void>): Promise<Written> {
    const child = this.#kubernetes.spawn(process.execPath, [TRAFFIC, "write", prefix], {
      ...(await this.#environment()),
    });
    const said: string[] = [];
    child.stderr?.on("data", (bytes: Buffer) => said.push(String(bytes)));
    const { stdout } = child;
    assert.ok(stdout !== null);
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    const started = await lines.next();
    assert.equal(started.value, "started", said.join(""));
    try {
      await change();
    } finally {
      child.stdin?.end();
    }
    const last = await lines.next();
    assert.ok(last.done !== true, said.join(""));
    // As traffic.ts writes it.
    return JSON.parse(last.value) as Written;
  }

  /** Every object of `written` is there, as it was written. */
  async verify(written: Written): Promise<void> {
    const wrong = await this.#kubernetes.output(process.execPath, [TRAFFIC, "verify"], {
      input: JSON.stringify(written.acknowledged),
      environment: await this.#environment(),
    });
    assert.equal(wrong, "[]\n");
  }

  async #environment(): Promise<Record<string, string>> {
    const keys = await this.#secret(`${FULL_NAME}-root`);
    const tls = await this.#secret(`${FULL_NAME}-s3-tls`);
    const file = `${this.namespace}-ca.crt`;
    return {
      TRAFFIC_ENDPOINT: `https://${FULL_NAME}.${this.namespace}.svc.cluster.local:${PORT}`,
      TRAFFIC_USER: keys.rootUser ?? "",
      TRAFFIC_PASSWORD: keys.rootPassword ?? "",
      NODE_EXTRA_CA_CERTS: writeInto(this.#kubernetes, file, tls["ca.crt"] ?? ""),
    };
  }

  async #secret(name: string): Promise<Record<string, string>> {
    const [secret] = await this.get("secret", name);
    const data = isMap(secret) && isMap(secret.data) ? secret.data : {};
    const entries = Object.entries(data).map(([key, value]) => [
      key,
      Buffer.from(String(value), "base64").toString(),
    ]);
    return Object.fromEntries(entries);
  }
}
