// `dolium migrate from-s3|from-minio`: copies buckets of another store into this one, with
// versions, metadata, tags, locks and the settings that both know. It may be stopped and run again
// at any time; what is there and the same is not copied twice. What could not be carried is told at
// the end. Exit code 1 when anything failed or is not the same.
import process from "node:process";
import { UsageError } from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import { listBuckets } from "../objects/listing.ts";
import { parseRemote } from "../objects/location.ts";
import type { ObjectContext } from "../objects/object-context.ts";
import { type Session, type SessionOptions, withSession } from "../objects/session.ts";
import { shown } from "../objects/shown-text.ts";
import { type BucketPlan, carryBucket } from "./copy-bucket.ts";
import { BucketOutcome } from "./outcome.ts";
import { openSource, type SourceKind, type SourceOptions, sourcePlan } from "./source.ts";
import { MigrationState, statePath } from "./state.ts";

interface MigrateOptions extends SessionOptions, SourceOptions {
  readonly "dry-run"?: boolean;
  readonly overwrite?: boolean;
  readonly verify?: string;
  readonly state?: string;
}

interface Parsed {
  readonly options: MigrateOptions;
  readonly positionals: readonly string[];
}

export async function migrate(kind: SourceKind, parsed: Parsed): Promise<number> {
  const { options } = parsed;
  const verify = verifyOf(options.verify ?? "sample");
  const wanted = parsed.positionals.map(parseRemote);
  const plan = sourcePlan(kind, options, process.env);
  return withSession({ options }, async (session) => {
    const connection = await openSource(plan, process.env);
    const source: ObjectContext = { ...session.context, s3: connection.s3, connection };
    try {
      const ends = [plan.endpoint ?? "", session.context.connection.endpoint ?? ""];
      if (ends[0] === ends[1]) throw new UsageError("source and target are the same store");
      const path = options.state ?? statePath(session.context.stateDir, ends);
      const state = MigrationState.open(path, ends);
      const buckets = wanted.length > 0 ? wanted : await bucketsOf(source);
      const how = { dryRun: options["dry-run"] === true, overwrite: options.overwrite === true };
      const plans = buckets.map(({ bucket, key: prefix }) => ({ bucket, prefix, verify, ...how }));
      return await carryAll({ session, source, state, kind }, plans);
    } finally {
      connection.s3.destroy();
    }
  });
}

function verifyOf(text: string): BucketPlan["verify"] {
  if (text === "none" || text === "sample" || text === "all") return text;
  throw new UsageError(`--verify is none, sample or all, not "${shown(text)}"`);
}

async function bucketsOf(source: ObjectContext): Promise<{ bucket: string; key: string }[]> {
  const buckets: { bucket: string; key: string }[] = [];
  for await (const { name } of listBuckets(source)) buckets.push({ bucket: name, key: "" });
  return buckets;
}

interface Migration {
  readonly session: Session;
  readonly source: ObjectContext;
  readonly state: MigrationState;
  readonly kind: SourceKind;
}

async function carryAll(migration: Migration, plans: readonly BucketPlan[]): Promise<number> {
  const { session, source, state } = migration;
  const { report, context: target } = session;
  const outcomes: BucketOutcome[] = [];
  const dryRun = plans.some((plan) => plan.dryRun);
  try {
    for (const plan of plans) {
      const outcome = new BucketOutcome(plan.bucket, report);
      outcomes.push(outcome);
      try {
        await carryBucket({ source, target }, plan, { outcome, state });
      } catch (error) {
        if (target.signal.aborted) throw error;
        outcome.failed(error, `s3://${plan.bucket}`);
      }
      const { bucket, counts, settings } = outcome;
      const event = dryRun ? "would-migrate" : "migrated";
      report.show({ event, bucket, ...counts, settings }, outcome.line(dryRun));
    }
  } finally {
    if (!dryRun) state.write();
  }
  return conclude(migration, outcomes, dryRun);
}

function conclude(
  { session, state, kind }: Migration,
  outcomes: readonly BucketOutcome[],
  dryRun: boolean,
): number {
  const { report } = session;
  const failed = outcomes.reduce((sum, { counts }) => sum + counts.failed, 0);
  const notCarried = outcomes.flatMap((outcome) => outcome.all());
  if (kind === "minio") {
    const why =
      "S3 does not tell them: make users and policies by `dolium user` and `dolium policy`";
    notCarried.push({ bucket: "", what: "users, groups, policies and quotas of MinIO", why });
  }
  for (const { bucket, what, why } of notCarried) {
    const where = bucket === "" ? "" : `${bucket}: `;
    report.show(
      { event: "not-carried", bucket, what, why },
      shown(`not carried: ${where}${what}: ${why}`),
    );
  }
  const ok = failed === 0;
  const facts = { event: "summary", ok, buckets: outcomes.length, failed };
  report.show(facts, ok ? "done" : `${failed} failed; the same command tries them again`);
  // Whoever runs it again after success looks at everything anew.
  if (ok && !dryRun) state.remove();
  report.finish(false);
  return ok ? ExitCode.OK : ExitCode.FAILED;
}
