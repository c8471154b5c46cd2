// Secrets of a namespace as maps of texts. What exists is never replaced as a whole.
import type { KubernetesApi, KubernetesObject } from "./api-client.ts";

export type SecretTexts = ReadonlyMap<string, string>;

export interface SecretPlace {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Labels of what is made. */
  readonly instance: string;
}

/** Undefined where there is none. */
export async function readSecret(
  { api, namespace }: SecretPlace,
  name: string,
): Promise<SecretTexts | undefined> {
  const found = await api.get(`${pathOf(namespace)}/${name}`);
  if (found === undefined) return undefined;
  const data = typeof found.data === "object" && found.data !== null ? found.data : {};
  const texts = Object.entries(data).map(
    ([key, value]) => [key, Buffer.from(String(value), "base64").toString("utf8")] as const,
  );
  return new Map(texts);
}

/** False where there is one already: it stays as it is. */
export async function makeSecret(
  { api, namespace, instance }: SecretPlace,
  name: string,
  texts: SecretTexts,
): Promise<boolean> {
  const labels = {
    "app.kubernetes.io/managed-by": "dolium",
    "app.kubernetes.io/instance": instance,
  };
  return api.create(pathOf(namespace), {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: { name, namespace, labels },
    data: encoded(texts),
  });
}

/** Puts these entries over those that are there; others stay. */
export async function putEntries(
  { api, namespace }: SecretPlace,
  name: string,
  texts: SecretTexts,
): Promise<void> {
  await api.merge(`${pathOf(namespace)}/${name}`, { data: encoded(texts) });
}

function pathOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets`;
}

function encoded(texts: SecretTexts): KubernetesObject {
  const pairs = [...texts].map(([key, text]) => [key, Buffer.from(text).toString("base64")]);
  return Object.fromEntries(pairs);
}
