// `dolium find`: objects below a path that meet every condition, one a line, as they can be given
// to the other verbs.
import { UsageError } from "../../command-line.ts";
import { ExitCode } from "../../exit-code.ts";
import { type ListedObject, listBelow } from "../listing.ts";
import { folderPrefix, parseRemote, shownLocation } from "../location.ts";
import { globMatcher } from "../path-filter.ts";
import { parseSize, parseTime } from "../quantities.ts";
import { type SessionOptions, withSession } from "../session.ts";
import { fieldsOf } from "./ls.ts";

export interface FindOptions extends SessionOptions {
  readonly name?: string;
  readonly path?: string;
  readonly larger?: string;
  readonly smaller?: string;
  readonly newer?: string;
  readonly older?: string;
  readonly "storage-class"?: string;
}

type Condition = (entry: ListedObject) => boolean;

export async function find(parsed: {
  readonly options: FindOptions;
  readonly positionals: readonly string[];
}): Promise<number> {
  const { options, positionals } = parsed;
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0) throw new UsageError("find takes one path");
  const location = parseRemote(path);
  const conditions = findConditions(options, folderPrefix(location.key), Date.now());
  return withSession({ options }, async ({ context, report }) => {
    for await (const entry of listBelow(context, location)) {
      if (!conditions.every((holds) => holds(entry))) continue;
      report.show(fieldsOf(location.bucket, entry), shownLocation({ ...location, key: entry.key }));
    }
    return ExitCode.OK;
  });
}

/** Throws UsageError. `prefix`: what --path does not see of a key. */
export function findConditions(
  options: FindOptions,
  prefix: string,
  nowMs: number,
): readonly Condition[] {
  const conditions: Condition[] = [];
  const { name, path, larger, smaller, newer, older, "storage-class": storageClass } = options;
  if (name !== undefined) {
    const matches = globMatcher(name);
    conditions.push(({ key }) => matches(key.slice(key.lastIndexOf("/") + 1)));
  }
  if (path !== undefined) {
    const matches = globMatcher(path);
    conditions.push(({ key }) => matches(key.startsWith(prefix) ? key.slice(prefix.length) : key));
  }
  if (larger !== undefined) {
    const bound = parseSize("larger", larger);
    conditions.push(({ bytes }) => bytes > bound);
  }
  if (smaller !== undefined) {
    const bound = parseSize("smaller", smaller);
    conditions.push(({ bytes }) => bytes < bound);
  }
  if (newer !== undefined) {
    const bound = parseTime("newer", newer, nowMs);
    conditions.push(({ modified }) => modified !== undefined && modified.getTime() > bound);
  }
  if (older !== undefined) {
    const bound = parseTime("older", older, nowMs);
    conditions.push(({ modified }) => modified !== undefined && modified.getTime() < bound);
  }
  if (storageClass !== undefined) {
    conditions.push((entry) => (entry.storageClass ?? "STANDARD") === storageClass);
  }
  return conditions;
}
