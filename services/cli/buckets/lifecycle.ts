// `dolium bucket lifecycle`: shows the rules, sets them from a file, adds or replaces one rule from
// options, takes one or all away. Rules that options do not name stay as they are.
import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  type TransitionDefaultMinimumObjectSize,
} from "@aws-sdk/client-s3";
import { UsageError } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { isNotFound } from "../objects/failure.ts";
import type { SessionOptions } from "../objects/session.ts";
import { counted, shown } from "../objects/shown-text.ts";
import { LIFECYCLE_SHAPE, shaped } from "./json-shape.ts";
import {
  ask,
  noMore,
  oneOf,
  type SettingCall,
  settingJson,
  showSetting,
  tellChange,
  withBucket,
} from "./setting-session.ts";

export interface Lifecycle {
  readonly Rules: LifecycleRule[];
  readonly TransitionDefaultMinimumObjectSize?: TransitionDefaultMinimumObjectSize;
}

export interface RuleOptions {
  readonly id?: string;
  readonly prefix?: string;
  readonly "expire-days"?: number;
  readonly "noncurrent-days"?: number;
  readonly "abort-uploads-days"?: number;
}

interface LifecycleOptions extends SessionOptions, RuleOptions {
  readonly file?: string;
  readonly remove?: boolean;
}

const ID_DEFAULT = "dolium";

export async function lifecycle(parsed: {
  readonly options: LifecycleOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options } = parsed;
  const { file, remove, id } = options;
  const rule = ruleOf(options);
  const way = oneOf("lifecycle", {
    "--file": file !== undefined,
    "a rule": rule !== undefined,
    "--remove": remove === true,
  });
  if (rule === undefined && (options.prefix !== undefined || (id !== undefined && !remove))) {
    const wanted = "--expire-days, --noncurrent-days or --abort-uploads-days";
    throw new UsageError(`a rule says what it does: give ${wanted}`);
  }
  const wanted = file === undefined ? undefined : lifecycleOf(settingJson(file));
  return withBucket("lifecycle", parsed, async (call, rest) => {
    noMore("lifecycle", rest);
    if (way === undefined) return showSetting(call, await rulesOf(call));
    if (way === "--remove") return removeRules(call, id);
    const config = wanted ?? (await rulesOrNone(call));
    await putRules(call, rule === undefined ? config : withRule(config, rule));
    const line = `${call.bucket} has the rules that were given`;
    return tellChange(call, { setting: "lifecycle", what: "set", line });
  });
}

export function lifecycleOf(value: unknown): Lifecycle {
  const config = shaped(value, LIFECYCLE_SHAPE, "");
  // Checked boundary: the shape is that of the SDK's type.
  const { Rules, ...others } = config as Partial<Lifecycle>;
  if (Rules === undefined || Rules.length === 0) throw new UsageError("Rules must have a rule");
  return { Rules, ...others };
}

/** The rule that options describe; undefined when they describe none. */
export function ruleOf(options: RuleOptions): LifecycleRule | undefined {
  const { id = ID_DEFAULT, prefix = "" } = options;
  const { "expire-days": Days, "noncurrent-days": NoncurrentDays } = options;
  const DaysAfterInitiation = options["abort-uploads-days"];
  const acts = {
    ...(Days === undefined ? {} : { Expiration: { Days } }),
    ...(NoncurrentDays === undefined ? {} : { NoncurrentVersionExpiration: { NoncurrentDays } }),
    ...(DaysAfterInitiation === undefined
      ? {}
      : { AbortIncompleteMultipartUpload: { DaysAfterInitiation } }),
  };
  if (Object.keys(acts).length === 0) return undefined;
  return { ID: id, Status: "Enabled", Filter: { Prefix: prefix }, ...acts };
}

/** The rule of the same id is replaced in its place; any other comes last. */
export function withRule(config: Lifecycle, rule: LifecycleRule): Lifecycle {
  const isThere = config.Rules.some(({ ID }) => ID === rule.ID);
  const Rules = isThere
    ? config.Rules.map((one) => (one.ID === rule.ID ? rule : one))
    : [...config.Rules, rule];
  return { ...config, Rules };
}

export async function rulesOf(call: Pick<SettingCall, "context" | "bucket">): Promise<Lifecycle> {
  const command = new GetBucketLifecycleConfigurationCommand({ Bucket: call.bucket });
  const { Rules = [], TransitionDefaultMinimumObjectSize: size } = await ask(call, command);
  return { Rules, ...(size === undefined ? {} : { TransitionDefaultMinimumObjectSize: size }) };
}

async function rulesOrNone(call: SettingCall): Promise<Lifecycle> {
  try {
    return await rulesOf(call);
  } catch (error) {
    if (isNotFound(error) && codeIs(error, "NoSuchLifecycleConfiguration")) return { Rules: [] };
    throw error;
  }
}

function codeIs(error: unknown, code: string): boolean {
  return error instanceof CommandError && error.code === code;
}

async function putRules({ context, bucket }: SettingCall, config: Lifecycle): Promise<void> {
  const { Rules, ...others } = config;
  const command = new PutBucketLifecycleConfigurationCommand({
    Bucket: bucket,
    LifecycleConfiguration: { Rules },
    ...others,
  });
  await ask({ context, bucket }, command);
}

async function removeRules(call: SettingCall, id: string | undefined): Promise<number> {
  const { bucket } = call;
  const config = id === undefined ? undefined : await rulesOf(call);
  const left = config?.Rules.filter(({ ID }) => ID !== id) ?? [];
  if (config !== undefined && left.length === config.Rules.length) {
    const text = `s3://${bucket} has no rule "${shown(id ?? "")}"`;
    throw new CommandError(ExitCode.NOT_FOUND, "no-such-rule", text);
  }
  if (left.length > 0) await putRules(call, { ...config, Rules: left });
  else await ask(call, new DeleteBucketLifecycleCommand({ Bucket: bucket }));
  const line = `${bucket} has ${left.length === 0 ? "no rules" : counted(left.length, "rule")}`;
  return tellChange(call, { setting: "lifecycle", what: "removed", line });
}
