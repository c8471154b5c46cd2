// `dolium cp` and `dolium mv`: plans what has to move and moves so many at a time. One failure does
// not stop the others; they are listed at the end.
import { existsSync } from "node:fs";
import type { CommandArguments, OptionTable } from "../../command-line.ts";
import { UsageError } from "../../command-line.ts";
import { pathRules } from "../commands.ts";
import { readAhead, runLanes } from "../lanes.ts";
import { locationText, parseTransfer } from "../location.ts";
import { pathFilter } from "../path-filter.ts";
import { runTransfer, type TransferHow } from "../run-transfer.ts";
import { type Session, type SessionOptions, withSession } from "../session.ts";
import { customerKeyOf, type StoreOptions, storeSettings } from "../store-settings.ts";
import { checkRequest, type Planned, planTransfers } from "../transfer-plan.ts";

interface TransferOptions extends SessionOptions, StoreOptions {
  readonly recursive?: boolean;
  readonly "dry-run"?: boolean;
  readonly "version-id"?: string;
  readonly follow?: boolean;
  readonly checksum?: string;
  readonly "sse-c-source-key"?: string;
}

export async function transfer(
  parsed: Pick<CommandArguments<OptionTable>, "positionals" | "given"> & {
    readonly options: TransferOptions;
  },
  moves: boolean,
): Promise<number> {
  const { options, positionals, given } = parsed;
  const { checksum } = options;
  const settings = storeSettings({
    ...options,
    ...(checksum === undefined ? {} : { algorithm: checksum }),
  });
  const { sources, destination } = parseTransfer(positionals, existsSync);
  const request = {
    sources,
    destination,
    recursive: options.recursive === true,
    follow: options.follow === true,
    filter: pathFilter(pathRules(given)),
  };
  checkRequest(request);
  const how: TransferHow = {
    settings,
    versionId: options["version-id"],
    moves,
    dryRun: options["dry-run"] === true,
    follow: request.follow,
  };
  const isSingle = sources.length === 1 && !request.recursive;
  if (how.versionId !== undefined && (!isSingle || moves)) {
    throw new UsageError("--version-id needs one source, and mv takes the current version only");
  }
  const { customerKey } = settings;
  const toServer = destination.kind === "remote";
  const readKey =
    customerKeyOf(options["sse-c-source-key"]) ?? (toServer ? undefined : customerKey);
  return withSession({ options, bars: true, customerKey: readKey }, async (session) => {
    const plan = planTransfers(session.context, request);
    await session.report.listing(() => runPlanned(session, plan, how));
    return session.report.finish(isSingle);
  });
}

/** How far planning may run ahead of moving. */
const PLANNED_MAX = 10_000;

/** Throws only what ends everything. */
export async function runPlanned(
  { context, report }: Session,
  plan: AsyncIterable<Planned>,
  how: TransferHow,
): Promise<void> {
  const ahead = readAhead(plan, PLANNED_MAX, (item) => {
    if (item.kind === "transfer") context.progress.expect(item.bytes);
  });
  await runLanes(ahead, context.jobs, async (item) => {
    if (item.kind === "problem") {
      report.fail(item.error, locationText(item.source));
      return;
    }
    try {
      await runTransfer(context, { transfer: item.transfer, how, report });
    } catch (error) {
      if (context.signal.aborted || error instanceof UsageError) throw error;
      report.fail(error, locationText(item.transfer.source));
    }
  });
}
