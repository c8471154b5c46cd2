// `dolium rm`: one object, one version, or everything below a path, with its versions on request.
// An object named in full goes at once; whatever takes more than that with it asks for the name.
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { UsageError } from "../../command-line.ts";
import { confirm } from "../../confirm.ts";
import { CommandError, ExitCode } from "../../exit-code.ts";
import { pathRules } from "../commands.ts";
import { listBelow, listVersions } from "../listing.ts";
import { folderPrefix, parseRemote, type RemoteLocation, shownLocation } from "../location.ts";
import type { ObjectContext } from "../object-context.ts";
import { headObject } from "../object-head.ts";
import { type PathFilter, pathFilter } from "../path-filter.ts";
import { type Removal, removeAll } from "../removal.ts";
import { type SessionOptions, withSession } from "../session.ts";

interface RmOptions extends SessionOptions {
  readonly recursive?: boolean;
  readonly "dry-run"?: boolean;
  readonly "version-id"?: string;
  readonly "all-versions"?: boolean;
  readonly yes?: boolean;
}

export async function rm(
  parsed: Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
    readonly options: RmOptions;
  },
): Promise<number> {
  const { options, positionals } = parsed;
  const locations = checkedLocations(options, positionals);
  const dryRun = options["dry-run"] === true;
  const isWide = options.recursive === true || options["all-versions"] === true;
  if (isWide && !dryRun) {
    for (const location of locations) {
      const name = shownLocation(location);
      const yes = options.yes === true;
      await confirm({ act: `everything of ${name} will be removed`, name, yes });
    }
  }
  const takes = pathFilter(pathRules(parsed.given));
  return withSession({ options }, async ({ context, report }) => {
    for (const location of locations) {
      const removals = removalsOf(context, { location, options, takes });
      await removeAll(context, removals, { bucket: location.bucket, report, dryRun });
    }
    return report.finish(locations.length === 1 && !isWide);
  });
}

function checkedLocations(options: RmOptions, positionals: readonly string[]): RemoteLocation[] {
  const { "version-id": versionId } = options;
  const locations = positionals.map(parseRemote);
  if (locations.length === 0) throw new UsageError("rm needs a path");
  const isWide = options.recursive === true || options["all-versions"] === true;
  if (versionId !== undefined && (locations.length > 1 || isWide)) {
    throw new UsageError("--version-id needs one object, without -r and --all-versions");
  }
  for (const location of locations) {
    if (location.key === "" && options.recursive !== true) {
      throw new UsageError(`${shownLocation(location)} is a bucket: give -r to empty it`);
    }
  }
  return locations;
}

interface RmWork {
  readonly location: RemoteLocation;
  readonly options: RmOptions;
  readonly takes: PathFilter;
}

async function* removalsOf(
  context: ObjectContext,
  { location, options, takes }: RmWork,
): AsyncGenerator<Removal> {
  const { key } = location;
  const prefix = folderPrefix(key);
  const takesKey = (found: string): boolean =>
    takes(found.startsWith(prefix) ? found.slice(prefix.length) : found);
  let found = 0;
  if (options["all-versions"] === true) {
    for await (const entry of listVersions(context, location)) {
      if (entry.kind === "prefix") continue;
      const below = options.recursive === true && entry.key.startsWith(prefix);
      if ((entry.key !== key && !below) || !takesKey(entry.key)) continue;
      found += 1;
      yield { key: entry.key, versionId: entry.versionId };
    }
  } else if (options.recursive === true) {
    for await (const entry of listBelow(context, location)) {
      if (!takesKey(entry.key)) continue;
      found += 1;
      yield { key: entry.key, versionId: undefined };
    }
  } else {
    const versionId = options["version-id"];
    // S3 answers success for a key that is not there; people want to know.
    if (versionId === undefined) await headForRemoval(context, location);
    yield { key, versionId };
    return;
  }
  if (found > 0 || key === "") return;
  const text = `${shownLocation(location)}: nothing is there`;
  throw new CommandError(ExitCode.NOT_FOUND, "NotFound", text);
}

/** Throws NotFound. One who may delete but not read is not kept from it. */
async function headForRemoval(context: ObjectContext, location: RemoteLocation): Promise<void> {
  try {
    await headObject(context, { location });
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === ExitCode.NOT_FOUND) throw error;
    if (error.exitCode === ExitCode.UNAVAILABLE) throw error;
  }
}
