// Compares a bucket that was carried with its source: every version by kind, size and place, by
// entity tag where both may be the MD5 of the body; the bytes of all, or of a sample that is the
// same in every run, by SHA-256.
import { createHash } from "node:crypto";
import { CommandError, ExitCode } from "../exit-code.ts";
import { runLanes } from "../objects/lanes.ts";
import { shownLocation } from "../objects/location.ts";
import { hasSameBytes } from "./compare.ts";
import type { BucketPlan } from "./copy-bucket.ts";
import type { Stores } from "./copy-version.ts";
import type { BucketOutcome } from "./outcome.ts";
import { entriesByKey, type KeyPair, paired, type Where } from "./versions.ts";

/** So many keys at first, and one in so many after them. */
const FIRST_KEYS = 10;
const ONE_IN = 100;

export async function verifyBucket(
  stores: Stores,
  parts: { readonly where: Where; readonly plan: BucketPlan; readonly outcome: BucketOutcome },
): Promise<void> {
  const { where, plan, outcome } = parts;
  const pairs = paired(entriesByKey(stores.source, where), entriesByKey(stores.target, where));
  let seen = 0;
  await runLanes(pairs, stores.target.jobs, async (pair) => {
    seen += 1;
    const byBytes = plan.verify === "all" || seen <= FIRST_KEYS || isDrawn(pair.key);
    try {
      await verifyKey(stores, { pair, bucket: where.bucket, byBytes, outcome });
    } catch (error) {
      if (stores.target.signal.aborted) throw error;
      const location = { kind: "remote", bucket: where.bucket, key: pair.key } as const;
      outcome.failed(error, shownLocation(location));
    }
  });
}

function isDrawn(key: string): boolean {
  return createHash("sha256").update(key).digest().readUInt32BE(0) % ONE_IN === 0;
}

async function verifyKey(
  stores: Stores,
  work: {
    readonly pair: KeyPair;
    readonly bucket: string;
    readonly byBytes: boolean;
    readonly outcome: BucketOutcome;
  },
): Promise<void> {
  const { pair, bucket, byBytes, outcome } = work;
  const { key, source, target } = pair;
  const location = { kind: "remote", bucket, key } as const;
  if (source.length !== target.length) {
    throw differs(bucket, key, `${target.length} versions, not ${source.length}`);
  }
  for (const [at, here] of source.entries()) {
    const there = target[at];
    if (there === undefined || there.kind !== here.kind)
      throw differs(bucket, key, "other versions");
    if (there.bytes !== here.bytes) throw differs(bucket, key, "another size");
    outcome.counts.verified += 1;
    if (!byBytes || here.kind === "delete-marker") continue;
    const same = await hasSameBytes(stores, location, [here, there]);
    if (!same) throw differs(bucket, key, "other bytes");
    outcome.counts.verifiedByBytes += 1;
  }
}

function differs(bucket: string, key: string, how: string): CommandError {
  const text = `${shownLocation({ kind: "remote", bucket, key })}: the target has ${how}`;
  return new CommandError(ExitCode.FAILED, "differs", text);
}
