// `dolium bucket policy`: shows the policy as it was written, sets it from a file, takes it away;
// opens a bucket, or a part of it, for reading by everybody and closes it again by a statement of a
// name of its own, so that statements of others stay as they are.
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  GetPublicAccessBlockCommand,
  PutBucketPolicyCommand,
  PutPublicAccessBlockCommand,
} from "@aws-sdk/client-s3";
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { codeOf } from "../objects/failure.ts";
import type { SessionOptions } from "../objects/session.ts";
import {
  ask,
  noMore,
  oneOf,
  type SettingCall,
  settingJson,
  settingText,
  showSetting,
  tellChange,
  withBucket,
} from "./setting-session.ts";

interface PolicyOptions extends SessionOptions {
  readonly file?: string;
  readonly "public-read"?: boolean;
  readonly prefix?: string;
  readonly unblock?: boolean;
  readonly private?: boolean;
  readonly remove?: boolean;
}

type Document = Readonly<Record<string, unknown>>;

const OWN_SID = "DoliumPublicRead";

export async function policy(parsed: {
  readonly options: PolicyOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { file, remove, prefix = "", ...others } = parsed.options;
  const way = oneOf("policy", {
    "--file": file !== undefined,
    "--public-read": others["public-read"] === true,
    "--private": others.private === true,
    "--remove": remove === true,
  });
  const { unblock = false } = others;
  if ((parsed.options.prefix !== undefined || unblock) && way !== "--public-read") {
    throw new UsageError("--prefix and --unblock go with --public-read");
  }
  const given = file === undefined ? undefined : documentText(file);
  return withBucket("policy", parsed, async (call, rest) => {
    noMore("policy", rest);
    if (way === undefined) return showSetting(call, await policyOf(call));
    if (way === "--remove") return removePolicy(call);
    if (way === "--private") return closeBucket(call);
    if (unblock) await allowPublicPolicies(call);
    const text = given ?? JSON.stringify(opened(await policyOrNone(call), call.bucket, prefix));
    await ask(call, new PutBucketPolicyCommand({ Bucket: call.bucket, Policy: text }));
    const line =
      given === undefined
        ? `everybody may read s3://${call.bucket}/${prefix}*`
        : `${call.bucket} has this policy`;
    return tellChange(call, { setting: "policy", what: "set", line });
  });
}

/** Sent as it was written, once it is known to be an object. Stdin can be read only once. */
function documentText(file: string): string {
  if (file === "-") return JSON.stringify(asDocument(settingJson(file)));
  asDocument(settingJson(file));
  return settingText(file);
}

/**
 * The policy with everybody's right to read below `prefix`, in place of what stood under our name.
 */
export function opened(policy: Document | undefined, bucket: string, prefix: string): Document {
  const statement = {
    Sid: OWN_SID,
    Effect: "Allow",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/${prefix}*`,
  };
  const { Version = "2012-10-17" } = policy ?? {};
  return { ...policy, Version, Statement: [...othersOf(policy), statement] };
}

function othersOf(policy: Document | undefined): readonly unknown[] {
  const { Statement = [] } = policy ?? {};
  const statements: readonly unknown[] = Array.isArray(Statement) ? Statement : [Statement];
  return statements.filter((one) => !isOwn(one));
}

function isOwn(statement: unknown): boolean {
  const isObject = typeof statement === "object" && statement !== null;
  return isObject && "Sid" in statement && statement.Sid === OWN_SID;
}

/** What the block says of ACLs stays. */
async function allowPublicPolicies(call: SettingCall): Promise<void> {
  const { bucket: Bucket } = call;
  try {
    const answer = await ask(call, new GetPublicAccessBlockCommand({ Bucket }));
    const PublicAccessBlockConfiguration = {
      ...answer.PublicAccessBlockConfiguration,
      BlockPublicPolicy: false,
      RestrictPublicBuckets: false,
    };
    await ask(call, new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
  } catch (error) {
    const isNone = codeOf(error) === "NoSuchPublicAccessBlockConfiguration";
    if (!isNone) throw error;
  }
}

async function closeBucket(call: SettingCall): Promise<number> {
  const policy = await policyOrNone(call);
  const others = othersOf(policy);
  const line = `nobody reads s3://${call.bucket} by --public-read`;
  if (policy !== undefined && others.length === 0) {
    await ask(call, new DeleteBucketPolicyCommand({ Bucket: call.bucket }));
  } else if (policy !== undefined) {
    const Policy = JSON.stringify({ ...policy, Statement: others });
    await ask(call, new PutBucketPolicyCommand({ Bucket: call.bucket, Policy }));
  }
  return tellChange(call, { setting: "policy", what: "set", line });
}

async function removePolicy(call: SettingCall): Promise<number> {
  await ask(call, new DeleteBucketPolicyCommand({ Bucket: call.bucket }));
  const line = `${call.bucket} has no policy`;
  return tellChange(call, { setting: "policy", what: "removed", line });
}

async function policyOf(call: SettingCall): Promise<Document> {
  const { Policy = "" } = await ask(call, new GetBucketPolicyCommand({ Bucket: call.bucket }));
  try {
    return asDocument(JSON.parse(Policy));
  } catch (cause) {
    const text = `s3://${call.bucket}: the server's policy is no JSON object`;
    throw new CommandError(ExitCode.FAILED, "failed", text, { cause });
  }
}

async function policyOrNone(call: SettingCall): Promise<Document | undefined> {
  try {
    return await policyOf(call);
  } catch (error) {
    if (error instanceof CommandError && error.code === "NoSuchBucketPolicy") return undefined;
    throw error;
  }
}

function asDocument(value: unknown): Document {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError("a policy is a JSON object");
  }
  return Object.fromEntries(Object.entries(value));
}
