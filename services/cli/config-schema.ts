// Every setting of a Dolium process, with its default: the source of the checked configuration file
// and of the environment names (`s3.inlineBytes` is DOLIUM_S3__INLINE_BYTES; secrets also as
// ..._FILE).
import { ADMIN_SETTINGS } from "../gateway/admin/config.ts";
import { PROVISIONING_SETTINGS } from "../gateway/admin/provisioning/config.ts";
import { AUDIT_SETTINGS } from "../gateway/audit/audit-settings.ts";
import { S3_SETTINGS } from "../gateway/config.ts";
import { IDENTITY_SETTINGS } from "../gateway/identity/settings.ts";
import {
  AccessLogsConfigSchema,
  KeeperConfigSchema,
  LifecycleConfigSchema,
  NotifyConfigSchema,
  ReplicationConfigSchema,
} from "../keeper/config.ts";
import { CELL_BYTES_MAX, DATA_SHARDS_MAX, PARITY_SHARDS_MAX } from "../lib/base/limits.ts";
import * as Type from "../lib/base/settings-schema.ts";

const strict = { additionalProperties: false } as const;
const text = (description: string, value = ""): Type.TString =>
  Type.String({ default: value, description });

const PolicySchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 63 }),
    dataShards: Type.Integer({ minimum: 1, maximum: DATA_SHARDS_MAX }),
    parityShards: Type.Integer({ minimum: 0, maximum: PARITY_SHARDS_MAX }),
    failureDomain: Type.Union([
      Type.Literal("disk"),
      Type.Literal("node"),
      Type.Literal("host"),
      Type.Literal("rack"),
      Type.Literal("campus"),
    ]),
    cellBytes: Type.Integer({ minimum: 1024, maximum: CELL_BYTES_MAX, default: 131_072 }),
  },
  strict,
);

const INTERNAL_TLS = {
  caFile: text("Authorities (PEM) of the certificates of all services; empty: no TLS."),
  certificateFile: text("Certificate of this process, with its identity in a URI (PEM)."),
  keyFile: text("Its key (PEM)."),
  reloadMs: Type.Integer({
    minimum: 100,
    default: 10_000,
    description: "How often the files are looked at; changed ones are used from then on.",
  }),
  allowPlain: Type.Boolean({
    default: false,
    description: "Speak without TLS to other machines: whoever is on the network may listen.",
  }),
} as const;

export const ConfigSchema = Type.Object(
  {
    node: Type.Object(
      {
        name: text("Name of this process, unique in the cluster."),
        campus: text("Campus it stands at.", "main"),
        rack: text("Rack it stands in."),
        host: text("Machine it runs on: a failure domain."),
        beside: Type.Array(Type.String(), {
          default: [],
          description: "Of a gateway: names of nodes that are stopped together with it.",
        }),
      },
      { ...strict, default: {} },
    ),
    cluster: Type.Object(
      {
        id: text("Identity of the cluster; a process of another one is refused."),
        secret: text("Shared by all services of the cluster."),
        metadata: Type.Array(Type.Object({ name: Type.String(), address: Type.String() }, strict), {
          default: [],
          description: "Every metadata replica: name and host:port.",
        }),
        policies: Type.Array(PolicySchema, {
          default: [{ name: "standard", dataShards: 4, parityShards: 2, failureDomain: "node" }],
          description: "Durability policies, taken when the cluster is first started.",
        }),
        defaultPolicy: text("Policy of buckets that name none.", "standard"),
        indexGroups: Type.Integer({
          minimum: 1,
          maximum: 64,
          default: 2,
          description: "Raft groups for object names, taken when the cluster is first started.",
        }),
        placementGroups: Type.Integer({
          minimum: 1,
          maximum: 16_384,
          default: 256,
          description:
            "Groups of disks that chunks are spread over, taken when the cluster is first started.",
        }),
      },
      { ...strict, default: {} },
    ),
    encryption: Type.Object(
      {
        clusterKey: text(
          "32 bytes, hex or base64, that seal the keys of encrypted objects; empty: only SSE-C.",
        ),
        formerClusterKeys: text(
          "Cluster keys before this one, separated by commas: what they sealed still opens.",
        ),
      },
      { ...strict, default: {} },
    ),
    rpc: Type.Object(
      {
        address: text("host:port that gRPC listens on.", "127.0.0.1:0"),
        advertise: text("host:port that others reach it at; empty: as it listens."),
      },
      { ...strict, default: {} },
    ),
    internal: Type.Object(
      { tls: Type.Object(INTERNAL_TLS, { ...strict, default: {} }) },
      { ...strict, default: {} },
    ),
    ops: Type.Object(
      {
        address: text("Address of metrics and health.", "127.0.0.1"),
        port: Type.Integer({
          minimum: 0,
          maximum: 65_535,
          default: 9003,
          description: "Port of metrics and health; 0: any that is free.",
        }),
        advertise: text("host:port that Prometheus reaches it at; empty: as it listens."),
        bucketLabels: Type.Integer({
          minimum: 0,
          maximum: 10_000,
          default: 500,
          description: "Buckets with figures of their own at /metrics/buckets.",
        }),
      },
      { ...strict, default: {} },
    ),
    log: Type.Object(
      {
        level: Type.Union(
          [
            Type.Literal("silent"),
            Type.Literal("error"),
            Type.Literal("warn"),
            Type.Literal("info"),
            Type.Literal("debug"),
          ],
          { default: "info", description: "Least important lines that are logged." },
        ),
      },
      { ...strict, default: {} },
    ),
    metadata: Type.Object(
      {
        dataDir: text("Directory of the metadata replica."),
        suspectAfterMs: Type.Integer({
          minimum: 200,
          default: 3000,
          description: "A storage node silent for so long is suspected to be away.",
        }),
        downAfterMs: Type.Integer({
          minimum: 500,
          default: 5000,
          description: "A storage node silent for so long is taken for down.",
        }),
        outAfterMs: Type.Integer({
          minimum: 1000,
          default: 600_000,
          description: "A storage node silent for so long is given up: its shards are rebuilt.",
        }),
        idleUnlessListed: Type.Boolean({
          default: false,
          description: "A process that cluster.metadata does not list does nothing, and no harm.",
        }),
        awaitImport: Type.Boolean({
          default: false,
          description: "Begin without a cluster map and wait for `dolium backup import`.",
        }),
        verifyOnOpenBytesMax: Type.Integer({
          minimum: 0,
          default: 268_435_456,
          description: "Larger stores open before all their files are checked, which then follows.",
        }),
        slowWriteMs: Type.Integer({
          minimum: 50,
          default: 1000,
          description: "A leader whose log write stalls for so long lets another replica lead.",
        }),
      },
      { ...strict, default: {} },
    ),
    storage: Type.Object(
      {
        disks: Type.Array(Type.String(), {
          default: [],
          description: "Directories, one a disk.",
        }),
        scrubBytesPerSecond: Type.Integer({
          minimum: 1,
          default: 16_777_216,
          description: "Rate at which all shards of a disk are read and checked.",
        }),
        scrubPassMsMin: Type.Integer({
          minimum: 100,
          default: 60_000,
          description: "Shortest time between the starts of two such passes.",
        }),
        compactionBytesPerSecond: Type.Integer({
          minimum: 1,
          default: 67_108_864,
          description: "Rate at which compaction copies; a full disk is compacted without it.",
        }),
        failedRetryMsMin: Type.Integer({
          minimum: 100,
          default: 5000,
          description: "A failed disk is tried again after this, and longer and longer ...",
        }),
        failedRetryMsMax: Type.Integer({
          minimum: 100,
          default: 600_000,
          description: "... up to this.",
        }),
      },
      { ...strict, default: {} },
    ),
    audit: Type.Object(AUDIT_SETTINGS.properties, { ...strict, default: {} }),
    admin: Type.Object(ADMIN_SETTINGS.properties, { ...strict, default: {} }),
    provisioning: Type.Object(PROVISIONING_SETTINGS.properties, { ...strict, default: {} }),
    identity: Type.Object(IDENTITY_SETTINGS.properties, { ...strict, default: {} }),
    s3: Type.Object(S3_SETTINGS.properties, { ...strict, default: {} }),
    keeper: Type.Object(KeeperConfigSchema.properties, { ...strict, default: {} }),
    lifecycle: Type.Object(LifecycleConfigSchema.properties, { ...strict, default: {} }),
    notify: Type.Object(NotifyConfigSchema.properties, { ...strict, default: {} }),
    replication: Type.Object(ReplicationConfigSchema.properties, { ...strict, default: {} }),
    accessLogs: Type.Object(AccessLogsConfigSchema.properties, { ...strict, default: {} }),
  },
  strict,
);

export type Config = Type.Static<typeof ConfigSchema>;
