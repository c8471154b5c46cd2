// `dolium bucket check`: asks everything about a bucket through S3, and its quota where the
// endpoint is Dolium's, and says in sentences what is off. Changes nothing. Exit code 1 when
// something is.
import {
  GetBucketAclCommand,
  GetBucketEncryptionCommand,
  GetBucketPolicyStatusCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type LifecycleRule,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import { AdminClient, record } from "../admin-client/admin-client.ts";
import { table } from "../admin-client/admin-verb.ts";
import { ExitCode } from "../exit-code.ts";
import { asCommandError, codeOf, isNotFound } from "../objects/failure.ts";
import { parseDuration } from "../objects/quantities.ts";
import type { SessionOptions } from "../objects/session.ts";
import { shown } from "../objects/shown-text.ts";
import {
  type BucketFacts,
  type Fact,
  type Finding,
  findingsOf,
  type OpenUploads,
  prefixOf,
  type QuotaUse,
} from "./check-findings.ts";
import { rulesOf } from "./lifecycle.ts";
import { ask, noMore, type SettingCall, withBucket } from "./setting-session.ts";

interface CheckOptions extends SessionOptions {
  readonly stale?: string;
}

const STALE_DEFAULT = "7d";
const UPLOAD_PAGE = 1000;
const EVERYBODY = /\/groups\/global\/(?:AllUsers|AuthenticatedUsers)$/;
/** What servers answer that do not have the thing. */
const ABSENT = new Set(["NotImplemented", "MethodNotAllowed", "UnsupportedOperation"]);

export async function check(parsed: {
  readonly options: CheckOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const staleMs = parseDuration("stale", parsed.options.stale ?? STALE_DEFAULT) * 1000;
  return withBucket("check", parsed, async (call, rest) => {
    noMore("check", rest);
    await ask(call, new HeadBucketCommand({ Bucket: call.bucket }));
    const findings = findingsOf(await factsOf(call, staleMs));
    return showFindings(call, findings);
  });
}

function showFindings({ session, bucket }: SettingCall, findings: readonly Finding[]): number {
  const ok = findings.every(({ verdict }) => verdict === "ok" || verdict === "note");
  const rows = findings.map(({ check, verdict, finding }) => [verdict, check, shown(finding)]);
  const lines = table(["", "CHECK", "FINDING"], rows);
  session.report.show({ bucket, ok, findings }, lines.join("\n"));
  return ok ? ExitCode.OK : ExitCode.FAILED;
}

async function factsOf(call: SettingCall, staleMs: number): Promise<BucketFacts> {
  const Bucket = call.bucket;
  const rules = await factOf(async () => (await rulesOf(call)).Rules, []);
  const versioning = await factOf(async () => {
    const { Status } = await ask(call, new GetBucketVersioningCommand({ Bucket }));
    return Status ?? "never";
  });
  return {
    nowMs: Date.now(),
    staleMs,
    versioning,
    lock: await factOf(async () => {
      const command = new GetObjectLockConfigurationCommand({ Bucket });
      const { ObjectLockConfiguration: lock } = await ask(call, command);
      if (lock?.ObjectLockEnabled !== "Enabled") return undefined;
      return { hasDefault: lock.Rule?.DefaultRetention !== undefined };
    }, undefined),
    policyIsPublic: await factOf(async () => {
      const { PolicyStatus } = await ask(call, new GetBucketPolicyStatusCommand({ Bucket }));
      return PolicyStatus?.IsPublic === true;
    }, false),
    publicGrants: await factOf(() => publicGrants(call)),
    block: await factOf(
      async () => {
        const command = new GetPublicAccessBlockCommand({ Bucket });
        const { PublicAccessBlockConfiguration: block } = await ask(call, command);
        const acls = block?.IgnorePublicAcls === true;
        return { policies: block?.RestrictPublicBuckets === true, acls };
      },
      { policies: false, acls: false },
    ),
    rules,
    emptyPrefixes: rules.kind === "known" ? await emptyPrefixes(call, rules.value) : new Set(),
    encryption: await factOf(async () => {
      const command = new GetBucketEncryptionCommand({ Bucket });
      const { ServerSideEncryptionConfiguration: config } = await ask(call, command);
      return config?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
    }, undefined),
    uploads: await factOf(() => openUploads(call)),
    quota: await quotaOf(call),
    website: await factOf(() => websiteOf(call), undefined),
  };
}

/** `missing`: what it means that the setting is not there (404). */
async function factOf<T>(work: () => Promise<T>, ...missing: readonly T[]): Promise<Fact<T>> {
  try {
    return { kind: "known", value: await work() };
  } catch (error) {
    const [value] = missing;
    if (isNotFound(error) && missing.length > 0) return { kind: "known", value: value as T };
    const failure = asCommandError(error, "");
    if (failure.name === "CommandError" && codeOf(failure) === "interrupted") throw failure;
    const kind = ABSENT.has(codeOf(failure)) ? "absent" : "refused";
    return { kind, why: failure.message };
  }
}

async function publicGrants(call: SettingCall): Promise<readonly string[]> {
  const { Grants = [] } = await ask(call, new GetBucketAclCommand({ Bucket: call.bucket }));
  const permissions = Grants.flatMap(({ Grantee, Permission }) =>
    EVERYBODY.test(Grantee?.URI ?? "") && Permission !== undefined ? [Permission] : [],
  );
  return [...new Set(permissions)];
}

/** Prefixes of rules below which there is no version and, for rules about them, no open upload. */
async function emptyPrefixes(
  call: SettingCall,
  rules: readonly LifecycleRule[],
): Promise<ReadonlySet<string>> {
  const empty = new Set<string>();
  for (const Prefix of new Set(rules.map(prefixOf))) {
    if (Prefix === "") continue;
    const where = { Bucket: call.bucket, Prefix };
    const found = await factOf(async () => {
      const page = await ask(call, new ListObjectVersionsCommand({ ...where, MaxKeys: 1 }));
      if ((page.Versions?.length ?? 0) + (page.DeleteMarkers?.length ?? 0) > 0) return true;
      const uploads = new ListMultipartUploadsCommand({ ...where, MaxUploads: 1 });
      return ((await ask(call, uploads)).Uploads?.length ?? 0) > 0;
    });
    if (found.kind === "known" && !found.value) empty.add(Prefix);
  }
  return empty;
}

/** Of the first page; the oldest of a bucket with more may be older still. */
async function openUploads(call: SettingCall): Promise<OpenUploads> {
  const { Uploads = [], IsTruncated } = await ask(
    call,
    new ListMultipartUploadsCommand({ Bucket: call.bucket, MaxUploads: UPLOAD_PAGE }),
  );
  const times = Uploads.flatMap(({ Initiated }) => Initiated?.getTime() ?? []);
  return {
    count: Uploads.length,
    isMore: IsTruncated === true,
    oldestMs: times.length === 0 ? undefined : Math.min(...times),
  };
}

async function websiteOf(
  call: SettingCall,
): Promise<{ readonly index: string; readonly isThere: boolean } | undefined> {
  const { IndexDocument } = await ask(call, new GetBucketWebsiteCommand({ Bucket: call.bucket }));
  const index = IndexDocument?.Suffix;
  if (index === undefined) return undefined;
  try {
    await ask(call, new HeadObjectCommand({ Bucket: call.bucket, Key: index }));
    return { index, isThere: true };
  } catch (error) {
    if (isNotFound(error)) return { index, isThere: false };
    throw error;
  }
}

/** S3 knows no quotas; Dolium's gateways answer the admin API on the S3 port too. */
async function quotaOf({ context, bucket }: SettingCall): Promise<Fact<QuotaUse>> {
  const { connection } = context;
  const { endpoint } = connection;
  const none = {
    kind: "absent",
    why: "the endpoint has no quotas that this command knows",
  } as const;
  if (endpoint === undefined || connection.anonymous) return none;
  try {
    const keys = await connection.signingKeys();
    const client = new AdminClient({ url: endpoint, base: "/_admin/api/v1", keys });
    const answer = record(await client.call("GET", `/buckets/${encodeURIComponent(bucket)}`));
    const [usage, quota] = [record(answer.usage ?? {}), record(answer.quota ?? {})];
    const value = {
      bytes: Number(usage.bytes ?? 0),
      objects: Number(usage.objects ?? 0),
      bytesMax: Number(quota.bytes ?? 0),
      objectsMax: Number(quota.objects ?? 0),
    };
    return { kind: "known", value };
  } catch (error) {
    // Other servers take the path for a bucket, and say so in their own words.
    return codeOf(error) === "AccessDenied" ? { kind: "absent", why: "access denied" } : none;
  }
}
