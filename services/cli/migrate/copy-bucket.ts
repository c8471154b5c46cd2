// Carries one bucket: makes it, copies every key with its versions in their order, side by side for
// different keys, sets its settings, compares both. What is there already and the same is passed
// over; what is there and other is left alone and told.
import {
  CreateBucketCommand,
  HeadBucketCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { ask } from "../buckets/setting-session.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { isNotFound } from "../objects/failure.ts";
import { runLanes } from "../objects/lanes.ts";
import { compareKeys } from "../objects/listing.ts";
import { shownLocation } from "../objects/location.ts";
import { missingOf } from "./compare.ts";
import { copyVersion, type Stores } from "./copy-version.ts";
import type { BucketOutcome } from "./outcome.ts";
import { carrySettings, type SourceBucket, sourceBucket } from "./settings.ts";
import { type MigrationState, Watermark } from "./state.ts";
import { verifyBucket } from "./verify.ts";
import {
  entriesByKey,
  isOrderUnsure,
  type KeyEntries,
  type KeyPair,
  paired,
  type Where,
} from "./versions.ts";

export interface BucketPlan {
  readonly bucket: string;
  /** Only keys that begin so; "" for all. */
  readonly prefix: string;
  readonly dryRun: boolean;
  /** Objects of buckets without versions that are other are replaced, settings of buckets too. */
  readonly overwrite: boolean;
  readonly verify: "none" | "sample" | "all";
}

export async function carryBucket(
  stores: Stores,
  plan: BucketPlan,
  parts: { readonly outcome: BucketOutcome; readonly state: MigrationState },
): Promise<void> {
  const { bucket, dryRun } = plan;
  const { outcome, state } = parts;
  const facts = await sourceBucket(stores, bucket);
  const isThere = await prepareBucket(stores, plan, { facts, state });
  const versioned = facts.versioning !== "never";
  const where: Where = { bucket, prefix: plan.prefix, versioned };
  await carryKeys(stores, plan, { ...parts, where, isThere });
  if (facts.versioning === "Suspended" && !dryRun) await suspend(stores, bucket);
  const isOurs = state.of(bucket).made || plan.overwrite || (dryRun && !isThere);
  if (isOurs && plan.prefix === "") await carrySettings(stores, outcome, dryRun);
  else outcome.note("settings of the bucket", settingsStay(plan));
  if (versioned) outcome.note("ids of versions", "the store gives its own");
  if (outcome.counts.versions > 0) outcome.note("times of storing", "ages begin anew");
  if (!dryRun && plan.verify !== "none") await verifyBucket(stores, { where, plan, outcome });
}

function settingsStay({ prefix }: BucketPlan): string {
  return prefix === ""
    ? "the bucket was there before; --overwrite sets them all the same"
    : "only a part of the bucket was asked for";
}

/** Whether the target has the bucket, or has it now. */
async function prepareBucket(
  { target }: Stores,
  plan: BucketPlan,
  { facts, state }: { readonly facts: SourceBucket; readonly state: MigrationState },
): Promise<boolean> {
  const { bucket, dryRun } = plan;
  const call = { context: target, bucket };
  try {
    await ask(call, new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (dryRun) return false;
    // Remembered before it is there: a run that ends here finds it as its own.
    state.set(bucket, { made: true, carriedTo: "" });
    state.write();
    const lock = facts.lock === undefined ? {} : { ObjectLockEnabledForBucket: true };
    await ask(call, new CreateBucketCommand({ Bucket: bucket, ...lock }));
  }
  if (facts.versioning !== "never" && !dryRun) {
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await ask(call, new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  }
  return true;
}

async function suspend({ target }: Stores, bucket: string): Promise<void> {
  const VersioningConfiguration = { Status: "Suspended" } as const;
  const command = new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration });
  await ask({ context: target, bucket }, command);
}

interface Carrying {
  readonly where: Where;
  readonly isThere: boolean;
  readonly outcome: BucketOutcome;
  readonly state: MigrationState;
}

async function carryKeys(stores: Stores, plan: BucketPlan, work: Carrying): Promise<void> {
  const { where, isThere, outcome, state } = work;
  const { bucket } = plan;
  // The state knows keys of the whole bucket only.
  const mark = new Watermark(plan.prefix === "" ? state.of(bucket).carriedTo : "");
  const source = entriesByKey(stores.source, where);
  const target = isThere ? entriesByKey(stores.target, where) : NOTHING;
  await runLanes(
    notBefore(paired(source, target), mark.to, outcome),
    stores.target.jobs,
    async (pair) => {
      const done = mark.begin(pair.key);
      try {
        await carryKey(stores, plan, { pair, outcome });
        done();
        if (!plan.dryRun && plan.prefix === "") state.set(bucket, { carriedTo: mark.to });
      } catch (error) {
        if (stores.target.signal.aborted) throw error;
        outcome.failed(error, shownLocation({ kind: "remote", bucket, key: pair.key }));
      }
    },
  );
}

const NOTHING: AsyncIterator<KeyEntries, undefined> = {
  next: async () => ({ done: true, value: undefined }),
};

async function* notBefore(
  pairs: AsyncIterable<KeyPair>,
  carriedTo: string,
  { counts }: BucketOutcome,
): AsyncGenerator<KeyPair> {
  for await (const pair of pairs) {
    const isCarried = carriedTo !== "" && compareKeys(pair.key, carriedTo) <= 0;
    // Versions that came since are looked for all the same.
    const isWhole = isCarried && pair.target.length === pair.source.length;
    if (isWhole) counts.already += pair.source.length;
    else yield pair;
  }
}

async function carryKey(
  stores: Stores,
  plan: BucketPlan,
  { pair, outcome }: { readonly pair: KeyPair; readonly outcome: BucketOutcome },
): Promise<void> {
  const { bucket, dryRun } = plan;
  const { counts } = outcome;
  const location = { kind: "remote", bucket, key: pair.key } as const;
  const found = await missingOf(stores, bucket, pair);
  const replaces = found.isOther && plan.overwrite && pair.source[0]?.versionId === undefined;
  if (found.isOther && !replaces) {
    const text = `${shownLocation(location)}: the target has something else under this key`;
    throw new CommandError(ExitCode.FAILED, "other", text);
  }
  const entries = replaces ? pair.source : found.entries;
  counts.already += pair.source.length - entries.length;
  if (entries.length > 0) counts.keys += 1;
  if (entries.length > 0 && isOrderUnsure(pair.source)) {
    outcome.note(
      "order of versions and delete markers of the same second",
      "listings do not tell it",
    );
  }
  for (const entry of entries) {
    if (!dryRun) await copyVersion(stores, { location, entry });
    if (entry.storageClass !== "STANDARD" && entry.kind === "version") {
      outcome.note(`storage class ${entry.storageClass}`, "stored as the bucket's default says");
    }
    if (entry.kind === "version") counts.versions += 1;
    else counts.deleteMarkers += 1;
    counts.bytes += entry.bytes;
  }
}
