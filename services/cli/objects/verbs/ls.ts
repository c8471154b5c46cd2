// `dolium ls`: buckets, or one level below a prefix, or everything below it; with versions on
// request. A prefix need not end at a folder: `ls bucket/pre` lists what begins with it. A path
// that matches nothing is not found.
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { CommandError, ExitCode } from "../../exit-code.ts";
import { pathRules } from "../commands.ts";
import {
  type ListedObject,
  type ListedPrefix,
  type ListedVersion,
  listBuckets,
  listObjects,
  listVersions,
} from "../listing.ts";
import { parseRemote, type RemoteLocation, shownLocation } from "../location.ts";
import { pathFilter } from "../path-filter.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import { shown, shownTime } from "../shown-text.ts";

interface LsOptions extends SessionOptions {
  readonly recursive?: boolean;
  readonly versions?: boolean;
}

export async function ls(
  parsed: Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
    readonly options: LsOptions;
  },
): Promise<number> {
  const { options, positionals } = parsed;
  const locations = positionals.map(parseRemote);
  const takes = pathFilter(pathRules(parsed.given));
  return withSession({ options }, async (session) => {
    if (locations.length === 0) return lsBuckets(session);
    for (const location of locations) await lsPath(session, { location, options, takes });
    return ExitCode.OK;
  });
}

async function lsBuckets({ context, report }: Session): Promise<number> {
  for await (const { name, created } of listBuckets(context)) {
    const fields = { type: "bucket", bucket: name, created: created?.toISOString() ?? null };
    report.show(fields, `${shownTime(created)}  ${"".padStart(15)}  ${shown(name)}/`);
  }
  return ExitCode.OK;
}

interface LsWork {
  readonly location: RemoteLocation;
  readonly options: LsOptions;
  readonly takes: (name: string) => boolean;
}

async function lsPath(session: Session, { location, options, takes }: LsWork): Promise<void> {
  const { context, report } = session;
  const delimiter = options.recursive === true ? undefined : "/";
  const entries =
    options.versions === true
      ? listVersions(context, location, delimiter)
      : listObjects(context, location, delimiter);
  const base = options.recursive === true ? 0 : location.key.lastIndexOf("/") + 1;
  let seen = 0;
  for await (const entry of entries) {
    seen += 1;
    if (takes(entry.key)) report.show(fieldsOf(location.bucket, entry), lineOf(entry, base));
  }
  if (seen > 0 || location.key === "") return;
  const text = `${shownLocation(location)}: nothing is there`;
  throw new CommandError(ExitCode.NOT_FOUND, "NotFound", text);
}

type Entry = ListedObject | ListedPrefix | ListedVersion;

/** One object of JSON for a thing that is listed. */
export function fieldsOf(bucket: string, entry: Entry): Readonly<Record<string, unknown>> {
  const { kind, key } = entry;
  if (entry.kind === "prefix") return { type: "prefix", bucket, key };
  const { bytes, modified, etag, storageClass } = entry;
  const facts = {
    type: kind,
    bucket,
    key,
    bytes,
    modified: modified?.toISOString() ?? null,
    etag,
    storageClass: storageClass ?? null,
  };
  if (entry.kind === "object") return facts;
  return { ...facts, versionId: entry.versionId, isLatest: entry.isLatest };
}

function lineOf(entry: Entry, base: number): string {
  const name = shown(entry.key.slice(base));
  if (entry.kind === "prefix") return `${" ".repeat(19)}  ${"".padStart(15)}  ${name}`;
  const size = entry.kind === "delete-marker" ? "deleted" : String(entry.bytes);
  const line = `${shownTime(entry.modified)}  ${size.padStart(15)}  ${name}`;
  if (entry.kind === "object") return line;
  return `${line}  ${entry.versionId}${entry.isLatest ? "  latest" : ""}`;
}
