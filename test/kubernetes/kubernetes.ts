// A real Kubernetes of one machine for a test file, in namespaces of its own (node.sh): its ports,
// interfaces, rules, mounts and processes end with it. The programs come from `make kubernetes`;
// where they are not built, tests skip with a sentence.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { copyFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { parseAllDocuments } from "yaml";
import { isMap, type Manifest, missingProgram, programPath, ROOT } from "../helm/chart.ts";
import { eventually } from "../support/eventually.ts";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary-folder.ts";

export const PROGRAMS = join(ROOT, ".ci/kubernetes");
const API = ["etcd", "kube-apiserver", "kubectl"];
const NODE = ["kubelet", "kube-scheduler", "kube-proxy", "bridge", "host-local", "loopback"];
const CGROUP = "dolium-kubernetes";
const START_MS = 600_000;
const COMMAND_MS = 900_000;

/** An API server alone; with its controllers, which make pods; with a node, which runs them. */
export type Parts = "api" | "controllers" | "node";

function notBuilt(names: readonly string[]): string | undefined {
  const lacking = names.filter((name) => !existsSync(join(PROGRAMS, name)));
  return lacking.length > 0 ? `not built: ${lacking.join(", ")} (make kubernetes)` : undefined;
}

/** Undefined when an API server can be started, else why tests are skipped. */
export function withoutApi(): string | undefined {
  if (process.getuid?.() !== 0) return "namespaces of one's own need root";
  return notBuilt(API) ?? missingProgram("helm", ["version"]);
}

/** The same with controllers. */
export function withoutControllers(): string | undefined {
  return withoutApi() ?? notBuilt(["kube-controller-manager"]);
}

/** Undefined when pods of Dolium's image can be run, else why tests are skipped. */
export function withoutNode(): string | undefined {
  const without = withoutControllers();
  if (without !== undefined) return without;
  const lacking = notBuilt([...NODE, "portmap", "coredns", "images/pause.tar"]);
  if (lacking !== undefined) return lacking;
  return missingProgram("containerd", ["--version"]) ?? withoutImage();
}

/** A file that `docker save` wrote, in place of asking docker for the image. */
const IMAGE_FILE = process.env.DOLIUM_TEST_IMAGE_FILE;
const IMAGE = "dolium:latest";

function withoutImage(): string | undefined {
  if (IMAGE_FILE !== undefined) return undefined;
  const { status } = spawnSync("docker", ["image", "inspect", IMAGE]);
  return status === 0 ? undefined : `docker has no image ${IMAGE} (make image)`;
}

async function saveImage(path: string): Promise<void> {
  if (IMAGE_FILE !== undefined) await copyFile(IMAGE_FILE, path);
  else execFileSync("docker", ["save", "--output", path, IMAGE], { stdio: "pipe" });
}

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

export interface RunOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class Kubernetes {
  readonly folder: string;
  readonly #temporary: TemporaryFolder;
  readonly #holder: ChildProcess;
  readonly #parts: Parts;
  #first = "";

  private constructor(temporary: TemporaryFolder, parts: Parts) {
    this.#temporary = temporary;
    this.#parts = parts;
    this.folder = temporary.path;
    const script = join(import.meta.dirname, "node.sh");
    const inside = ["bash", script, PROGRAMS, this.folder, parts];
    const own = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    this.#holder = spawn("unshare", [...own, ...inside], {
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  /** Resolves when the API server answers and the other parts are started. */
  static async start(parts: Parts): Promise<Kubernetes> {
    const temporary = temporaryFolder("dolium-kubernetes-");
    mkdirSync(join(temporary.path, "images"));
    if (parts === "node") {
      await copyFile(join(PROGRAMS, "images/pause.tar"), join(temporary.path, "images/pause.tar"));
      await saveImage(join(temporary.path, "images/dolium.tar"));
    }
    const kubernetes = new Kubernetes(temporary, parts);
    try {
      await kubernetes.#untilStarted();
      return kubernetes;
    } catch (error) {
      await kubernetes.stop();
      throw error;
    }
  }

  async #untilStarted(): Promise<void> {
    const said: string[] = [];
    this.#holder.stderr?.on("data", (bytes: Buffer) => said.push(String(bytes)));
    const started = await eventually("Kubernetes runs", START_MS, async () => {
      if (this.#holder.exitCode !== null) return "no";
      return existsSync(join(this.folder, "started")) ? "yes" : undefined;
    });
    if (started === "no") throw new Error(`Kubernetes ended: ${said.join("")}`);
    const children = ["-o", "pid=", "--ppid", String(this.#holder.pid)];
    this.#first = execFileSync("ps", children, { encoding: "utf8" }).trim();
  }

  /** Runs a program beside the API server; its administrator's keys are in the environment. */
  async run(
    program: string,
    args: readonly string[],
    { input = "", environment = {} }: RunOptions = {},
  ): Promise<Ran> {
    const child = this.spawn(program, args, environment);
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes));
    // It may end without having read everything; how it ended tells why.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    child.once("error", reject);
    child.once("close", resolve);
    const status = await promise;
    const text = (parts: Buffer[]): string => Buffer.concat(parts).toString();
    return { stdout: text(stdout), stderr: text(stderr), status };
  }

  spawn(
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const enter = ["--target", this.#first, "--mount", "--net", "--pid"];
    return spawn("nsenter", [...enter, programPath(program), ...args], {
      env: {
        ...process.env,
        PATH: `${PROGRAMS}:${process.env.PATH ?? ""}`,
        KUBECONFIG: join(this.folder, "admin.conf"),
        NO_PROXY: "*",
        ...environment,
      },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: COMMAND_MS,
    });
  }

  /** What it printed; throws with its own words unless it ends with 0. */
  async output(
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    const { stdout, stderr, status } = await this.run(program, args, options);
    if (status === 0) return stdout;
    throw new Error(`${program} ${args.join(" ")}: ended with ${status}\n${stdout}${stderr}`);
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return this.output("kubectl", args);
  }

  helm(...args: readonly string[]): Promise<string> {
    return this.output("helm", args);
  }

  /** The objects that `kubectl get` finds. */
  async get(...args: readonly string[]): Promise<Manifest[]> {
    const found: unknown = JSON.parse(await this.kubectl("get", ...args, "-o", "json"));
    if (!isMap(found)) throw new Error(`kubectl get ${args.join(" ")}: no object`);
    if (!Array.isArray(found.items)) return [found];
    return found.items.filter(isMap);
  }

  async apply(...objects: readonly Manifest[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    await this.output("kubectl", ["apply", "--server-side", "-f", "-"], {
      input: JSON.stringify(list),
    });
  }

  /** Kills whatever runs in the namespaces, and removes what outlives them. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holder.once("exit", () => resolve());
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) resolve();
    this.#holder.kill("SIGKILL");
    await promise;
    await eventually("no process is left", 60_000, async () => {
      if (this.#first !== "" && existsSync(`/proc/${this.#first}`)) return undefined;
      if (this.#parts === "node") await removeCgroups();
      return true;
    });
    this.#temporary.remove();
  }
}

/** The groups of pods outlive their processes, in each hierarchy that there is. */
async function removeCgroups(): Promise<void> {
  const root = "/sys/fs/cgroup";
  const hierarchies = readdirSync(root).map((name) => join(root, name, CGROUP));
  for (const top of [join(root, CGROUP), ...hierarchies].filter(existsSync)) {
    const below = readdirSync(top, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort((one, other) => other.length - one.length);
    for (const folder of [...below, top]) await rmdir(folder);
  }
}

/** Kinds that are not Kubernetes' own: definitions of their projects, and ours of COSI's. */
export function definitions(): Manifest[] {
  const folder = join(PROGRAMS, "crds");
  const published = readdirSync(folder).flatMap((name) =>
    parseAllDocuments(readFileSync(join(folder, name), "utf8")).map((document): unknown =>
      document.toJS(),
    ),
  );
  const classes = ["BucketClass", "BucketAccessClass"].map(bucketDefinition);
  return [...published.filter(isMap), ...classes];
}

/** COSI's own module is in no registry: its definitions say what test/helm/schemas does. */
function bucketDefinition(kind: string): Manifest {
  const file = join(ROOT, `test/helm/schemas/${kind.toLowerCase()}-objectstorage-v1alpha1.json`);
  const schema: unknown = JSON.parse(readFileSync(file, "utf8"));
  const properties = isMap(schema) && isMap(schema.properties) ? schema.properties : {};
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...own } = properties;
  const plural = `${kind.toLowerCase()}es`;
  const group = "objectstorage.k8s.io";
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      annotations: { "api-approved.kubernetes.io": "unapproved, of a test" },
    },
    spec: {
      group,
      scope: "Cluster",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: "v1alpha1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: typed(own) } },
        },
      ],
    },
  };
}

/** A definition wants the type of everything; what only lists words is a string. */
function typed(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(properties).map(([name, schema]) => [
    name,
    isMap(schema) ? { type: "string", ...schema } : schema,
  ]);
  return Object.fromEntries(entries);
}

/** A file in the folder of the cluster, for programs that read one. */
export function writeInto(kubernetes: Kubernetes, name: string, text: string): string {
  const path = join(kubernetes.folder, name);
  writeFileSync(path, text);
  return path;
}
