// What the verbs on settings of buckets share: the bucket's name, settings from a file or stdin,
// and one way to tell what is set. All go through S3 with the caller's keys, so that they work with
// any endpoint.
import { readFileSync } from "node:fs";
import type { ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-s3";
import { UsageError } from "../command-line.ts";
import { about } from "../objects/failure.ts";
import { parseBucket } from "../objects/location.ts";
import type { ObjectContext } from "../objects/object-context.ts";
import { type Session, type SessionOptions, withSession } from "../objects/session.ts";
import { shown } from "../objects/shown-text.ts";

export interface SettingCall {
  readonly session: Session;
  readonly context: ObjectContext;
  readonly bucket: string;
}

/** At most this much is read of a file with settings. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Runs `work` about the one bucket that is named; further arguments are `rest`. */
export async function withBucket(
  verb: string,
  parsed: { readonly options: SessionOptions; readonly positionals: readonly string[] },
  work: (call: SettingCall, rest: readonly string[]) => Promise<number>,
): Promise<number> {
  const [name, ...rest] = parsed.positionals;
  if (name === undefined) throw new UsageError(`dolium bucket ${verb} wants the name of a bucket`);
  const bucket = parseBucket(name);
  return withSession({ options: parsed.options }, (session) =>
    work({ session, context: session.context, bucket }, rest),
  );
}

/** Throws UsageError when there is a further argument. */
export function noMore(verb: string, rest: readonly string[]): void {
  const [extra] = rest;
  if (extra === undefined) return;
  throw new UsageError(`dolium bucket ${verb} takes no argument "${shown(extra)}"`);
}

/** Throws UsageError when more than one of these ways to change a setting is given. */
export function oneOf(verb: string, ways: Readonly<Record<string, boolean>>): string | undefined {
  const given = Object.entries(ways).flatMap(([name, isGiven]) => (isGiven ? [name] : []));
  if (given.length < 2) return given[0];
  throw new UsageError(`dolium bucket ${verb} takes one of ${given.join(", ")}, not several`);
}

/** Text of a file; `-` is stdin. Throws UsageError when it cannot be read or is too long. */
export function settingText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`cannot read ${shown(file)}: ${shown(reason)}`, { cause });
  }
  if (text.length <= FILE_BYTES_MAX) return text;
  throw new UsageError(`${shown(file)} is longer than ${FILE_BYTES_MAX} characters`);
}

/** JSON of a file. Throws UsageError. */
export function settingJson(file: string): unknown {
  const text = settingText(file);
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${shown(file)} is no JSON: ${shown(reason)}`, { cause });
  }
}

/** Any S3 command; what it throws becomes an error about the bucket. */
export async function ask<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  { context, bucket }: Pick<SettingCall, "context" | "bucket">,
  request: Parameters<typeof context.s3.send<Input, Output>>[0],
): Promise<Output> {
  return about(`s3://${bucket}`, () =>
    context.s3.send<Input, Output>(request, { abortSignal: context.signal }),
  );
}

/** The setting as JSON: one line with --json, else indented. It can be fed back as a file. */
export function showSetting({ session }: SettingCall, setting: object): number {
  const fields = Object.fromEntries(Object.entries(setting));
  session.report.show(fields, shownJson(fields));
  return 0;
}

/** JSON escapes control characters, but not those that turn the direction of writing. */
function shownJson(fields: object): string {
  return JSON.stringify(fields, null, 2).split("\n").map(shown).join("\n");
}

export function tellChange(
  { session, bucket }: SettingCall,
  change: { readonly setting: string; readonly what: "set" | "removed"; readonly line: string },
): number {
  const { setting, what, line } = change;
  session.report.tell({ event: what, setting, bucket }, shown(line));
  return 0;
}
