// Runs one verb: opens the connection, hears Ctrl-C, shows progress, and closes everything in
// reverse order. Ctrl-C ends requests at once and says how to go on; a second one ends the process.
import process from "node:process";
import { loadChecksums } from "../../lib/s3/checksums.ts";
import { type OptionTable, OUTPUT_OPTIONS } from "../command-line.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { createOutput, type Output } from "../output.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  openConnection,
  planConnection,
} from "./connection.ts";
import { codeOf } from "./failure.ts";
import type { CustomerKey, ObjectContext } from "./object-context.ts";
import { COPY_LIMITS, checkPartBytes, PART_BYTES_DEFAULT } from "./part-plan.ts";
import { createProgress } from "./progress.ts";
import { parseSize } from "./quantities.ts";
import { Report } from "./report.ts";
import { stateFolder } from "./transfer-state.ts";

/** What every object verb understands. */
export const SESSION_OPTIONS = {
  ...CONNECTION_OPTIONS,
  ...OUTPUT_OPTIONS,
} as const satisfies OptionTable;

export const WIDTH_OPTIONS = {
  jobs: { kind: "number", value: "N", minimum: 1, maximum: 64, help: "files at a time (4)" },
  "part-jobs": {
    kind: "number",
    value: "N",
    minimum: 1,
    maximum: 64,
    help: "parts of a file at a time (4)",
  },
  "part-size": { kind: "text", value: "SIZE", help: "size of a part (8MiB)" },
} as const satisfies OptionTable;

export interface SessionOptions extends ConnectionOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly jobs?: number;
  readonly "part-jobs"?: number;
  readonly "part-size"?: string;
}

export interface SessionSetup {
  readonly options: SessionOptions;
  /** Bars, where people look. */
  readonly bars?: boolean;
  readonly customerKey?: CustomerKey | undefined;
}

export interface Session {
  readonly context: ObjectContext;
  readonly output: Output;
  readonly report: Report;
}

const JOBS_DEFAULT = 4;
const INTERRUPTED =
  "interrupted; what is done is done, and the same command goes on where it stopped";

/** Resolves with the exit code of `work`. */
export async function withSession(
  { options, bars = false, customerKey }: SessionSetup,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const output = createOutput(options.json === true, options.quiet === true);
  const { "part-size": partSize } = options;
  const partBytes =
    partSize === undefined ? PART_BYTES_DEFAULT : checkPartBytes(parseSize("part-size", partSize));
  const plan = planConnection(options, process.env);
  const connection = await openConnection(plan, process.env);
  const interruption = listenForInterrupt();
  const showsBars = bars && options.json !== true && options.quiet !== true;
  const progress = createProgress(showsBars, (line) => output.say(line));
  const context: ObjectContext = {
    s3: connection.s3,
    connection,
    checksums: await loadChecksums(),
    stateDir: stateFolder(process.env),
    signal: interruption.signal,
    progress,
    jobs: options.jobs ?? JOBS_DEFAULT,
    partJobs: options["part-jobs"] ?? JOBS_DEFAULT,
    partBytes,
    copyLimits: COPY_LIMITS,
    customerKey,
  };
  try {
    const exitCode = await work({ context, output, report: new Report(output, progress) });
    if (interruption.signal.aborted) throw interrupted();
    return exitCode;
  } catch (error) {
    if (interruption.signal.aborted) throw interrupted(error);
    if (codeOf(error) === "EPIPE") return ExitCode.FAILED;
    throw error;
  } finally {
    progress.close();
    interruption.close();
    connection.s3.destroy();
  }
}

function interrupted(cause?: unknown): CommandError {
  return new CommandError(ExitCode.FAILED, "interrupted", INTERRUPTED, { cause });
}

function listenForInterrupt(): { readonly signal: AbortSignal; readonly close: () => void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(ExitCode.FAILED);
    controller.abort();
  };
  // Whoever read our output has gone: nothing more can be told, and nobody asks. That may show
  // only after the verb has ended.
  const brokenPipe = (error: Error & { code?: string }): void => {
    if (error.code === "EPIPE") process.exit(ExitCode.FAILED);
    throw error;
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.stdout.on("error", brokenPipe);
  return {
    signal: controller.signal,
    close: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}
