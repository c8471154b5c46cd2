// What the chart renders really starts: the settings file, arguments, environment and Secrets of
// its pods, as processes on loopback with addresses and mount paths put in their place. Three pods
// with their own certificates take an object and give it back.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { FreePorts } from "../../services/cli/dev/free-ports.ts";
import type { KubernetesApi, KubernetesObject } from "../../services/cli/kubernetes/api-client.ts";
import { initSecrets } from "../../services/cli/kubernetes/init.ts";
import { type Running, runDolium, startDolium } from "../support/dolium-command.ts";
import { eventually } from "../support/eventually.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";
import {
  at,
  isMap,
  listAt,
  type Manifest,
  manifests,
  named,
  nameOf,
  ofKind,
  podSpecOf,
  withoutHelm,
} from "./chart.ts";

const PATIENCE_MS = 480_000;
const DOMAIN = "s3-dolium-nodes.store.svc.cluster.local";
const PODS = 3;

const processes: Running[] = [];
const ports = new FreePorts();
let folder: TemporaryFolder | undefined;

after(async () => {
  for (const { child } of processes) child.kill("SIGTERM");
  const timer = setTimeout(() => {
    for (const { child } of processes) child.kill("SIGKILL");
  }, 30_000);
  await Promise.allSettled(processes.map(({ ended }) => ended));
  clearTimeout(timer);
  await ports.close();
  folder?.remove();
});

/** An API server's objects, in memory. */
class MemoryApi implements KubernetesApi {
  readonly #objects = new Map<string, KubernetesObject>();

  async get(path: string): Promise<KubernetesObject | undefined> {
    return this.#objects.get(path);
  }

  async create(path: string, object: KubernetesObject): Promise<boolean> {
    this.#objects.set(`${path}/${String(at(object, "metadata", "name"))}`, object);
    return true;
  }

  async merge(): Promise<void> {
    throw new Error("nothing is changed at a first start");
  }

  async remove(): Promise<void> {
    throw new Error("nothing is removed at a first start");
  }

  /** Puts the entries of a Secret into files, as a kubelet would. */
  mount(name: string, path: string): void {
    const object = this.#objects.get(`/api/v1/namespaces/store/secrets/${name}`);
    const data = at(object, "data");
    assert.ok(isMap(data), `no Secret ${name}`);
    mkdirSync(path, { recursive: true });
    for (const [entry, text] of Object.entries(data)) {
      writeFileSync(join(path, entry), Buffer.from(String(text), "base64"));
    }
  }
}

/** Does what the chart's init job is told to do. */
async function runInit(api: MemoryApi, all: readonly Manifest[]): Promise<void> {
  const job = ofKind(all, "Job").find((object) => nameOf(object).includes("-init-"));
  const args = listAt(podSpecOf(job ?? {}), "containers", 0, "args").map(String);
  const valuesOf = (option: string): string[] =>
    args.filter((_word, index) => args[index - 1] === option);
  const [rootSecret] = valuesOf("--root-secret");
  const [clusterSecret] = valuesOf("--cluster-secret");
  const [s3Secret] = valuesOf("--s3-secret");
  const [cluster = "", ...others] = valuesOf("--name");
  assert.deepEqual(others, []);
  await initSecrets(
    { api, namespace: "store", instance: "s3-dolium" },
    {
      ...{ cluster, rootSecret, clusterSecret, s3Secret },
      prefix: valuesOf("--prefix")[0] ?? "",
      rootUser: undefined,
      internalTls: args.includes("--internal-tls"),
      nodes: valuesOf("--node"),
      s3Hosts: valuesOf("--s3-host"),
    },
  );
}

/** Text in which mount paths and addresses of pods are those of this machine. */
class Substitution {
  readonly #pairs: (readonly [string, string])[] = [];

  add(from: string, to: string): void {
    this.#pairs.push([from, to]);
  }

  /** The longest first, since paths and names begin alike. */
  of(text: string): string {
    const pairs = this.#pairs.toSorted(([a], [b]) => b.length - a.length);
    return pairs.reduce((result, [from, to]) => result.replaceAll(from, to), text);
  }
}

async function addressesOf(roles: ReadonlyMap<string, string>): Promise<Substitution> {
  const addresses = new Substitution();
  for (let pod = 0; pod < PODS; pod += 1) {
    for (const port of roles.values()) {
      const address = `127.0.0.1:${await ports.take()}`;
      addresses.add(`s3-dolium-${pod}.${DOMAIN}:${port}`, address);
    }
  }
  return addresses;
}

test("the pods of the chart become a cluster that serves S3", { skip: withoutHelm }, async () => {
  folder = temporaryFolder("dolium-chart-");
  const all = manifests();
  const api = new MemoryApi();
  await runInit(api, all);
  const spec = podSpecOf(named(all, "StatefulSet", "s3-dolium"));
  const addresses = await addressesOf(
    new Map([
      ["metadata", "9002"],
      ["storage", "9012"],
    ]),
  );
  const gateways: Running[] = [];
  for (let pod = 0; pod < PODS; pod += 1) {
    for (const container of listAt(spec, "containers")) {
      const role = String(at(container, "name"));
      // One of each is enough here: they hold nothing.
      if (pod > 0 && (role === "gateway" || role === "keeper")) continue;
      const running = startContainer({ all, api, spec, container, pod, addresses });
      processes.push(running);
      if (role === "gateway") gateways.push(running);
    }
  }
  const [gateway] = gateways;
  assert.ok(gateway !== undefined);
  const endpoint = await endpointOf(gateway);
  await roundTrip(api, endpoint);
});

interface Container {
  readonly all: readonly Manifest[];
  readonly api: MemoryApi;
  readonly spec: unknown;
  readonly container: unknown;
  readonly pod: number;
  readonly addresses: Substitution;
}

function startContainer(what: Container): Running {
  const { container, pod, addresses } = what;
  const podName = `s3-dolium-${pod}`;
  const place = join(folder?.path ?? "", podName, String(at(container, "name")));
  const paths = mounted(what, place);
  const local = (text: string): string => addresses.of(paths.of(text));
  const environment = new Map<string, string>();
  for (const entry of listAt(container, "env")) {
    const value = at(entry, "value");
    if (value === undefined) continue;
    const expanded = String(value).replaceAll("$(POD_NAME)", podName);
    environment.set(String(at(entry, "name")), local(expanded));
  }
  // Listening: at the address that the others were told, and at any port where nobody was.
  const advertised = environment.get("DOLIUM_RPC__ADVERTISE");
  if (advertised !== undefined) environment.set("DOLIUM_RPC__ADDRESS", advertised);
  for (const [name, value] of [
    ["DOLIUM_OPS__ADDRESS", "127.0.0.1"],
    ["DOLIUM_OPS__PORT", "0"],
    ["DOLIUM_OPS__ADVERTISE", ""],
    ["DOLIUM_S3__ADDRESS", "127.0.0.1"],
    ["DOLIUM_S3__PORT", "0"],
    ["DOLIUM_ADMIN__ADDRESS", "127.0.0.1:0"],
  ] as const) {
    environment.set(name, value);
  }
  const args = listAt(container, "args").map((word) => local(String(word)));
  return startDolium([...args, "--json"], {
    folder: place,
    environment: Object.fromEntries(environment),
  });
}

/** Volumes of the pod, in folders of this machine. */
function mounted({ all, api, spec, container, addresses }: Container, place: string): Substitution {
  const paths = new Substitution();
  for (const mount of listAt(container, "volumeMounts")) {
    const [volume, path] = [String(at(mount, "name")), String(at(mount, "mountPath"))];
    paths.add(path, join(place, path));
    mkdirSync(join(place, path), { recursive: true });
    const source = listAt(spec, "volumes").find((one) => at(one, "name") === volume);
    const secret = at(source, "secret", "secretName");
    if (secret !== undefined) api.mount(String(secret), join(place, path));
  }
  const config = named(all, "ConfigMap", "s3-dolium-config");
  const text = addresses.of(paths.of(String(at(config, "data", "config.json"))));
  writeFileSync(join(place, "/etc/dolium/config/config.json"), text);
  return paths;
}

/** Of the gateway, once it serves; fails with what any process said that ended. */
async function endpointOf({ child }: Running): Promise<string> {
  let said = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ready = eventually("the gateway is ready", PATIENCE_MS, async () => {
    const line = said.split("\n").find((one) => one.includes('"event":"ready"'));
    return line === undefined ? undefined : String(at(JSON.parse(line), "endpoint"));
  });
  const failed = Promise.race(processes.map(({ ended }) => ended)).then(({ stderr }) => {
    throw new Error(`a process ended: ${stderr.slice(-3000)}`);
  });
  const endpoint = await Promise.race([ready, failed]);
  failed.catch(() => undefined);
  return endpoint.replace("127.0.0.1", "localhost");
}

async function roundTrip(api: MemoryApi, endpoint: string): Promise<void> {
  const home = folder?.path ?? "";
  api.mount("s3-dolium-root", join(home, "root"));
  api.mount("s3-dolium-s3-tls", join(home, "s3"));
  const secret = await api.get("/api/v1/namespaces/store/secrets/s3-dolium-root");
  const key = (entry: string): string =>
    Buffer.from(String(at(secret, "data", entry)), "base64").toString("utf8");
  const environment = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: key("rootUser"),
    AWS_SECRET_ACCESS_KEY: key("rootPassword"),
    NODE_EXTRA_CA_CERTS: join(home, "s3/ca.crt"),
  };
  writeFileSync(join(home, "sent"), "an object of a chart ".repeat(10_000));
  const run = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runDolium(args, { folder: home, environment });
    assert.equal(code, 0, `dolium ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  await run("mb", "s3://of-the-chart");
  await run("cp", "sent", "s3://of-the-chart/object");
  assert.equal(
    await run("cat", "s3://of-the-chart/object"),
    "an object of a chart ".repeat(10_000),
  );
}
