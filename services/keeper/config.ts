// Settings of the keeper. Times are milliseconds.
import Type from "typebox";

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
  },
  { additionalProperties: false },
);

export type KeeperConfig = Type.Static<typeof KeeperConfigSchema>;
