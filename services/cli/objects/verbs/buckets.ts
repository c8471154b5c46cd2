// `dolium mb` and `dolium rb`: makes buckets; removes them, with what is in them on request.
// Removal asks for the name of each.
import {
  BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  PutBucketVersioningCommand,
} from "@aws-sdk/client-s3";
import { UsageError } from "../../command-line.ts";
import { confirm } from "../../confirm.ts";
import { about } from "../failure.ts";
import { listVersions } from "../listing.ts";
import { parseBucket, shownLocation } from "../location.ts";
import type { ObjectContext } from "../object-context.ts";
import { type Removal, removeAll } from "../removal.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";

interface MakeOptions extends SessionOptions {
  readonly versioning?: boolean;
  readonly "object-lock"?: boolean;
}

export async function makeBuckets(parsed: {
  readonly options: MakeOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const buckets = parsed.positionals.map(parseBucket);
  if (buckets.length === 0) throw new UsageError("mb needs the name of a bucket");
  return withSession({ options }, async (session) => {
    for (const bucket of buckets) {
      try {
        await makeBucket(session, bucket, options);
      } catch (error) {
        if (session.context.signal.aborted) throw error;
        session.report.fail(error, nameOf(bucket));
      }
    }
    return session.report.finish(buckets.length === 1);
  });
}

async function makeBucket(
  { context, report }: Session,
  bucket: string,
  options: MakeOptions,
): Promise<void> {
  const { s3, signal: abortSignal, connection } = context;
  await about(nameOf(bucket), () =>
    s3.send(
      new CreateBucketCommand({
        Bucket: bucket,
        ...(options["object-lock"] === true ? { ObjectLockEnabledForBucket: true } : {}),
        ...placeOf(connection),
      }),
      { abortSignal },
    ),
  );
  if (options.versioning === true) {
    const VersioningConfiguration = { Status: "Enabled" } as const;
    await about(nameOf(bucket), () =>
      s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }), {
        abortSignal,
      }),
    );
  }
  report.tell({ event: "made", bucket }, `made ${nameOf(bucket)}`);
}

/** Amazon wants the region said again; other servers place buckets by their own rules. */
function placeOf({ endpoint, region }: Pick<ObjectContext["connection"], "endpoint" | "region">): {
  CreateBucketConfiguration?: { LocationConstraint: BucketLocationConstraint };
} {
  if (endpoint !== undefined || region === "us-east-1") return {};
  const known = Object.values(BucketLocationConstraint).find((name) => name === region);
  return known === undefined ? {} : { CreateBucketConfiguration: { LocationConstraint: known } };
}

interface RemoveOptions extends SessionOptions {
  readonly force?: boolean;
  readonly yes?: boolean;
}

export async function removeBuckets(parsed: {
  readonly options: RemoveOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const buckets = parsed.positionals.map(parseBucket);
  if (buckets.length === 0) throw new UsageError("rb needs the name of a bucket");
  const isForced = options.force === true;
  for (const name of buckets) {
    const what = isForced ? "with every version of every object in it" : "with its settings";
    const act = `the bucket ${name} will be removed ${what}`;
    await confirm({ act, name, yes: options.yes === true });
  }
  return withSession({ options }, async (session) => {
    for (const bucket of buckets) {
      try {
        if (isForced) await emptyBucket(session, bucket);
        await removeBucket(session, bucket);
      } catch (error) {
        if (session.context.signal.aborted) throw error;
        session.report.fail(error, nameOf(bucket));
      }
    }
    return session.report.finish(buckets.length === 1);
  });
}

async function emptyBucket({ context, report }: Session, bucket: string): Promise<void> {
  const removals = (async function* everyVersion(): AsyncGenerator<Removal> {
    for await (const entry of listVersions(context, { bucket, key: "" })) {
      if (entry.kind !== "prefix") yield { key: entry.key, versionId: entry.versionId };
    }
  })();
  await removeAll(context, removals, { bucket, report, dryRun: false });
}

async function removeBucket({ context, report }: Session, bucket: string): Promise<void> {
  await about(nameOf(bucket), () =>
    context.s3.send(new DeleteBucketCommand({ Bucket: bucket }), { abortSignal: context.signal }),
  );
  report.tell({ event: "removed", bucket }, `removed ${nameOf(bucket)}`);
}

function nameOf(bucket: string): string {
  return shownLocation({ kind: "remote", bucket, key: "" });
}
