// `dolium stat`: everything a HEAD says of an object, or of a bucket.
import { HeadBucketCommand } from "@aws-sdk/client-s3";
import { UsageError } from "../../command-line.ts";
import { ExitCode } from "../../exit-code.ts";
import { about } from "../failure.ts";
import { parseRemote, type RemoteLocation, shownLocation } from "../location.ts";
import { headObject } from "../object-head.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import { shown, shownSize } from "../shown-text.ts";
import { customerKeyOf } from "../store-settings.ts";

interface StatOptions extends SessionOptions {
  readonly "version-id"?: string;
  readonly "sse-c-key"?: string;
}

export async function stat(parsed: {
  readonly options: StatOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const locations = parsed.positionals.map(parseRemote);
  if (locations.length === 0) throw new UsageError("stat needs a path");
  const customerKey = customerKeyOf(options["sse-c-key"]);
  return withSession({ options, customerKey }, async (session) => {
    for (const location of locations) {
      if (location.key === "") await statBucket(session, location);
      else await statObject(session, location, options["version-id"]);
    }
    return ExitCode.OK;
  });
}

async function statBucket({ context, report }: Session, location: RemoteLocation): Promise<void> {
  const { bucket } = location;
  const answer = await about(shownLocation(location), () =>
    context.s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: context.signal }),
  );
  const region = answer.BucketRegion ?? null;
  const rows = { name: shownLocation(location), region };
  report.show({ type: "bucket", bucket, region }, table(rows));
}

async function statObject(
  { context, report }: Session,
  location: RemoteLocation,
  versionId: string | undefined,
): Promise<void> {
  const { customerKey } = context;
  const head = await headObject(context, { location, versionId, customerKey });
  const { answer, bytes, checksum } = head;
  const facts = {
    bytes,
    modified: answer.LastModified?.toISOString() ?? null,
    etag: head.etag.replaceAll('"', ""),
    versionId: answer.VersionId ?? null,
    contentType: answer.ContentType ?? null,
    contentEncoding: answer.ContentEncoding ?? null,
    contentDisposition: answer.ContentDisposition ?? null,
    cacheControl: answer.CacheControl ?? null,
    storageClass: answer.StorageClass ?? null,
    checksum: checksum === undefined ? null : `${checksum.algorithm} ${checksum.value}`,
    encryption: answer.ServerSideEncryption ?? answer.SSECustomerAlgorithm ?? null,
    kmsKeyId: answer.SSEKMSKeyId ?? null,
    lockMode: answer.ObjectLockMode ?? null,
    lockedUntil: answer.ObjectLockRetainUntilDate?.toISOString() ?? null,
    legalHold: answer.ObjectLockLegalHoldStatus ?? null,
    tags: answer.TagCount ?? null,
    expiration: answer.Expiration ?? null,
  };
  const metadata = answer.Metadata ?? {};
  const { bucket, key } = location;
  const named = Object.entries(metadata).map(([name, value]) => [`metadata ${name}`, value]);
  const rows = {
    name: shownLocation(location),
    ...facts,
    bytes: `${bytes} (${shownSize(bytes)})`,
    ...Object.fromEntries(named),
  };
  report.show({ type: "object", bucket, key, ...facts, metadata }, table(rows));
}

function table(rows: Readonly<Record<string, unknown>>): string {
  return Object.entries(rows)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${shown(name).padEnd(20)} ${shown(String(value))}`)
    .join("\n");
}
