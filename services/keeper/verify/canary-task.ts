// A canary: an object in a bucket of its own, of which one shard is damaged on its disk now and
// then. It is read like any other until a storage node notices, and looked at until repair made it
// whole; both are timed. Only a body that is whole is damaged, so that a canary never adds to real
// damage. No client can make or name the bucket or the key.
import { createHash } from "node:crypto";
import { present } from "../../lib/base/assert.ts";
import { toHex } from "../../lib/base/bytes.ts";
import { canaryKey } from "../../lib/base/canary.ts";
import { StoreError } from "../../lib/base/errors.ts";
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { DiskAddress, ShardId } from "../../lib/clients/shard-client.ts";
import { readBack } from "../../lib/clients/verify/read-back.ts";
import { auditShards } from "../../lib/clients/verify/shard-audit.ts";
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import { Outcome } from "../../lib/gen/dolium/record/v1/command_pb.ts";
import type { Manifest } from "../../lib/gen/dolium/record/v1/object_pb.ts";
import { StatShardsResponse_State as ShardState } from "../../lib/gen/dolium/storage/v1/storage_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import { type CanaryMetrics, canaryMetrics } from "./canary-metrics.ts";
import { DayCount } from "./day-count.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

/** Ends in a way that no name of a client's bucket may. */
export const CANARY_BUCKET = "dolium-canary-";
/** No user's name has this form. */
const OWNER = "dolium";
const KEY = canaryKey("one");
const BODY_BYTES = 128 * 1024;
const PAUSE_MS_MAX = 1000;
const LABELS = { verifier: "canary" };

interface Canary {
  readonly groupId: number;
  readonly bucketId: number;
  readonly manifest: Manifest;
  readonly md5: Uint8Array;
}

interface Flipped {
  readonly disk: DiskAddress;
  readonly shard: ShardId;
}

/** What became of a damaged shard so far; monotonic milliseconds. */
interface Fate {
  readonly flippedMs: number;
  foundMs: number | undefined;
  repairedMs: number | undefined;
  /** The body was read with other bytes than were written. */
  isWrong: boolean;
}

export class CanaryTask {
  readonly #deps: KeeperDeps;
  readonly #count: DayCount;
  readonly #verify: VerifyMetrics;
  readonly #metrics: CanaryMetrics;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#count = new DayCount(deps.clock);
    this.#verify = verifyMetrics(deps.metrics);
    this.#metrics = canaryMetrics(deps.metrics);
  }

  /** Shards flipped, and those that were not found and repaired in time. */
  get report(): PassReport | undefined {
    return this.#count.report;
  }

  /** Writes the canary anew, damages a shard and waits until it is whole again, or for too long. */
  async round(signal: AbortSignal): Promise<void> {
    const { view, clock, shards, log } = this.#deps;
    await view.refresh();
    const canary = await this.#write(await this.#bucket(), signal);
    const flipped = await this.#choose(canary, signal);
    if (flipped === undefined) {
      log.info("no canary was damaged: its body is not whole, or has no parity");
      return;
    }
    await shards.damageCanary(flipped.disk, flipped.shard, canary.manifest.manifestId);
    const flippedMs = clock.monotonicMs();
    const fate = { flippedMs, foundMs: undefined, repairedMs: undefined, isWrong: false };
    await this.#watch(canary, { flipped, fate }, signal);
    this.#note(flipped, fate);
  }

  async #bucket(): Promise<BucketRecord> {
    const value = { name: CANARY_BUCKET, owner: OWNER };
    const reply = await this.#deps.metadata.execute(ROOT_GROUP, { case: "createBucket", value });
    const { outcome, message, kind } = reply;
    const bucket = kind.case === "createBucket" ? kind.value.bucket : undefined;
    if (outcome !== Outcome.OK && outcome !== Outcome.EXISTS) {
      throw new StoreError("conflict", `${CANARY_BUCKET}: outcome ${outcome} ${message}`);
    }
    return present(bucket, "canary bucket");
  }

  async #write(bucket: BucketRecord, signal: AbortSignal): Promise<Canary> {
    const { writer, metadata, buckets, random } = this.#deps;
    const { bucketId, policy } = bucket;
    const body = random.bytes(BODY_BYTES);
    const size = body.byteLength;
    const source = (async function* () {
      yield body;
    })();
    const groupId = buckets.groupOf(bucket, KEY);
    const manifest = await writer.write({ bucketId, key: KEY, policy, size, source, signal });
    const md5 = createHash("md5").update(body).digest();
    const { manifestId } = manifest;
    const version = {
      size: BigInt(size),
      etag: toHex(md5),
      storageClass: "STANDARD",
      owner: OWNER,
      body: { case: "manifestId" as const, value: manifestId },
    };
    const value = { bucketId, key: KEY, version, manifest };
    const { outcome, message } = await metadata.execute(groupId, { case: "putObject", value });
    if (outcome === Outcome.OK) return { groupId, bucketId, manifest, md5 };
    throw new StoreError("conflict", `${CANARY_BUCKET}: outcome ${outcome} ${message}`);
  }

  /** A shard of the body, drawn at random; undefined unless all of them are good. */
  async #choose({ manifest }: Canary, signal: AbortSignal): Promise<Flipped | undefined> {
    const { view, random } = this.#deps;
    if (manifest.parityShards === 0) return undefined;
    const findings = await auditShards(this.#deps, [manifest], { deep: true, signal });
    if (findings.some(({ condition }) => condition !== "good")) return undefined;
    const drawn = findings[random.below(Math.max(1, findings.length))];
    const disk = drawn === undefined ? undefined : view.addressOf(drawn.diskId);
    return drawn === undefined || disk === undefined ? undefined : { disk, shard: drawn };
  }

  async #watch(
    canary: Canary,
    { flipped, fate }: { readonly flipped: Flipped; readonly fate: Fate },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, config, log } = this.#deps;
    const untilMs = fate.flippedMs + config.canaryLimitMs;
    while (clock.monotonicMs() < untilMs && fate.repairedMs === undefined && !fate.isWrong) {
      try {
        await this.#look(canary, { flipped, fate }, signal);
      } catch (error) {
        if (!(error instanceof StoreError) || signal.aborted) throw error;
        log.debug("the canary was not looked at", { reason: error.message });
      }
      await clock.sleep(Math.min(config.intervalMs, PAUSE_MS_MAX), signal);
    }
  }

  async #look(
    canary: Canary,
    { flipped, fate }: { readonly flipped: Flipped; readonly fate: Fate },
    signal: AbortSignal,
  ): Promise<void> {
    const { metadata, clock } = this.#deps;
    const { groupId, bucketId, md5 } = canary;
    const value = { bucketId, manifestIds: [canary.manifest.manifestId] };
    const kind = { case: "getManifest", value } as const;
    const [manifest] = (await metadata.query(groupId, kind)).manifests;
    if (manifest === undefined) throw new StoreError("not-found", "the canary was overwritten");
    if (fate.foundMs === undefined) {
      const deps = { ...this.#deps, onDamage: () => undefined };
      const unit = { manifest, md5 };
      const verdict = await readBack(deps, { bucketId, unit }, { signal });
      fate.isWrong = verdict.kind === "wrong";
      // Asks what the node knows; the shard is not read for it.
      const known = await this.#state(flipped.disk, flipped.shard, false);
      if (known !== ShardState.PRESENT) fate.foundMs = clock.monotonicMs();
    }
    if (fate.foundMs === undefined) return;
    const { shardIndex, chunkId } = flipped.shard;
    const chunk = manifest.chunks.find((one) => toHex(one.chunkId) === toHex(chunkId));
    const disk = this.#deps.view.addressOf(chunk?.diskIds[shardIndex] ?? 0);
    const state = disk && (await this.#state(disk, flipped.shard, true));
    if (state === ShardState.PRESENT) fate.repairedMs = clock.monotonicMs();
  }

  async #state(disk: DiskAddress, shard: ShardId, verify: boolean): Promise<ShardState> {
    const [state] = await this.#deps.shards.stat(disk, [shard], { verify });
    return state ?? ShardState.STATE_UNSPECIFIED;
  }

  #note({ disk, shard }: Flipped, { flippedMs, foundMs, repairedMs, isWrong }: Fate): void {
    const { clock, log } = this.#deps;
    const seconds = (ms: number | undefined): number =>
      ((ms ?? clock.monotonicMs()) - flippedMs) / 1000;
    const isGood = repairedMs !== undefined && !isWrong;
    this.#count.add({ looked: 1, problems: isGood ? 0 : 1 });
    this.#verify.looked.increment(LABELS);
    this.#verify.problems.increment(LABELS, isGood ? 0 : 1);
    this.#verify.lastPass.set(clock.wallMs() / 1000, LABELS);
    this.#metrics.found.set(seconds(foundMs));
    this.#metrics.repaired.set(seconds(repairedMs));
    const fields = {
      diskId: disk.diskId,
      chunk: toHex(shard.chunkId),
      shardIndex: shard.shardIndex,
      foundSeconds: foundMs === undefined ? "never" : seconds(foundMs),
      repairedSeconds: repairedMs === undefined ? "never" : seconds(repairedMs),
    };
    if (isGood) {
      log.info("a damaged canary was found and repaired", fields);
      return;
    }
    const what = isWrong ? "it was read with wrong bytes" : "it was not made whole in time";
    log.error("a canary was damaged", new StoreError("corrupt", what), fields);
  }
}
