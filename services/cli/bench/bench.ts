// `dolium bench`: puts, gets, lists and deletes against any S3 endpoint, and prints rates and
// latencies. Everything it makes lies below a prefix of its own (or in a bucket of its own), and is
// removed at the end, after Ctrl-C too. Exit code 1 when anything failed or any byte was wrong.
import { randomBytes } from "node:crypto";
import { CreateBucketCommand, DeleteBucketCommand, HeadBucketCommand } from "@aws-sdk/client-s3";
import { table } from "../admin-client/admin-verb.ts";
import { UsageError } from "../command-line.ts";
import { ExitCode } from "../exit-code.ts";
import { about } from "../objects/failure.ts";
import { listVersions } from "../objects/listing.ts";
import { parseRemote, shownLocation } from "../objects/location.ts";
import type { ObjectContext } from "../objects/object-context.ts";
import { silentProgress } from "../objects/progress.ts";
import { parseDuration, parseSize } from "../objects/quantities.ts";
import { type Removal, removeAll } from "../objects/removal.ts";
import { Report } from "../objects/report.ts";
import { type Session, type SessionOptions, withSession } from "../objects/session.ts";
import { counted, shown, shownSize } from "../objects/shown-text.ts";
import type { Target } from "./operations.ts";
import { type RunPlan, type RunResult, runWorkload } from "./run.ts";
import { Bodies, KeyPool, MIX_DEFAULT, type Mix, OPERATIONS, parseMix } from "./workload.ts";

interface BenchOptions extends SessionOptions {
  readonly duration?: string;
  readonly operations?: number;
  readonly size?: string;
  readonly concurrency?: number;
  readonly objects?: number;
  readonly mix?: string;
}

interface Plan extends RunPlan {
  readonly name: string;
  readonly bytes: number;
  /** Stored before the clock runs. */
  readonly objects: number;
}

const DURATION = "10s";
const SIZE = "1MiB";
const SIZE_MAX = 1024 * 1024 * 1024;
const CONCURRENCY = 8;
const OBJECTS = 100;

export async function bench(parsed: {
  readonly options: BenchOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const [name = "mixed", where, extra] = parsed.positionals;
  if (extra !== undefined) throw new UsageError(`dolium bench takes no argument "${shown(extra)}"`);
  const plan = planOf(name, options);
  const given = where === undefined ? undefined : parseRemote(where);
  return withSession({ options }, async (session) => {
    const run = `dolium-bench-${randomBytes(6).toString("hex")}`;
    const bucket = given?.bucket ?? run;
    const folder =
      given === undefined || given.key === "" ? "" : `${given.key.replace(/\/$/, "")}/`;
    await openBucket(session.context, { bucket, isOwn: given === undefined });
    const target = targetOf(session.context, { bucket, prefix: `${folder}${run}/`, plan });
    let result: RunResult;
    let isClean = false;
    try {
      result = await measure(session, target, plan);
    } finally {
      isClean = await cleanUp(session, target, given === undefined);
    }
    const exitCode = show(session, plan, { ...result, bucket });
    return isClean ? exitCode : ExitCode.FAILED;
  });
}

function planOf(name: string, options: BenchOptions): Plan {
  const only = OPERATIONS.find((operation) => operation === name);
  if (only === undefined && name !== "mixed") {
    throw new UsageError(
      `dolium bench knows mixed, ${OPERATIONS.join(", ")}, not "${shown(name)}"`,
    );
  }
  if (only !== undefined && options.mix !== undefined)
    throw new UsageError("--mix goes with mixed");
  const { operations, duration } = options;
  if (operations !== undefined && duration !== undefined) {
    throw new UsageError("give --duration or --operations, not both");
  }
  const bytes = parseSize("size", options.size ?? SIZE);
  if (bytes > SIZE_MAX) throw new UsageError(`--size is at most ${shownSize(SIZE_MAX)}`);
  const mix: Mix = only === undefined ? parseMix(options.mix ?? MIX_DEFAULT) : new Map([[only, 1]]);
  const seconds = parseDuration("duration", duration ?? DURATION);
  if (seconds === 0) throw new UsageError("--duration must be longer than nothing");
  const wanted = only === "delete" ? (operations ?? OBJECTS * 10) : OBJECTS;
  return {
    name,
    mix,
    bytes,
    concurrency: options.concurrency ?? CONCURRENCY,
    operations,
    durationMs: operations === undefined ? seconds * 1000 : undefined,
    objects: only === "put" ? 0 : (options.objects ?? wanted),
  };
}

function targetOf(
  context: ObjectContext,
  facts: { readonly bucket: string; readonly prefix: string; readonly plan: Plan },
): Target {
  const { bucket, prefix, plan } = facts;
  let made = 0;
  return {
    context,
    bucket,
    prefix,
    bodies: new Bodies(plan.bytes, randomBytes(Bodies.sourceBytes(plan.bytes))),
    pool: new KeyPool(),
    nextKey: () => {
      made += 1;
      return `${prefix}${String(made).padStart(9, "0")}`;
    },
  };
}

async function openBucket(
  { s3, signal }: ObjectContext,
  { bucket, isOwn }: { readonly bucket: string; readonly isOwn: boolean },
): Promise<void> {
  const Bucket = bucket;
  const abortSignal = signal;
  await about(`s3://${bucket}`, async () =>
    isOwn
      ? s3.send(new CreateBucketCommand({ Bucket }), { abortSignal })
      : s3.send(new HeadBucketCommand({ Bucket }), { abortSignal }),
  );
}

async function measure({ output }: Session, target: Target, plan: Plan): Promise<RunResult> {
  const { objects, concurrency } = plan;
  if (objects > 0) {
    output.say(`storing ${counted(objects, "object")} of ${shownSize(plan.bytes)} ...`);
    const mix: Mix = new Map([["put", 1]]);
    const stored = await runWorkload(target, {
      mix,
      concurrency,
      operations: objects,
      durationMs: undefined,
    });
    const [first] = stored.reasons;
    if (first !== undefined) output.say(`! ${shown(first.reason)} (${first.count} times)`);
  }
  const { durationMs, operations } = plan;
  const until =
    durationMs === undefined ? counted(operations ?? 0, "operation") : `${durationMs / 1000} s`;
  output.say(`${plan.name}: ${until}, ${concurrency} at a time ...`);
  return runWorkload(target, plan);
}

/**
 * With a signal of its own: what was made is removed after an interruption too. Resolves with
 * whether all of it is gone; what is not is told.
 */
async function cleanUp(session: Session, target: Target, isOwn: boolean): Promise<boolean> {
  const { bucket, prefix } = target;
  const context = { ...session.context, signal: new AbortController().signal };
  const silent = { json: false, event: () => undefined, say: () => undefined };
  const report = new Report(
    silent,
    silentProgress(() => undefined),
  );
  const removals = (async function* everyVersion(): AsyncGenerator<Removal> {
    for await (const entry of listVersions(context, { bucket, key: prefix })) {
      if (entry.kind !== "prefix") yield { key: entry.key, versionId: entry.versionId };
    }
  })();
  await removeAll(context, removals, { bucket, report, dryRun: false });
  const isClean = report.finish(false) === ExitCode.OK;
  if (!isOwn || !isClean) return isClean;
  await about(`s3://${bucket}`, () => context.s3.send(new DeleteBucketCommand({ Bucket: bucket })));
  return true;
}

function show(
  { context, output }: Session,
  plan: Plan,
  result: RunResult & { readonly bucket: string },
): number {
  const { seconds, total, figures, reasons, wrong, ranOut, bucket } = result;
  const ok = total.errors === 0 && total.count > 0;
  const { name: benchmark, bytes, concurrency, objects } = plan;
  const facts = { benchmark, endpoint: context.connection.endpoint ?? null, bucket };
  const run = { objectBytes: bytes, objects, concurrency, seconds };
  output.event({
    event: "bench",
    ...facts,
    ...run,
    ok,
    ranOut,
    wrongAnswers: wrong,
    operations: figures,
    total,
    errors: reasons,
  });
  const rows = [...figures, total].map((one) => [
    one.operation,
    one.count,
    one.errors,
    one.operationsPerSecond.toFixed(1),
    (one.bytesPerSecond / 1e6).toFixed(1),
    one.p50Ms.toFixed(1),
    one.p90Ms.toFixed(1),
    one.p99Ms.toFixed(1),
    one.maxMs.toFixed(1),
  ]);
  const head = [
    "OPERATION",
    "DONE",
    "FAILED",
    "PER S",
    "MB/S",
    "P50 MS",
    "P90 MS",
    "P99 MS",
    "MAX",
  ];
  output.say("");
  for (const line of table(head, rows)) output.say(line);
  output.say(`${seconds.toFixed(1)} s; every byte that was read was compared`);
  if (total.retries > 0) output.say(`! the client tried again ${total.retries} times`);
  if (ranOut) output.say("! nothing was left before the end: give more --objects");
  if (wrong > 0) output.say(`! ${counted(wrong, "answer")} had other bytes than were stored`);
  for (const { reason, count } of reasons) output.say(`! ${shown(reason)} (${count} times)`);
  if (total.count === 0) output.say(`! nothing was done at ${shownLocation(rootOf(bucket))}`);
  return ok ? ExitCode.OK : ExitCode.FAILED;
}

function rootOf(bucket: string): { kind: "remote"; bucket: string; key: string } {
  return { kind: "remote", bucket, key: "" };
}
