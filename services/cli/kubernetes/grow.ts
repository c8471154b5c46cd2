// Makes the claims of StatefulSets larger. Their claim templates cannot be changed, so a set whose
// template differs is deleted without its pods; whoever upgrades puts it there again, and it adopts
// them. Claims never become smaller.
import { StoreError } from "../../lib/base/errors.ts";
import { UsageError } from "../command-line.ts";
import type { KubernetesApi, KubernetesObject } from "./api-client.ts";

export interface ClaimSize {
  readonly set: string;
  readonly claim: string;
  /** A quantity: "50Gi". */
  readonly size: string;
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** "SET/CLAIM=SIZE". Throws UsageError. */
export function parseClaimSize(text: string): ClaimSize {
  const [, set, claim, size] = /^([a-z0-9.-]+)\/([a-z0-9.-]+)=([0-9].*)$/.exec(text) ?? [];
  if (set === undefined || claim === undefined || size === undefined) {
    throw new UsageError(`--claim wants SET/CLAIM=SIZE, not "${text}"`);
  }
  quantityBytes(size);
  return { set, claim, size };
}

/** Bytes of a quantity of Kubernetes. Throws UsageError. */
export function quantityBytes(text: string): number {
  const [, number, unit = ""] = /^([0-9]+(?:[.][0-9]+)?)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  if (number === undefined || factor === undefined) {
    throw new UsageError(`"${text}" is no quantity like 50Gi`);
  }
  return Number(number) * factor;
}

/** Resolves with a sentence for each change. */
export async function growClaims(
  api: KubernetesApi,
  namespace: string,
  wanted: readonly ClaimSize[],
): Promise<string[]> {
  const told: string[] = [];
  for (const set of new Set(wanted.map((one) => one.set))) {
    const path = `/apis/apps/v1/namespaces/${namespace}/statefulsets/${set}`;
    const object = await api.get(path);
    if (object === undefined) continue;
    const sizes = wanted.filter((one) => one.set === set);
    // Refused before anything is changed.
    const different = sizes.filter((one) => differs(object, one));
    for (const one of different) told.push(...(await growOne(api, { namespace, object, one })));
    if (different.length === 0) continue;
    await api.remove(path, { propagationPolicy: "Orphan" });
    told.push(`StatefulSet ${set} gives way to one with the new size; its pods run on`);
  }
  return told;
}

/** Throws UsageError for a size below that of the template. */
function differs(object: KubernetesObject, { set, claim, size }: ClaimSize): boolean {
  const templates = listAt(object, "spec", "volumeClaimTemplates");
  const template = templates.find((one) => textAt(one, "metadata", "name") === claim);
  if (template === undefined) return false;
  const now = textAt(template, "spec", "resources", "requests", "storage");
  if (quantityBytes(size) < quantityBytes(now)) {
    throw new UsageError(`claims ${claim} of ${set} have ${now}: they cannot shrink to ${size}`);
  }
  return quantityBytes(size) > quantityBytes(now);
}

async function growOne(
  api: KubernetesApi,
  what: { readonly namespace: string; readonly object: KubernetesObject; readonly one: ClaimSize },
): Promise<string[]> {
  const { namespace, object, one } = what;
  const replicas = Number(valueAt(object, "spec", "replicas") ?? 1);
  const told: string[] = [];
  for (let at = 0; ; at += 1) {
    const name = `${one.claim}-${one.set}-${at}`;
    const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`;
    const claim = await api.get(path);
    // Claims of pods that are no more may follow those of the pods.
    if (claim === undefined && at >= replicas) return told;
    if (claim === undefined) continue;
    const now = textAt(claim, "spec", "resources", "requests", "storage");
    if (quantityBytes(now) >= quantityBytes(one.size)) continue;
    try {
      await api.merge(path, { spec: { resources: { requests: { storage: one.size } } } });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `claim ${name} stays at ${now} (does its storage class allow expansion?): ${reason}`;
      throw new StoreError("invalid", message, { cause });
    }
    told.push(`claim ${name} grows from ${now} to ${one.size}`);
  }
}

function valueAt(object: unknown, ...path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  }
  return value;
}

function textAt(object: unknown, ...path: readonly string[]): string {
  return String(valueAt(object, ...path) ?? "0");
}

function listAt(object: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = valueAt(object, ...path);
  return Array.isArray(value) ? value : [];
}
