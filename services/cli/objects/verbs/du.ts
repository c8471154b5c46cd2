// `dolium du`: how many objects and bytes are below each path.
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { UsageError } from "../../command-line.ts";
import { ExitCode } from "../../exit-code.ts";
import { pathRules } from "../commands.ts";
import { listBelow, listVersions } from "../listing.ts";
import {
  folderPrefix,
  locationText,
  parseRemote,
  type RemoteLocation,
  shownLocation,
} from "../location.ts";
import type { ObjectContext } from "../object-context.ts";
import { type PathFilter, pathFilter } from "../path-filter.ts";
import { type SessionOptions, withSession } from "../session.ts";
import { counted, shownSize } from "../shown-text.ts";

interface DuOptions extends SessionOptions {
  readonly versions?: boolean;
}

export async function du(
  parsed: Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
    readonly options: DuOptions;
  },
): Promise<number> {
  const { options, positionals } = parsed;
  const locations = positionals.map(parseRemote);
  if (locations.length === 0) throw new UsageError("du needs a path");
  const takes = pathFilter(pathRules(parsed.given));
  return withSession({ options }, async ({ context, report }) => {
    for (const location of locations) {
      const { objects, bytes } = await sum(context, { location, options, takes });
      const name = locationText(location);
      const line = `${shownSize(bytes).padStart(12)}  ${counted(objects, "object").padStart(16)}  `;
      report.show({ type: "usage", path: name, objects, bytes }, line + shownLocation(location));
    }
    return ExitCode.OK;
  });
}

interface DuWork {
  readonly location: RemoteLocation;
  readonly options: DuOptions;
  readonly takes: PathFilter;
}

async function sum(
  context: ObjectContext,
  { location, options, takes }: DuWork,
): Promise<{ readonly objects: number; readonly bytes: number }> {
  const prefix = folderPrefix(location.key);
  let [objects, bytes] = [0, 0];
  const add = (key: string, more: number): void => {
    const isBelow = key.startsWith(prefix);
    if (!isBelow && key !== location.key) return;
    if (!takes(isBelow ? key.slice(prefix.length) : key)) return;
    objects += 1;
    bytes += more;
  };
  if (options.versions === true) {
    for await (const entry of listVersions(context, location)) {
      if (entry.kind === "version") add(entry.key, entry.bytes);
    }
  } else {
    for await (const entry of listBelow(context, location)) add(entry.key, entry.bytes);
  }
  return { objects, bytes };
}
