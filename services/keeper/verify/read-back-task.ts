// Reads back some of what was written a minute, an hour, a day and a week ago, whole and from
// shards drawn at random, and compares it with what its writer proved. Manifests of a bucket stand
// in the order of time, so each round looks at the span that came of age since the one before.
import { toHex } from "../../lib/base/bytes.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { type BodyUnit, readBack, unitsOf } from "../../lib/clients/verify/read-back.ts";
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import type { BucketCatalog } from "../buckets/bucket-catalog.ts";
import type { KeeperDeps } from "../deps.ts";
import { Pace } from "../pace.ts";
import { DayCount } from "./day-count.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

const AGES_MS = [60_000, 3_600_000, 86_400_000, 604_800_000];
/** Buckets looked into in a round, drawn at random where there are more. */
const BUCKETS_MAX = 50;
const PAGE_MANIFESTS = 20;
/** A keeper that was away looks back no further than this many pauses. */
const ROUNDS_BACK_MAX = 10;
const LABELS = { verifier: "readBack" };

interface Sample {
  readonly groupId: number;
  readonly bucketId: number;
  readonly manifest: Manifest;
}

export class ReadBackTask {
  readonly #deps: KeeperDeps;
  readonly #catalog: BucketCatalog;
  readonly #metrics: VerifyMetrics;
  readonly #count: DayCount;
  /** Up to which time the last round looked, milliseconds since 1970. */
  #lookedMs: number | undefined;

  constructor(deps: KeeperDeps, catalog: BucketCatalog) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#metrics = verifyMetrics(deps.metrics);
    this.#count = new DayCount(deps.clock);
  }

  get report(): PassReport | undefined {
    return this.#count.report;
  }

  async round(signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#deps;
    if (config.verifyReadBackBytes === 0) return;
    const nowMs = clock.wallMs();
    const spanMs = config.verifyReadBackMs;
    const fromMs = Math.max(this.#lookedMs ?? nowMs - spanMs, nowMs - spanMs * ROUNDS_BACK_MAX);
    this.#lookedMs = nowMs;
    const samples = await this.#samples({ fromMs, toMs: nowMs }, signal);
    const pace = new Pace(clock, config.verifyReadBackBytesPerSecond);
    let bytes = 0;
    for (const sample of this.#shuffled(samples)) {
      if (signal.aborted || bytes >= config.verifyReadBackBytes) return;
      bytes += await this.#read(sample, pace, signal);
    }
    this.#metrics.lastPass.set(clock.wallMs() / 1000, LABELS);
  }

  /** At most one of each bucket, group and age. */
  async #samples(
    span: { readonly fromMs: number; readonly toMs: number },
    signal: AbortSignal,
  ): Promise<Sample[]> {
    const samples: Sample[] = [];
    const buckets = this.#shuffled(await this.#catalog.all()).slice(0, BUCKETS_MAX);
    for (const bucket of buckets) {
      for (const groupId of groupsOf(bucket)) {
        for (const ageMs of AGES_MS) {
          if (signal.aborted) return samples;
          const from = Math.max(0, span.fromMs - ageMs);
          const to = span.toMs - ageMs;
          const manifest = await this.#draw(groupId, bucket.bucketId, { from, to });
          if (manifest !== undefined) {
            samples.push({ groupId, bucketId: bucket.bucketId, manifest });
          }
        }
      }
    }
    return samples;
  }

  /** A manifest begun in [from, to), after a point drawn at random; else from the beginning. */
  async #draw(
    groupId: number,
    bucketId: number,
    { from, to }: { readonly from: number; readonly to: number },
  ): Promise<Manifest | undefined> {
    const { metadata, random } = this.#deps;
    if (to <= from) return undefined;
    const drawn = from + random.below(Math.max(1, Math.floor(to - from)));
    for (const begin of [drawn, from]) {
      const begunFromMs = BigInt(Math.floor(begin));
      const value = { bucketId, begunFromMs, limit: PAGE_MANIFESTS };
      const { entries } = await metadata.query(groupId, { case: "scanManifests", value });
      const found = entries.flatMap(({ manifest }) =>
        manifest !== undefined && beganMs(manifest) < to ? [manifest] : [],
      );
      if (found.length > 0) return found[random.below(found.length)];
    }
    return undefined;
  }

  /** Bytes read. */
  async #read(sample: Sample, pace: Pace, signal: AbortSignal): Promise<number> {
    const { bucketId, groupId } = sample;
    let bytes = 0;
    // A second time by the manifest as it is then: the first may have lost a race with a delete.
    for (const isLast of [false, true]) {
      const unit = await this.#unit(sample);
      if (unit === undefined) return bytes;
      const options = { signal, pace: (count: number) => pace.take(count, signal) };
      const deps = { ...this.#deps, onDamage: this.#onDamage(groupId) };
      const verdict = await readBack(deps, { bucketId, unit }, options);
      bytes += verdict.bytes;
      this.#metrics.readBytes.increment({}, verdict.bytes);
      if (verdict.kind === "unreachable") return bytes;
      if (verdict.kind !== "good" && !isLast) continue;
      const problems = verdict.kind === "good" ? 0 : 1;
      this.#count.add({ looked: 1, problems });
      this.#metrics.looked.increment(LABELS);
      this.#metrics.problems.increment(LABELS, problems);
      if (verdict.kind === "good") return bytes;
      const error = new StoreError("corrupt", `${verdict.kind}: ${verdict.reason}`);
      this.#deps.log.error("what was read back is not what was written", error, {
        groupId,
        bucketId,
        manifest: toHex(sample.manifest.manifestId),
      });
    }
    return bytes;
  }

  /** The manifest as it is now, with the digest that its version knows of it. */
  async #unit({ groupId, bucketId, manifest }: Sample): Promise<BodyUnit | undefined> {
    const { metadata } = this.#deps;
    const { key, manifestId } = manifest;
    const wanted = { bucketId, key, manifestIds: [manifestId] };
    const now = await metadata.query(groupId, { case: "getManifest", value: wanted });
    const [present] = now.manifests;
    if (present === undefined || present.size === 0n) return undefined;
    const value = { bucketId, key, withBody: true, firstByte: 0n, lastByte: 0n };
    const { version, partList } = await metadata.query(groupId, { case: "getObject", value });
    const units = version === undefined ? [] : unitsOf(version, partList, [present]);
    // A version that is not current, or a part of an upload: its cells are verified.
    return units[0] ?? { manifest: present, md5: undefined };
  }

  #onDamage(groupId: number) {
    return (damage: { readonly chunkId: Uint8Array; readonly shardIndex: number }): void => {
      const { chunkId, shardIndex } = damage;
      // The node that noticed lists it among its bad shards; missing ones are found by the audit.
      this.#deps.log.warn("a shard is bad", { groupId, chunk: toHex(chunkId), shardIndex });
    };
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const drawn = items.map((item) => ({ item, at: this.#deps.random.below(1 << 30) }));
    return drawn.sort((a, b) => a.at - b.at).map(({ item }) => item);
  }
}

function groupsOf(bucket: BucketRecord): number[] {
  return [...new Set(bucket.ranges.map(({ groupId }) => groupId))];
}

function beganMs({ manifestId }: Manifest): number {
  return Buffer.from(manifestId.buffer, manifestId.byteOffset, manifestId.byteLength).readUIntBE(
    0,
    6,
  );
}
