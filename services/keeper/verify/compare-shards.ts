// Compares what the manifests of a group name with what the storage nodes say they have. What a
// node says it has not, or not whole, goes on the repair queue; silence proves nothing and is
// counted.
import { toHex } from "../../lib/base/bytes.ts";
import { auditShards, byChunk, type ShardFinding } from "../../lib/clients/verify/shard-audit.ts";
import { damagedChunks } from "../../lib/clients/verify/version-verifier.ts";
import type { ScanManifestsAnswer_Entry } from "../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { KeeperDeps } from "../deps.ts";
import type { Pace } from "../pace.ts";
import { enqueue } from "../repair/enqueue.ts";
import type { VerifyMetrics } from "./verify-metrics.ts";

const PAGE_MANIFESTS = 100;
export const SHARDS_LABELS = { verifier: "shards" };

export interface Comparison {
  readonly groupId: number;
  /** Only shards on this disk; every disk when left out. */
  readonly onDisk?: number;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly metrics: VerifyMetrics;
}

export interface Compared {
  /** Shards asked for. */
  readonly looked: number;
  /** Shards that are not there, or not whole. */
  readonly problems: number;
  /** Shards whose node did not answer. */
  readonly silent: number;
}

export const NOTHING_COMPARED: Compared = { looked: 0, problems: 0, silent: 0 };

export function sumOf(a: Compared, b: Compared): Compared {
  return {
    looked: a.looked + b.looked,
    problems: a.problems + b.problems,
    silent: a.silent + b.silent,
  };
}

/** Walks the group's manifests; ends early on the signal. Throws what the metadata client does. */
export async function compareShards(deps: KeeperDeps, run: Comparison): Promise<Compared> {
  const { groupId, onDisk, pace, signal, metrics } = run;
  const diskIds = onDisk === undefined ? [] : [onDisk];
  let total = NOTHING_COMPARED;
  let cursor: Uint8Array = new Uint8Array(0);
  do {
    const value = { cursor, limit: PAGE_MANIFESTS, diskIds };
    const page = await deps.metadata.query(groupId, { case: "scanManifests", value });
    const found = await comparePage(deps, run, page.entries);
    total = sumOf(total, found);
    metrics.looked.increment(SHARDS_LABELS, found.looked);
    metrics.problems.increment(SHARDS_LABELS, found.problems);
    await pace.take(found.looked, signal);
    cursor = page.nextCursor;
  } while (cursor.byteLength > 0 && !signal.aborted);
  return total;
}

async function comparePage(
  deps: KeeperDeps,
  run: Comparison,
  entries: readonly ScanManifestsAnswer_Entry[],
): Promise<Compared> {
  const { onDisk, signal } = run;
  let looked = 0;
  let problems = 0;
  let silent = 0;
  for (const [bucketId, some] of Map.groupBy(entries, (entry) => entry.bucketId)) {
    const manifests = some.flatMap(({ manifest }) => manifest ?? []);
    const findings = await auditShards(deps, manifests, { deep: false, signal, onDisk });
    looked += findings.length;
    silent += findings.filter(({ condition }) => condition === "silent").length;
    const suspects = findings.filter(isAbsent);
    if (suspects.length > 0) problems += await settle(deps, run, { bucketId, suspects });
  }
  return { looked, problems, silent };
}

/** Asks again by the manifests as they are now: they may have gone, or their shards moved. */
async function settle(
  deps: KeeperDeps,
  { groupId, signal }: Comparison,
  found: { readonly bucketId: number; readonly suspects: readonly ShardFinding[] },
): Promise<number> {
  const { bucketId, suspects } = found;
  const ids = new Map(
    suspects.map(({ manifest }) => [toHex(manifest.manifestId), manifest.manifestId]),
  );
  const value = { bucketId, manifestIds: [...ids.values()] };
  const { manifests } = await deps.metadata.query(groupId, { case: "getManifest", value });
  const findings = await auditShards(deps, manifests, { deep: false, signal });
  const absent = findings.filter(isAbsent);
  if (absent.length === 0) return 0;
  const chunks = byChunk(findings).filter(({ shards }) => shards.some(isAbsent));
  const sinceMs = BigInt(deps.clock.wallMs());
  const damaged = damagedChunks(bucketId, chunks).map((entry) => ({ ...entry, sinceMs }));
  await enqueue(deps, groupId, damaged);
  const [first] = absent;
  deps.log.warn("shards are missing, repair queued", {
    groupId,
    shards: absent.length,
    manifest: toHex(first?.manifest.manifestId ?? new Uint8Array(0)),
    diskId: first?.diskId,
  });
  return absent.length;
}

/** The node answered, and has it not. Owed and lost ones are known to the repair queue anyway. */
function isAbsent({ condition }: ShardFinding): boolean {
  return condition === "missing" || condition === "corrupt";
}
