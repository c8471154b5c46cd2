// From metadata to shards: walks all manifests of all groups and asks the storage nodes for every
// shard that one names. What a node says it has not, or not whole, goes on the repair queue. A pass
// is begun once in `verifyIntervalMs`, whichever keeper does it; its result stands in the lease.
import { toHex } from "../../lib/base/bytes.ts";
import { auditShards, byChunk, type ShardFinding } from "../../lib/clients/verify/shard-audit.ts";
import type { PassReport } from "../../lib/clients/verify/verification-report.ts";
import { damagedChunks } from "../../lib/clients/verify/version-verifier.ts";
import type { ScanManifestsAnswer_Entry } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import type { HeldLease } from "../leases.ts";
import { Pace } from "../pace.ts";
import { enqueue } from "../repair/enqueue.ts";
import { readNote, writeNote } from "./pass-note.ts";
import { type VerifyMetrics, verifyMetrics } from "./verify-metrics.ts";

const PAGE_MANIFESTS = 100;
const LABELS = { verifier: "shards" };

export class ManifestAudit {
  readonly #deps: KeeperDeps;
  readonly #metrics: VerifyMetrics;
  #report: PassReport | undefined;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#metrics = verifyMetrics(deps.metrics);
  }

  /** Of the last pass that came to its end, here or at another keeper. */
  get report(): PassReport | undefined {
    return this.#report;
  }

  /** A pass, when one is due. */
  async round(signal: AbortSignal, lease: HeldLease): Promise<void> {
    const { clock, config, view } = this.#deps;
    this.#report = readNote(lease.note) ?? this.#report;
    const dueMs = (this.#report?.atMs ?? 0) + config.verifyIntervalMs;
    if (this.#report !== undefined && clock.wallMs() < dueMs) return;
    await view.refresh();
    const pace = new Pace(clock, config.verifyShardsPerSecond);
    const pass = { looked: 0, problems: 0 };
    for (const groupId of view.indexGroups()) {
      await this.#group(groupId, { pace, signal, pass });
      if (signal.aborted) return;
    }
    this.#report = { atMs: clock.wallMs(), ...pass };
    this.#metrics.lastPass.set(clock.wallMs() / 1000, LABELS);
    await lease.write(writeNote(this.#report));
  }

  async #group(
    groupId: number,
    run: {
      readonly pace: Pace;
      readonly signal: AbortSignal;
      readonly pass: { looked: number; problems: number };
    },
  ): Promise<void> {
    const { pace, signal, pass } = run;
    let cursor: Uint8Array = new Uint8Array(0);
    do {
      const value = { cursor, limit: PAGE_MANIFESTS };
      const kind = { case: "scanManifests", value } as const;
      const page = await this.#deps.metadata.query(groupId, kind);
      const { looked, problems } = await this.#page(groupId, page.entries, signal);
      pass.looked += looked;
      pass.problems += problems;
      this.#metrics.looked.increment(LABELS, looked);
      this.#metrics.problems.increment(LABELS, problems);
      await pace.take(looked, signal);
      cursor = page.nextCursor;
    } while (cursor.byteLength > 0 && !signal.aborted);
  }

  async #page(
    groupId: number,
    entries: readonly ScanManifestsAnswer_Entry[],
    signal: AbortSignal,
  ): Promise<{ looked: number; problems: number }> {
    let looked = 0;
    let problems = 0;
    for (const [bucketId, some] of Map.groupBy(entries, (entry) => entry.bucketId)) {
      const manifests = some.flatMap(({ manifest }) => manifest ?? []);
      const findings = await auditShards(this.#deps, manifests, { deep: false, signal });
      looked += findings.length;
      const suspects = findings.filter(isAbsent);
      if (suspects.length === 0) continue;
      problems += await this.#settle(groupId, bucketId, { suspects, signal });
    }
    return { looked, problems };
  }

  /** Asks again by the manifests as they are now: they may have gone, or their shards moved. */
  async #settle(
    groupId: number,
    bucketId: number,
    found: { readonly suspects: readonly ShardFinding[]; readonly signal: AbortSignal },
  ): Promise<number> {
    const ids = new Map(
      found.suspects.map(({ manifest }) => [toHex(manifest.manifestId), manifest.manifestId]),
    );
    const value = { bucketId, manifestIds: [...ids.values()] };
    const { manifests } = await this.#deps.metadata.query(groupId, { case: "getManifest", value });
    const { signal } = found;
    const findings = await auditShards(this.#deps, manifests, { deep: false, signal });
    const absent = findings.filter(isAbsent);
    if (absent.length === 0) return 0;
    const chunks = byChunk(findings).filter(({ shards }) => shards.some(isAbsent));
    const sinceMs = BigInt(this.#deps.clock.wallMs());
    const damaged = damagedChunks(bucketId, chunks).map((entry) => ({ ...entry, sinceMs }));
    await enqueue(this.#deps, groupId, damaged);
    const [first] = absent;
    this.#deps.log.warn("shards are missing, repair queued", {
      groupId,
      shards: absent.length,
      manifest: toHex(first?.manifest.manifestId ?? new Uint8Array(0)),
      diskId: first?.diskId,
    });
    return absent.length;
  }
}

/** The node answered, and has it not. Owed and lost ones are known to the repair queue anyway. */
function isAbsent({ condition }: ShardFinding): boolean {
  return condition === "missing" || condition === "corrupt";
}
