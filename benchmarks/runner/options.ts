// The command line of the runner.
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { BenchError } from "./bench-error.ts";
import { named } from "./catalogue.ts";
import { type Case, MODES, type Mode } from "./contract.ts";

export const USAGE = `npm run bench -- [options]
  --json             print one JSON object, nothing else (npm adds a banner, unless --silent)
  --quick            the cases that say most, within two minutes
  --only NAME,...    these cases: put|get|head|delete|list|multipart|mixed-SIZE-cN[-open|-degraded]
  --mode MODE        server (one process) or cluster (of processes, 4+2); both when left out
  --endpoint URL     any S3 server, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  --rounds N         floor and store by turns, medians are told (5; with --quick 3)
  --seconds N        of load in a round (3; with --quick 1)
  --payload KIND     unsigned, or signed: the client signs the SHA-256 of each body
  --directories N    of \`dolium server\` (1)
  --folder DIR       for data (the system's folder of temporary files)
  --plots DIR        write latencies and scaling as SVG
  --record FILE      write the document there, as a baseline
  --compare FILE     compare ratios with a baseline: exit code 1 where one is much worse
  --soak SECONDS     one process under a mixed load and 64 MiB reads: memory and event loop, as JSON
  --micro            only the parts, each by its program in benchmarks/micro`;

export interface Options {
  readonly isJson: boolean;
  readonly isQuick: boolean;
  readonly isMicro: boolean;
  readonly only: readonly Case[] | undefined;
  readonly modes: readonly Mode[];
  readonly endpoint: string | undefined;
  readonly rounds: number;
  readonly roundMs: number;
  readonly payload: "unsigned" | "signed";
  readonly directories: number;
  readonly folder: string;
  readonly plots: string | undefined;
  readonly record: string | undefined;
  readonly compare: string | undefined;
  /** Seconds of a soak, instead of cases. */
  readonly soakSeconds: number | undefined;
}

const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean", default: false } as const;

/** Throws BenchError. */
export function parseOptions(args: readonly string[]): Options {
  const values = valuesOf(args);
  const { json, quick, micro, endpoint, only, folder = tmpdir(), plots, record, compare } = values;
  const names = only?.split(",").filter((name) => name !== "");
  if (names?.length === 0) throw new BenchError("--only names no case");
  return {
    isJson: json,
    isQuick: quick,
    isMicro: micro,
    only: names?.map(named),
    modes: modesOf(values.mode, endpoint),
    endpoint,
    rounds: wholeNumber("rounds", values.rounds ?? (quick ? "3" : "5")),
    roundMs: wholeNumber("seconds", values.seconds ?? (quick ? "1" : "3")) * 1000,
    payload: payloadOf(values.payload ?? "unsigned"),
    directories: wholeNumber("directories", values.directories ?? "1"),
    folder,
    plots,
    record,
    compare,
    soakSeconds: values.soak === undefined ? undefined : wholeNumber("soak", values.soak),
  };
}

function valuesOf(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        json: FLAG,
        quick: FLAG,
        micro: FLAG,
        only: TEXT,
        mode: TEXT,
        endpoint: TEXT,
        rounds: TEXT,
        seconds: TEXT,
        payload: TEXT,
        directories: TEXT,
        folder: TEXT,
        plots: TEXT,
        record: TEXT,
        compare: TEXT,
        soak: TEXT,
      },
    });
    return values;
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error));
  }
}

function modesOf(mode: string | undefined, endpoint: string | undefined): Mode[] {
  if (endpoint !== undefined) {
    if (mode === undefined) return ["endpoint"];
    throw new BenchError("give --mode or --endpoint, not both");
  }
  if (mode === undefined) return ["server", "cluster"];
  const found = MODES.find((known) => known === mode && known !== "endpoint");
  if (found === undefined) throw new BenchError("--mode is server or cluster");
  return [found];
}

function payloadOf(text: string): "unsigned" | "signed" {
  if (text === "unsigned" || text === "signed") return text;
  throw new BenchError("--payload is unsigned or signed");
}

const NUMBER_MAX = 3600;

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (/^\d{1,4}$/.test(text) && number >= 1 && number <= NUMBER_MAX) return number;
  throw new BenchError(`--${name} is a number from 1 to ${NUMBER_MAX}`);
}
