// Settings of a bucket that both stores know, asked of the source and set at the target; and those
// that the source has and that are not carried, to be told.
import {
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketReplicationCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  GetObjectLockConfigurationCommand,
  type ObjectLockConfiguration,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketWebsiteCommand,
  PutObjectLockConfigurationCommand,
} from "@aws-sdk/client-s3";
import { ask } from "../buckets/setting-session.ts";
import { asCommandError, codeOf, isNotFound } from "../objects/failure.ts";
import type { Stores } from "./copy-version.ts";
import type { BucketOutcome } from "./outcome.ts";

export type Versioning = "Enabled" | "Suspended" | "never";

export interface SourceBucket {
  readonly versioning: Versioning;
  /** Undefined: objects cannot be locked. */
  readonly lock: ObjectLockConfiguration | undefined;
}

/** Undefined where the store has no such setting, or does not know of such settings at all. */
async function whereSet<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const absent = ["NotImplemented", "MethodNotAllowed", "ObjectLockConfigurationNotFoundError"];
    const isMissing = isNotFound(error) && codeOf(error) !== "NoSuchBucket";
    if (isMissing || absent.includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** Throws CommandError when there is no such bucket, or it may not be looked at. */
export async function sourceBucket({ source }: Stores, bucket: string): Promise<SourceBucket> {
  const call = { context: source, bucket };
  const { Status } = await ask(call, new GetBucketVersioningCommand({ Bucket: bucket }));
  const locking = await whereSet(() =>
    ask(call, new GetObjectLockConfigurationCommand({ Bucket: bucket })),
  );
  const lock = locking?.ObjectLockConfiguration;
  return {
    versioning: Status ?? "never",
    lock: lock?.ObjectLockEnabled === "Enabled" ? lock : undefined,
  };
}

type Carry = (stores: Stores, Bucket: string) => Promise<boolean>;

/** In this order: what removes objects and lets people in comes last. */
const CARRIED: readonly (readonly [string, Carry])[] = [
  ["tags", carryTags],
  ["CORS", carryCors],
  ["web site", carryWebsite],
  ["default lock", carryLock],
  ["policy", carryPolicy],
  ["lifecycle", carryLifecycle],
];

/** Each by itself: what one store refuses does not stop the others. */
export async function carrySettings(
  stores: Stores,
  outcome: BucketOutcome,
  dryRun: boolean,
): Promise<void> {
  const { bucket } = outcome;
  const target = dryRun ? { ...stores, target: undefined } : stores;
  for (const [name, carry] of CARRIED) {
    try {
      if (target.target === undefined) continue;
      if (await carry(stores, bucket)) outcome.settings.push(name);
    } catch (error) {
      if (stores.source.signal.aborted) throw error;
      outcome.counts.failed += 1;
      outcome.lost(name, asCommandError(error, "").message.replace(/^: /, ""));
    }
  }
  await noteOthers(stores, outcome);
}

async function carryTags({ source, target }: Stores, Bucket: string): Promise<boolean> {
  const from = { context: source, bucket: Bucket };
  const found = await whereSet(() => ask(from, new GetBucketTaggingCommand({ Bucket })));
  const { TagSet = [] } = found ?? {};
  if (TagSet.length === 0) return false;
  const to = { context: target, bucket: Bucket };
  await ask(to, new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  return true;
}

async function carryCors({ source, target }: Stores, Bucket: string): Promise<boolean> {
  const from = { context: source, bucket: Bucket };
  const found = await whereSet(() => ask(from, new GetBucketCorsCommand({ Bucket })));
  const { CORSRules = [] } = found ?? {};
  if (CORSRules.length === 0) return false;
  const to = { context: target, bucket: Bucket };
  await ask(to, new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
  return true;
}

async function carryWebsite({ source, target }: Stores, Bucket: string): Promise<boolean> {
  const from = { context: source, bucket: Bucket };
  const found = await whereSet(() => ask(from, new GetBucketWebsiteCommand({ Bucket })));
  if (found === undefined) return false;
  const { IndexDocument, ErrorDocument, RedirectAllRequestsTo, RoutingRules } = found;
  const WebsiteConfiguration = {
    IndexDocument,
    ErrorDocument,
    RedirectAllRequestsTo,
    RoutingRules,
  };
  const to = { context: target, bucket: Bucket };
  await ask(to, new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration }));
  return true;
}

async function carryLock(stores: Stores, Bucket: string): Promise<boolean> {
  const { lock } = await sourceBucket(stores, Bucket);
  if (lock?.Rule === undefined) return false;
  const to = { context: stores.target, bucket: Bucket };
  const ObjectLockConfiguration = lock;
  await ask(to, new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
  return true;
}

async function carryPolicy({ source, target }: Stores, Bucket: string): Promise<boolean> {
  const from = { context: source, bucket: Bucket };
  const found = await whereSet(() => ask(from, new GetBucketPolicyCommand({ Bucket })));
  const { Policy = "" } = found ?? {};
  if (Policy === "") return false;
  await ask({ context: target, bucket: Bucket }, new PutBucketPolicyCommand({ Bucket, Policy }));
  return true;
}

async function carryLifecycle({ source, target }: Stores, Bucket: string): Promise<boolean> {
  const from = { context: source, bucket: Bucket };
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket });
  const found = await whereSet(() => ask(from, command));
  const { Rules = [] } = found ?? {};
  if (Rules.length === 0) return false;
  const LifecycleConfiguration = { Rules };
  const to = { context: target, bucket: Bucket };
  await ask(to, new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
  return true;
}

const WHY = "it names things of the other store: set it by hand";

/** What is set there and stays there. What may not be asked is told as such. */
async function noteOthers({ source }: Stores, outcome: BucketOutcome): Promise<void> {
  const { bucket: Bucket } = outcome;
  const call = { context: source, bucket: Bucket };
  const others: readonly (readonly [string, () => Promise<boolean>])[] = [
    [
      "grants of the ACL",
      async () => ((await ask(call, new GetBucketAclCommand({ Bucket }))).Grants ?? []).length > 1,
    ],
    [
      "default encryption",
      async () => {
        const answer = await ask(call, new GetBucketEncryptionCommand({ Bucket }));
        return (answer.ServerSideEncryptionConfiguration?.Rules ?? []).length > 0;
      },
    ],
    [
      "replication",
      async () => {
        const answer = await ask(call, new GetBucketReplicationCommand({ Bucket }));
        return answer.ReplicationConfiguration !== undefined;
      },
    ],
    [
      "access logging",
      async () =>
        (await ask(call, new GetBucketLoggingCommand({ Bucket }))).LoggingEnabled !== undefined,
    ],
    [
      "notifications",
      async () => {
        const command = new GetBucketNotificationConfigurationCommand({ Bucket });
        const { QueueConfigurations, TopicConfigurations, LambdaFunctionConfigurations } =
          await ask(call, command);
        const all = [QueueConfigurations, TopicConfigurations, LambdaFunctionConfigurations];
        return all.some((some) => (some ?? []).length > 0);
      },
    ],
  ];
  for (const [name, isSet] of others) {
    try {
      if ((await whereSet(isSet)) === true) outcome.note(name, WHY);
    } catch (error) {
      if (source.signal.aborted) throw error;
      outcome.note(name, `could not be looked at: ${asCommandError(error, "").message}`);
    }
  }
}
