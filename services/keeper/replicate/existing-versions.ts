// Current versions that wait for nothing though a rule wants them: those that are older than a rule
// for existing objects or have failed before it, and those whose event a full outbox dropped. Each
// is marked PENDING with an event of its own, so that it takes its place in the order of its key;
// older versions are not brought up, because they would arrive on top of newer ones.
import { fromUtf8, toSafeNumber, utf8 } from "../../lib/base/bytes.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import {
  Encryption_Kind,
  Replication_Status,
  type Version,
} from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { parseStoredReplication, type ReplicationRule } from "../../lib/s3/settings/replication.ts";
import { type BucketCatalog, settingOf } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import { type WalkedVersion, walkPage, walkStart } from "../lifecycle/version-walk.ts";
import type { WalkPosition } from "../lifecycle/walk-position.ts";

const EVENT = "ReplicationBegun";
/** What was written so recently may have its event still on the way. */
const SETTLED_MS = 60_000;

export type ExistingDeps = Pick<
  KeeperDeps,
  "metadata" | "buckets" | "clock" | "log" | "lifecycle" | "replication"
>;

/** One group's share of a bucket. */
interface Share {
  readonly bucket: BucketRecord;
  readonly rules: readonly ReplicationRule[];
  readonly groupId: number;
  /** Every event that was committed before this moment is carried out; undefined: not known. */
  readonly quietSinceMs: number | undefined;
  readonly signal: AbortSignal;
}

export class ExistingVersions {
  readonly #deps: ExistingDeps;
  readonly #catalog: BucketCatalog;

  constructor(deps: ExistingDeps, catalog: BucketCatalog) {
    this.#deps = deps;
    this.#catalog = catalog;
  }

  /** One look at all buckets that are replicated; how many versions begin to wait. */
  async round(signal: AbortSignal): Promise<number> {
    let begun = 0;
    for (const bucket of await this.#catalog.all()) {
      const document = settingOf(bucket, "replication");
      if (document === undefined) continue;
      const rules = parseStoredReplication(document).rules.filter(({ isEnabled }) => isEnabled);
      for (const groupId of this.#deps.buckets.groupsOf(bucket)) {
        if (signal.aborted) return begun;
        begun += await this.#roundOf(bucket, rules, { groupId, signal });
      }
    }
    return begun;
  }

  async #roundOf(
    bucket: BucketRecord,
    rules: readonly ReplicationRule[],
    { groupId, signal }: Pick<Share, "groupId" | "signal">,
  ): Promise<number> {
    const { metadata, clock } = this.#deps;
    const askedMs = clock.wallMs();
    const stats = await metadata.query(groupId, { case: "groupStats", value: {} });
    const mayHaveLost = stats.outboxDropped > 0n && stats.outboxEntries === 0n;
    const hasExisting = rules.some(({ existingObjects }) => existingObjects === true);
    if (!mayHaveLost && !hasExisting) return 0;
    const quietSinceMs = mayHaveLost ? askedMs - SETTLED_MS : undefined;
    return this.#walk({ bucket, rules, groupId, quietSinceMs, signal });
  }

  async #walk(share: Share): Promise<number> {
    const { metadata, clock, lifecycle } = this.#deps;
    const { groupId, bucket, signal } = share;
    const walk = { groupId, bucketId: bucket.bucketId, prefix: utf8("") };
    let position: WalkPosition | undefined = walkStart(groupId);
    let begun = 0;
    while (position !== undefined && !signal.aborted) {
      const page = await walkPage(metadata, walk, position);
      for (const walked of page.versions) {
        for (const arn of wantedBy(share, walked)) begun += await this.#begin(share, walked, arn);
      }
      position = page.next;
      const pauseMs = (page.versions.length / lifecycle.entriesPerSecond) * 1000;
      if (position !== undefined) await clock.sleep(pauseMs, signal);
    }
    return begun;
  }

  async #begin({ bucket, groupId }: Share, { key, version }: WalkedVersion, arn: string) {
    const { bucketId } = bucket;
    const change = {
      case: "replicated",
      value: { bucket: arn, status: Replication_Status.PENDING },
    } as const;
    const { versionId } = version;
    const value = { bucketId, key, versionId, change, event: EVENT };
    const kind = { case: "changeVersion", value } as const;
    const reply = await this.#deps.metadata.execute(groupId, kind);
    return reply.outcome === Outcome.OK ? 1 : 0;
  }
}

/** Destinations that this version should wait for, and does not, or does in vain. */
function wantedBy(
  { rules, quietSinceMs }: Share,
  { key, version, isLatest }: WalkedVersion,
): readonly string[] {
  const text = fromUtf8(key);
  const { replication } = version;
  if (!isLatest || version.nullVersion || version.deleteMarker || text === undefined) return [];
  if (replication?.status === Replication_Status.REPLICA) return [];
  const matching = rules.filter((rule) => matches(rule, text, version));
  const arns = new Set(matching.map(({ destination }) => destination.arn));
  const isSettled = quietSinceMs !== undefined && toSafeNumber(version.modifiedMs) < quietSinceMs;
  return [...arns].filter((arn) => {
    const known = replication?.destinations.find(({ bucket }) => bucket === arn);
    if (known?.status === Replication_Status.COMPLETED) return false;
    if (known?.status === Replication_Status.PENDING) return isSettled;
    return matching.some(
      ({ destination, existingObjects }) => destination.arn === arn && existingObjects === true,
    );
  });
}

function matches({ filter, kmsObjects }: ReplicationRule, key: string, version: Version): boolean {
  if (!key.startsWith(filter.prefix ?? "")) return false;
  const kind = version.encryption?.kind;
  if (kind === Encryption_Kind.SSE_C) return false;
  if (kind === Encryption_Kind.SSE_KMS && kmsObjects !== true) return false;
  return filter.tags.every((wanted) =>
    version.tags.some(({ name, value }) => name === wanted.key && value === wanted.value),
  );
}
