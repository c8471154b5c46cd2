// What values of the chart may be. `config` is the servers' own schema, so that a misspelt setting
// is refused before anything is installed; provisioning is that of the file which gateways see to.
// Open at the root and in `global`, where parent charts keep values of their own.
import { ConfigSchema } from "../services/cli/config-schema.ts";
import { ProvisioningSchema } from "../services/gateway/admin/provisioning/provisioning-file.ts";
import {
  anyList,
  anyObject,
  flag,
  hostName,
  hostOrWildcard,
  item,
  label,
  list,
  object,
  oneOf,
  orNull,
  partial,
  port,
  quantity,
  type Schema,
  stringMap,
  strings,
  text,
  whole,
} from "./json-schema.ts";

const pullSecrets = list({ anyOf: [text, item(["name"], { name: text })] });
const image = {
  registry: text,
  repository: { type: "string", minLength: 1 },
  tag: { type: ["string", "number"] },
  digest: { type: "string", pattern: "^$|^sha256:[0-9a-f]{64}$" },
};
const issuerRef = object({ name: text, kind: text, group: text });
const shards = (minimum: number, maximum: number): Schema => ({
  anyOf: [oneOf("auto"), whole(minimum, maximum)],
});
const secretKey = item(["name", "key"], { name: text, key: text });

const zone = item(["name", "replicas"], {
  name: label,
  replicas: whole(1, 1000),
  drives: whole(1, 64),
  size: quantity,
  storageClass: text,
  campus: label,
  rack: text,
  nodeSelector: stringMap,
  tolerations: anyList,
  publicHost: hostName,
  serviceAnnotations: stringMap,
});

const minioUser = item(["accessKey"], {
  accessKey: { type: "string", minLength: 3 },
  secretKey: { type: "string", minLength: 8 },
  existingSecret: text,
  existingSecretKey: text,
  policy: text,
});
const minioBucket = item(["name"], {
  name: { type: "string", minLength: 3, maxLength: 63 },
  policy: oneOf("none", "download", "upload", "public"),
  purge: flag,
  versioning: flag,
  objectlocking: flag,
});
const minioPolicy = item(["name", "statements"], {
  name: text,
  statements: list(
    item(["actions", "resources"], {
      effect: oneOf("Allow", "Deny"),
      actions: strings,
      resources: strings,
      conditions: list(anyObject),
    }),
  ),
});

/** The lists of the provisioning file, with Secrets of Kubernetes in place of files. */
function provisioning(): Schema {
  // Checked boundary: our own schema, as JSON.
  const file = JSON.parse(JSON.stringify(ProvisioningSchema)) as {
    properties: Record<string, { items: Schema & { properties: Record<string, Schema> } }>;
  };
  const { properties } = file;
  const lists = Object.entries(properties).map(([name, { items }]) => {
    const { keys, tokenFile: _file, ...fields } = items.properties;
    const required = Array.isArray(items.required) ? items.required : [];
    if (name === "users") {
      const secret = item(["accessKeyId", "name", "key"], {
        ...{ accessKeyId: text, name: text, key: text },
      });
      return [name, list(item(required, { ...fields, existingSecrets: list(secret) }))] as const;
    }
    if (name === "tokens") {
      const given = required.filter((field) => field !== "tokenFile");
      const all = item([...given, "existingSecret"], { ...fields, existingSecret: secretKey });
      return [name, list(all)] as const;
    }
    return [name, list(keys === undefined ? items : item(required, fields))] as const;
  });
  return object(Object.fromEntries(lists));
}

const where: Readonly<Record<string, Schema>> = {
  nodeSelector: stringMap,
  tolerations: anyList,
  affinity: anyObject,
  priorityClassName: text,
  antiAffinity: oneOf("soft", "hard", "none"),
  hostFromKubernetesNode: flag,
  openshift: flag,
  podSecurityContext: anyObject,
  podAnnotations: stringMap,
  podLabels: stringMap,
  commonLabels: stringMap,
  environment: list(anyObject),
  extraEnv: list(anyObject),
  extraVolumes: list(anyObject),
  extraVolumeMounts: list(anyObject),
  extraObjects: list({ type: ["object", "string"] }),
  serviceAccount: object({ annotations: stringMap }),
};

const shape: Readonly<Record<string, Schema>> = {
  mode: oneOf("standalone", "cluster", "split", "distributed"),
  replicas: whole(1, 1000),
  clusterId: { type: "string", pattern: "^$|^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$" },
  clusterDomain: hostName,
  listenAddress: { type: "string", minLength: 1 },
  region: { type: "string", pattern: "^[A-Za-z0-9-]{0,64}$" },
  logLevel: oneOf("silent", "error", "warn", "info", "debug"),
  campus: object({
    name: label,
    rack: text,
    seeds: list(
      item(["name", "address"], {
        name: text,
        address: { type: "string", pattern: "^.+:[0-9]{1,5}$" },
      }),
    ),
    podDomain: hostName,
    headlessAnnotations: stringMap,
    publicHost: hostName,
    globalHost: hostName,
  }),
  zones: list(zone),
  durability: object({
    data: shards(1, 32),
    parity: shards(0, 16),
    failureDomain: oneOf("auto", "disk", "node", "host", "rack", "campus"),
  }),
};

const access: Readonly<Record<string, Schema>> = {
  auth: object({
    existingSecret: text,
    rootUser: { type: "string", pattern: "^$|^[^\\s/,=]{3,128}$" },
    rootPassword: text,
    existingClusterSecret: text,
  }),
  provisioning: provisioning(),
  tls: object({
    mode: oneOf("none", "secret", "certManager", "selfSigned"),
    existingSecret: text,
    hosts: list(hostName),
    certManager: object({ issuerRef, publicNamesOnly: flag }),
  }),
  internalTls: object({
    mode: oneOf("none", "secret", "certManager", "selfSigned"),
    issuerRef,
    existingSecrets: object({ metadata: text, storage: text, gateway: text, keeper: text }),
  }),
  init: object({ enabled: flag, renewSchedule: text, resources: anyObject }),
};

const exposure: Readonly<Record<string, Schema>> = {
  service: object({
    type: oneOf("ClusterIP", "NodePort", "LoadBalancer"),
    s3Port: port,
    port: orNull(port),
    consolePort: port,
    nodePort: orNull(port),
    clusterIP: text,
    loadBalancerIP: text,
    loadBalancerSourceRanges: strings,
    externalIPs: strings,
    externalTrafficPolicy: oneOf("", "Cluster", "Local"),
    internalTrafficPolicy: oneOf("", "Cluster", "Local"),
    annotations: stringMap,
  }),
  ingress: object({
    enabled: flag,
    ingressClassName: text,
    annotations: stringMap,
    labels: stringMap,
    path: text,
    hosts: list(hostOrWildcard),
    tls: list(anyObject),
  }),
  gatewayApi: object({
    parentRefs: list(anyObject),
    hostnames: list(hostOrWildcard),
    httpRoute: object({ enabled: flag }),
    tlsRoute: object({ enabled: flag }),
  }),
  console: object({ enabled: flag }),
};

const roles: Readonly<Record<string, Schema>> = {
  persistence: object({
    enabled: flag,
    size: quantity,
    storageClass: text,
    drives: whole(1, 64),
    accessMode: oneOf("ReadWriteOnce", "ReadWriteOncePod"),
    annotations: stringMap,
    retain: flag,
    existingClaim: text,
    growHook: flag,
  }),
  metadata: object({
    replicas: oneOf(0, 1, 3, 5, 7),
    size: quantity,
    storageClass: text,
    resources: anyObject,
  }),
  storage: object({ replicas: whole(1, 1000), resources: anyObject }),
  gateway: object({
    replicas: whole(1, 1000),
    perZone: flag,
    onEveryNode: flag,
    drainSeconds: whole(0, 100),
    autoscaling: object({
      enabled: flag,
      minReplicas: whole(1, 1000),
      maxReplicas: whole(1, 1000),
      targetCpuPercent: whole(1, 1000),
    }),
    resources: anyObject,
  }),
  keeper: object({ replicas: whole(1, 10), resources: anyObject }),
  resources: anyObject,
  heapPercent: whole(10, 90),
  threadPoolSize: whole(1, 1024),
  terminationGracePeriodSeconds: whole(30, 3600),
  minReadySeconds: whole(0, 3600),
};

const besides: Readonly<Record<string, Schema>> = {
  podDisruptionBudget: object({ enabled: flag }),
  networkPolicy: object({
    enabled: flag,
    s3From: list(anyObject),
    monitoringFrom: list(anyObject),
    campusesFrom: list(anyObject),
  }),
  metrics: object({
    serviceMonitor: object({ enabled: flag, namespace: text, interval: text, labels: stringMap }),
    prometheusRule: object({ enabled: flag, namespace: text, labels: stringMap }),
    dashboards: object({
      ...{ enabled: flag, namespace: text, labels: stringMap, annotations: stringMap },
    }),
  }),
  cosi: object({
    enabled: flag,
    driverName: hostName,
    bucketClass: hostName,
    bucketAccessClass: hostName,
    deletionPolicy: oneOf("Retain", "Delete"),
    endpoint: { type: "string", pattern: "^$|^https?://" },
    sidecar: object({ image: object(image), resources: anyObject }),
    resources: anyObject,
  }),
};

const ofMinio: Readonly<Record<string, Schema>> = {
  rootUser: text,
  rootPassword: text,
  existingSecret: text,
  buckets: list(minioBucket),
  users: list(minioUser),
  policies: list(minioPolicy),
};

export const VALUES_SCHEMA: Schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Values of the chart dolium",
  type: "object",
  properties: {
    global: {
      type: "object",
      properties: { imageRegistry: text, imagePullSecrets: pullSecrets },
    },
    // Parent charts switch their parts on and off by it.
    enabled: flag,
    nameOverride: text,
    fullnameOverride: text,
    image: object({
      ...image,
      ...{ pullPolicy: oneOf("Always", "IfNotPresent", "Never"), pullSecrets },
    }),
    config: partial(ConfigSchema),
    ...shape,
    ...access,
    ...exposure,
    ...roles,
    ...where,
    ...besides,
    ...ofMinio,
  },
};
