// `dolium sync`: makes a destination like a source, moving only what is missing or other. With
// --delete, what the source does not have is removed afterwards, and only if all of the source
// could be read: a folder that cannot be read must not look empty.
import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { UsageError } from "../../command-line.ts";
import { confirm } from "../../confirm.ts";
import { CommandError, ExitCode } from "../../exit-code.ts";
import { pathRules } from "../commands.ts";
import { isPartName } from "../download.ts";
import { downloadName } from "../download-name.ts";
import { about } from "../failure.ts";
import { runLanes } from "../lanes.ts";
import { listObjects } from "../listing.ts";
import { walkFolder } from "../local-tree.ts";
import {
  folderPrefix,
  type Location,
  locationText,
  parseTransfer,
  shownLocation,
} from "../location.ts";
import type { ObjectContext } from "../object-context.ts";
import { pathFilter } from "../path-filter.ts";
import { type Removal, removeAll } from "../removal.ts";
import { runTransfer } from "../run-transfer.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import { counted } from "../shown-text.ts";
import { customerKeyOf, type StoreOptions, storeSettings } from "../store-settings.ts";
import { isSame, type SyncSide } from "../sync-compare.ts";
import { type SyncEntry, type SyncStep, syncSteps } from "../sync-plan.ts";
import { type Planned, planDownload, planned } from "../transfer-plan.ts";

interface SyncOptions extends SessionOptions, StoreOptions {
  readonly "dry-run"?: boolean;
  readonly delete?: boolean;
  readonly checksum?: boolean;
  readonly "checksum-algorithm"?: string;
  readonly follow?: boolean;
  readonly "sse-c-source-key"?: string;
  readonly yes?: boolean;
}

type SyncArguments = Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
  readonly options: SyncOptions;
};

export async function sync(parsed: SyncArguments): Promise<number> {
  const { options } = parsed;
  const algorithm = options["checksum-algorithm"];
  const settings = storeSettings({ ...options, ...(algorithm === undefined ? {} : { algorithm }) });
  const { from, to, destination } = sidesOf(parsed.positionals);
  const dryRun = options["dry-run"] === true;
  if (options.delete === true && !dryRun) {
    const name = shownLocation(destination);
    const act = `what the source does not have will be removed from ${name}`;
    await confirm({ act, name, yes: options.yes === true });
  }
  const { customerKey } = settings;
  const readKey =
    customerKeyOf(options["sse-c-source-key"]) ??
    (from.kind === "remote" && to.kind === "remote" ? undefined : customerKey);
  const run: SyncRun = {
    from,
    to,
    takes: pathFilter(pathRules(parsed.given)),
    byChecksum: options.checksum === true,
    removes: options.delete === true,
    how: {
      settings,
      versionId: undefined,
      moves: false,
      dryRun,
      follow: options.follow === true,
    },
  };
  return withSession({ options, bars: true, customerKey: readKey }, (session) =>
    runSync(session, run),
  );
}

interface SyncRun {
  readonly from: SyncSide;
  readonly to: SyncSide;
  readonly takes: (name: string) => boolean;
  readonly byChecksum: boolean;
  readonly removes: boolean;
  readonly how: Parameters<typeof runTransfer>[1]["how"];
}

function sidesOf(positionals: readonly string[]): {
  readonly from: SyncSide;
  readonly to: SyncSide;
  readonly destination: Location;
} {
  const { sources, destination } = parseTransfer(positionals, existsSync);
  const [source, ...others] = sources;
  if (source === undefined || others.length > 0) {
    throw new UsageError("sync takes one source and one destination");
  }
  if (source.kind === "local" && destination.kind === "local") {
    throw new UsageError("one of the two must be in a bucket: write s3://BUCKET/PREFIX");
  }
  const [from, to] = [sideOf(source), sideOf(destination)];
  if (from.kind === "local" && !existsSync(from.path)) {
    const text = `${shownLocation(source)}: no such folder`;
    throw new CommandError(ExitCode.NOT_FOUND, "not-found", text);
  }
  for (const side of [from, to]) {
    if (side.kind !== "local" || !existsSync(side.path)) continue;
    if (!statSync(side.path).isDirectory()) throw new UsageError(`${side.path} is no folder`);
  }
  checkApart(from, to);
  return { from, to, destination };
}

function sideOf(location: Location): SyncSide {
  if (location.kind === "stream") throw new UsageError("sync takes folders, not -");
  if (location.kind === "local") return { kind: "local", path: location.path };
  return { kind: "remote", bucket: location.bucket, prefix: folderPrefix(location.key) };
}

/** A prefix inside the other would be read while it is written. */
function checkApart(from: SyncSide, to: SyncSide): void {
  if (from.kind !== "remote" || to.kind !== "remote" || from.bucket !== to.bucket) return;
  if (!from.prefix.startsWith(to.prefix) && !to.prefix.startsWith(from.prefix)) return;
  throw new UsageError("source and destination lie within each other");
}

async function runSync(session: Session, run: SyncRun): Promise<number> {
  const { context, report, output } = session;
  const extras: SyncEntry[] = [];
  let unread = 0;
  let same = 0;
  const onProblem = (location: Location, reason: string): void => {
    unread += 1;
    const text = `${shownLocation(location)}: passed over: ${reason}`;
    report.fail(new CommandError(ExitCode.FAILED, "refused", text), locationText(location));
  };
  const steps = syncSteps(
    entriesOf(context, { side: run.from, run, onProblem }),
    entriesOf(context, { side: run.to, run, onProblem }),
  );
  await report.listing(() =>
    runLanes(steps, context.jobs, async (step) => {
      if (step.kind === "extra") {
        if (run.removes) extras.push(step.target);
        return;
      }
      try {
        if (await isNeedless(context, step, run)) same += 1;
        else await runStep(session, planStep(step.source, run), run);
      } catch (error) {
        if (context.signal.aborted) throw error;
        report.fail(error, placeText(run.from, step.source));
      }
    }),
  );
  const changed = report.done;
  if (unread === 0) await removeExtras(session, extras, run);
  else if (extras.length > 0) {
    const text = `nothing was removed: ${counted(unread, "thing")} could not be read`;
    report.fail(new CommandError(ExitCode.FAILED, "incomplete", text), "--delete");
  }
  const removed = report.done - changed;
  const exitCode = report.finish(false);
  output.event({ event: "summary", copied: changed, same, removed });
  output.say(`${changed} copied, ${same} the same, ${removed} removed`);
  return exitCode;
}

function placeText(side: SyncSide, { place }: SyncEntry): string {
  if (side.kind === "local") return place;
  return locationText({ kind: "remote", bucket: side.bucket, key: place });
}

async function isNeedless(
  context: ObjectContext,
  step: Exclude<SyncStep, { kind: "extra" }>,
  { from, to, byChecksum }: SyncRun,
): Promise<boolean> {
  if (step.kind === "new") return false;
  return isSame(context, step, { from, to, byChecksum });
}

function planStep(source: SyncEntry, { from, to }: SyncRun): Planned {
  if (from.kind === "local") {
    if (to.kind === "local") throw new UsageError("one of the two must be in a bucket");
    const target = {
      kind: "remote",
      bucket: to.bucket,
      key: `${to.prefix}${source.name}`,
    } as const;
    return planned(
      { kind: "upload", source: { kind: "local", path: source.place }, target },
      source.bytes,
    );
  }
  const location = { kind: "remote", bucket: from.bucket, key: source.place } as const;
  if (to.kind === "local") {
    const { name: relative, bytes } = source;
    return planDownload(location, { folder: to.path, relative, bytes });
  }
  const target = { kind: "remote", bucket: to.bucket, key: `${to.prefix}${source.name}` } as const;
  return planned({ kind: "copy", source: location, target }, source.bytes);
}

async function runStep(
  { context, report }: Session,
  item: Planned,
  { how }: SyncRun,
): Promise<void> {
  if (item.kind === "problem") throw item.error;
  context.progress.expect(item.bytes);
  await runTransfer(context, { transfer: item.transfer, how, report });
}

/** What a side has, in order; on a local side only what downloads could have made. */
async function* entriesOf(
  context: ObjectContext,
  given: {
    readonly side: SyncSide;
    readonly run: SyncRun;
    readonly onProblem: (location: Location, reason: string) => void;
  },
): AsyncGenerator<SyncEntry> {
  const { side, run, onProblem } = given;
  if (side.kind === "remote") {
    const { bucket, prefix } = side;
    for await (const entry of listObjects(context, { bucket, key: prefix })) {
      const name = entry.key.slice(prefix.length);
      if (entry.kind !== "object" || name === "" || !run.takes(name)) continue;
      const { bytes, modified, etag, key: place } = entry;
      const isDownload = run.to.kind === "local";
      const fits = isDownload ? downloadName(name, bytes) : undefined;
      // Markers of folders have no file to be compared with.
      if (fits?.kind === "folder") continue;
      if (fits?.kind === "refused") {
        onProblem({ kind: "remote", bucket, key: place }, `refused: ${fits.reason}`);
        continue;
      }
      yield { name, bytes, modifiedMs: modified?.getTime(), etag, place };
    }
    return;
  }
  if (!existsSync(side.path)) return;
  const { follow } = run.how;
  for await (const found of walkFolder(side.path, { follow, leaveOut: isPartName })) {
    if (found.kind === "problem") {
      onProblem({ kind: "local", path: found.path }, found.reason);
    } else if (run.takes(found.name)) {
      const { name, bytes, modifiedMs, path: place } = found;
      yield { name, bytes, modifiedMs, etag: undefined, place };
    }
  }
}

async function removeExtras(
  { context, report }: Session,
  extras: readonly SyncEntry[],
  { to, how }: SyncRun,
): Promise<void> {
  const { dryRun } = how;
  if (to.kind === "remote") {
    const removals = (async function* each(): AsyncGenerator<Removal> {
      for (const { place } of extras) yield { key: place, versionId: undefined };
    })();
    await removeAll(context, removals, { bucket: to.bucket, report, dryRun });
    return;
  }
  for (const { place } of extras) {
    const name = shownLocation({ kind: "local", path: place });
    try {
      if (!dryRun) await about(place, () => rm(place));
      const event = dryRun ? "would-remove" : "removed";
      report.tell({ event, path: place }, `${dryRun ? "would remove" : "removed"} ${name}`);
    } catch (error) {
      report.fail(error, place);
    }
  }
}
