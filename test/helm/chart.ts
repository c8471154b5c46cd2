// Renders the chart with the real Helm, and gives back what it would install as objects. Helm comes
// from .ci/bin (see .ci/run) or the path; where there is none, tests skip with a sentence.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export const ROOT = join(import.meta.dirname, "../..");
export const CHART = join(ROOT, "helm/dolium");
const CI_BIN = join(ROOT, ".ci/bin");
export const KUBE_VERSION = "1.34.0";

export type Values = Readonly<Record<string, unknown>>;

/** An object of Kubernetes; fields are read with `at`. */
export type Manifest = Readonly<Record<string, unknown>>;

export function programPath(name: string): string {
  const own = join(CI_BIN, name);
  return existsSync(own) ? own : name;
}

/** Undefined when the program runs, else why tests are skipped. */
export function missingProgram(name: string, args: readonly string[]): string | undefined {
  const { status } = spawnSync(programPath(name), [...args]);
  return status === 0 ? undefined : `${name} is not installed on this machine`;
}

export const withoutHelm = missingProgram("helm", ["version"]) ?? false;

/** Paths of helm/dolium/ci/*-values.yaml by their name. */
export function ciValues(): Map<string, string> {
  const folder = join(CHART, "ci");
  const files = readdirSync(folder).filter((name) => name.endsWith("-values.yaml"));
  return new Map(files.map((name) => [name.replace("-values.yaml", ""), join(folder, name)]));
}

export interface Rendering {
  readonly release?: string;
  readonly namespace?: string;
  /** Paths of values files. */
  readonly files?: readonly string[];
  readonly values?: Values;
  /** What the cluster serves beside Kubernetes' own kinds: GROUP/VERSION/KIND. */
  readonly serves?: readonly string[];
}

/** The text that `helm template` prints. Throws with Helm's own words. */
export function render(rendering: Rendering = {}): string {
  const { release = "s3", namespace = "store", files = [], values, serves = [] } = rendering;
  const given = values === undefined ? [] : ["--values", "-"];
  const args = [
    ...["template", release, CHART, "--namespace", namespace, "--kube-version", KUBE_VERSION],
    ...serves.flatMap((kind) => ["--api-versions", kind]),
    ...files.flatMap((path) => ["--values", path]),
    ...given,
  ];
  return execFileSync(programPath("helm"), args, {
    ...(values === undefined ? {} : { input: JSON.stringify(values) }),
    stdio: ["pipe", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
    encoding: "utf8",
  });
}

/** What Helm says after an installation with the chart's own values. */
export function notesOf(): string {
  // Helm prints notes when it installs alone; an object of one's own may have them too.
  const notes = '{{ include "dolium/templates/NOTES.txt" . | b64enc }}';
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "n" }, data: { notes } };
  const all = manifests({ values: { extraObjects: [object] } });
  const text = at(named(all, "ConfigMap", "n"), "data", "notes");
  return Buffer.from(String(text), "base64").toString("utf8");
}

export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object: unknown = document.toJS();
    return isMap(object) ? [object] : [];
  });
}

export function manifests(rendering: Rendering = {}): Manifest[] {
  return manifestsOf(render(rendering));
}

/** Helm's refusal; fails where it renders. */
export function refusalOf(values: Values): string {
  try {
    render({ values });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error(`the chart takes ${JSON.stringify(values)}`);
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at the end of a path of keys and indexes; undefined where there is nothing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) {
    if (Array.isArray(found)) found = found[Number(step)];
    else found = isMap(found) ? found[step] : undefined;
  }
  return found;
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

export function ofKind(all: readonly Manifest[], kind: string): Manifest[] {
  return all.filter((object) => object.kind === kind);
}

export function nameOf(object: Manifest): string {
  return String(at(object, "metadata", "name"));
}

/** The one of this kind and name. */
export function named(all: readonly Manifest[], kind: string, name: string): Manifest {
  const found = ofKind(all, kind).filter((object) => nameOf(object) === name);
  const [one] = found;
  if (one !== undefined && found.length === 1) return one;
  throw new Error(`${found.length} of ${kind} ${name}: ${ofKind(all, kind).map(nameOf)}`);
}

/** Where a workload keeps the spec of its pods. */
export function podSpecOf(object: Manifest): unknown {
  if (object.kind === "Pod") return object.spec;
  if (object.kind === "CronJob")
    return at(object, "spec", "jobTemplate", "spec", "template", "spec");
  return at(object, "spec", "template", "spec");
}

export function workloads(all: readonly Manifest[]): Manifest[] {
  return all.filter((object) => isMap(podSpecOf(object)));
}

/** The settings file of the servers. */
export function configOf(all: readonly Manifest[], fullname = "s3-dolium"): unknown {
  const text = at(named(all, "ConfigMap", `${fullname}-config`), "data", "config.json");
  return parse(String(text));
}
