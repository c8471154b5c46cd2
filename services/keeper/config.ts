// Settings of the keeper. Times are milliseconds.
import * as Type from "../lib/base/settings-schema.ts";
import { VERIFY_SETTINGS } from "./verify/settings.ts";

export const KeeperConfigSchema = Type.Object(
  {
    leaseMs: Type.Integer({
      default: 10_000,
      minimum: 1000,
      description: "How long a lease on a task lasts without renewal.",
    }),
    intervalMs: Type.Integer({
      default: 2000,
      minimum: 50,
      description: "Pause between two rounds of a task.",
    }),
    garbageDelayMs: Type.Integer({
      default: 600_000,
      minimum: 0,
      description: "How long freed shards stay for the reads that still use them.",
    }),
    orphanGraceMs: Type.Integer({
      default: 86_400_000,
      minimum: 1000,
      description:
        "Uploads and repairs older than this can no longer commit; their shards are judged.",
    }),
    orphanQuarantineMs: Type.Integer({
      default: 86_400_000,
      minimum: 0,
      description: "A disowned shard is asked about a second time after this, then deleted.",
    }),
    sweepIntervalMs: Type.Integer({
      default: 3_600_000,
      minimum: 100,
      description: "Pause between two searches for orphans.",
    }),
    staleUploadMs: Type.Integer({
      default: 604_800_000,
      minimum: 1000,
      description: "Multipart uploads untouched for so long are aborted.",
    }),
    staleUploadWidth: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 64,
      description: "Stale uploads aborted at once.",
    }),
    staleUploadRetries: Type.Integer({
      default: 3,
      minimum: 0,
      maximum: 100,
      description: "How often an abort that failed is tried again in the same round.",
    }),
    staleUploadRetryMs: Type.Integer({
      default: 10_000,
      minimum: 1,
      description: "Pause before an abort that failed is tried again.",
    }),
    reconcileIntervalMs: Type.Integer({
      default: 10_000,
      minimum: 50,
      description: "Pause between two looks for buckets whose groups do not know their state.",
    }),
    repairWidth: Type.Integer({
      default: 2,
      minimum: 1,
      maximum: 64,
      description: "Chunks repaired at once.",
    }),
    repairRetryMs: Type.Integer({
      default: 5000,
      minimum: 50,
      description: "Pause before a chunk that could not be repaired is tried again.",
    }),
    repairBytesPerSecond: Type.Integer({
      default: 268_435_456,
      minimum: 1,
      description: "Rate at which repair writes shards, in all.",
    }),
    rebalanceWidth: Type.Integer({
      default: 2,
      minimum: 1,
      maximum: 64,
      description: "Chunks whose shards are moved at once to where the layout wants them.",
    }),
    rebalanceBytesPerSecond: Type.Integer({
      default: 67_108_864,
      minimum: 1,
      description: "Rate at which such moves write shards, in all.",
    }),
    rebalanceDelayMs: Type.Integer({
      default: 30_000,
      minimum: 0,
      description: "A changed layout must stand for so long before shards are moved for it.",
    }),
    rebalanceIntervalMs: Type.Integer({
      default: 600_000,
      minimum: 50,
      description: "Pause between two looks whether every shard is where the layout wants it.",
    }),
    rangeSplitBytes: Type.Integer({
      default: 536_870_912,
      minimum: 0,
      description:
        "A bucket's index range is cut in two when its stored index is larger; 0: never.",
    }),
    rangeIntervalMs: Type.Integer({
      default: 600_000,
      minimum: 50,
      description: "Pause between two looks for index ranges that grew too large.",
    }),
    ...VERIFY_SETTINGS,
  },
  { additionalProperties: false },
);

export const LifecycleConfigSchema = Type.Object(
  {
    daySeconds: Type.Integer({
      default: 86_400,
      minimum: 1,
      description: "Seconds in a day of lifecycle rules; shorter for tests.",
    }),
    intervalMs: Type.Integer({
      default: 3_600_000,
      minimum: 50,
      description: "Pause between two passes over the buckets that have rules.",
    }),
    entriesPerSecond: Type.Integer({
      default: 5000,
      minimum: 1,
      description: "Versions looked at in a second, at most.",
    }),
    transitionBytesPerSecond: Type.Integer({
      minimum: 1,
      default: 67_108_864,
      description: "Rate at which a transition copies one body, and reads it back.",
    }),
    transitionWidth: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 2,
      description: "Versions moved to another storage class at once.",
    }),
  },
  { additionalProperties: false },
);

/** Where notifications may go, by the name that bucket settings use. */
const NotifyTargetSchema = Type.Object(
  {
    url: Type.String({
      pattern: "^https?://[^\\s]+$",
      maxLength: 2048,
      description: "Events are posted here.",
    }),
    authToken: Type.String({
      default: "",
      description: "Sent as the Authorization header; a bare token becomes a Bearer token.",
    }),
    timeoutMs: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 600_000,
      description: "A target that has not answered by then has failed.",
    }),
    headers: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: "Further headers, by name.",
    }),
  },
  { additionalProperties: false },
);

export const NotifyConfigSchema = Type.Object(
  {
    targets: Type.Record(Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" }), NotifyTargetSchema, {
      default: {},
      additionalProperties: false,
      description: "Webhooks for bucket notifications, by name.",
    }),
    pollMs: Type.Integer({
      default: 500,
      minimum: 10,
      description: "Pause between two looks for new events and log lines.",
    }),
    batchMax: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 100,
      description: "Records in one post, at most.",
    }),
    backoffMs: Type.Integer({
      default: 500,
      minimum: 1,
      description: "Pause after a first failed post; doubled after each further one.",
    }),
    backoffMsMax: Type.Integer({
      default: 60_000,
      minimum: 1,
      description: "Longest pause between two posts to a target that fails.",
    }),
    giveUpAfterMs: Type.Integer({
      default: 86_400_000,
      minimum: 1,
      description: "An event that could not be delivered for so long is dropped and counted.",
    }),
  },
  { additionalProperties: false },
);

export const AccessLogsConfigSchema = Type.Object(
  {
    intervalMs: Type.Integer({
      default: 300_000,
      minimum: 50,
      description: "Lines of one such interval become one log object.",
    }),
    objectBytes: Type.Integer({
      default: 4_194_304,
      minimum: 1,
      maximum: 67_108_864,
      description: "A log object is ended at this size.",
    }),
    giveUpAfterMs: Type.Integer({
      default: 86_400_000,
      minimum: 1,
      description: "Lines that could not be written for so long are dropped and counted.",
    }),
  },
  { additionalProperties: false },
);

const ENDPOINT = "^https?://[^\\s/]+$";

/** An S3 endpoint that replication may write to, by the name that bucket settings use. */
const ReplicationTargetSchema = Type.Object(
  {
    endpoint: Type.String({
      pattern: ENDPOINT,
      maxLength: 2048,
      description: "http(s)://host:port of the S3 API there.",
    }),
    region: Type.String({
      default: "us-east-1",
      description: "Region that requests are signed for.",
    }),
    accessKeyId: Type.String({ description: "Key that replicas are written with." }),
    secretAccessKey: Type.String({ description: "Its secret." }),
  },
  { additionalProperties: false },
);

export const ReplicationConfigSchema = Type.Object(
  {
    endpoints: Type.Array(Type.String({ pattern: ENDPOINT, maxLength: 2048 }), {
      default: [],
      description:
        "Gateways of this cluster that versions are read from; local clusters know them.",
    }),
    region: Type.String({
      default: "",
      description:
        "Region that requests to this cluster's gateways are signed for; empty: s3.region.",
    }),
    accessKeyId: Type.String({
      default: "",
      description: "Key for this cluster's gateways; empty: the root user's.",
    }),
    secretAccessKey: Type.String({ default: "", description: "Its secret." }),
    targets: Type.Record(
      Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" }),
      ReplicationTargetSchema,
      {
        default: {},
        additionalProperties: false,
        description: "Other S3 stores that buckets may be replicated to, by name.",
      },
    ),
    width: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 8,
      description: "Keys that are replicated to one destination at once.",
    }),
    idleTimeoutMs: Type.Integer({
      minimum: 100,
      default: 60_000,
      description: "An endpoint that does nothing for so long has failed.",
    }),
    attemptsMax: Type.Integer({
      minimum: 1,
      default: 5,
      description: "A version that is refused, or fails while others pass, so often has FAILED.",
    }),
    backoffMs: Type.Integer({
      minimum: 1,
      default: 500,
      description: "Pause after a first failure at a destination; doubled after each further one.",
    }),
    backoffMsMax: Type.Integer({
      minimum: 1,
      default: 60_000,
      description: "Longest pause before a destination that fails is tried again.",
    }),
    existingIntervalMs: Type.Integer({
      minimum: 50,
      default: 3_600_000,
      description: "Pause between two looks for existing objects that rules want replicated.",
    }),
    giveUpAfterMs: Type.Integer({
      minimum: 1,
      default: 604_800_000,
      description: "A version that could not be replicated for so long has FAILED.",
    }),
  },
  { additionalProperties: false },
);

export type KeeperConfig = Type.Static<typeof KeeperConfigSchema>;
export type LifecycleConfig = Type.Static<typeof LifecycleConfigSchema>;
export type NotifyConfig = Type.Static<typeof NotifyConfigSchema>;
export type NotifyTarget = Type.Static<typeof NotifyTargetSchema>;
export type ReplicationConfig = Type.Static<typeof ReplicationConfigSchema>;
export type AccessLogsConfig = Type.Static<typeof AccessLogsConfigSchema>;
