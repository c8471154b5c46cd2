// One run: clients work, nemeses come one after the other as a seed says, the cluster becomes whole
// again after each; at the end everything that was acknowledged is read, and the history is judged.
import { join } from "node:path";
import { seededRandom } from "../support/seeded-bytes.ts";
import type { ChaosCluster } from "./chaos-cluster.ts";
import { type Gaps, gapsIn, type Judgement, judge } from "./judge.ts";
import { CLOCK_NEMESES } from "./nemeses/clocks.ts";
import { DISK_NEMESES } from "./nemeses/disks.ts";
import { type NemesisKind, pick } from "./nemeses/nemesis.ts";
import { NETWORK_NEMESES } from "./nemeses/network.ts";
import { PROCESS_NEMESES } from "./nemeses/processes.ts";
import { Recorder } from "./recorder.ts";
import { Workload } from "./workload.ts";

export const NEMESES: readonly NemesisKind[] = [
  ...PROCESS_NEMESES,
  ...NETWORK_NEMESES,
  ...DISK_NEMESES,
  ...CLOCK_NEMESES,
];

export interface RoundOptions {
  readonly cluster: ChaosCluster;
  readonly dataDir: string;
  readonly seed: number;
  readonly seconds: number;
  /** Names of nemeses, or beginnings of names; all when empty. */
  readonly nemeses: readonly string[];
  readonly clients: number;
  readonly pauseMs: number;
  /** How long each strike lasts, from ... to ...; each nemesis has its own when left out. */
  readonly lastsMs?: readonly [number, number];
  /** Many strikes: short rests, and after harm that spares shards no wait for every digest. */
  readonly brisk?: boolean;
  readonly say: (text: string) => void;
  /** Ends the run early. */
  readonly signal: AbortSignal;
}

export interface Strike extends Gaps {
  readonly name: string;
  readonly text: string;
  readonly lastedMs: number;
  readonly flips: number;
  /** From its end until every process, shard and replica was well again. */
  readonly wholeMs: number;
}

export interface Result {
  readonly operations: number;
  readonly strikes: readonly Strike[];
  readonly judgement: Judgement;
  readonly problems: readonly string[];
  readonly versions: number;
  readonly answers: ReadonlyMap<string, number>;
  readonly isGood: boolean;
}

const WHOLE_MS = 400_000;
const AFTER_MS = 10_000;
const CALM_MS = 2000;
const BRISK_CALM_MS = 500;

export async function runRound(options: RoundOptions): Promise<Result> {
  const { cluster, dataDir, seed, say } = options;
  const recorder = new Recorder(join(dataDir, "history.ndjson"));
  const workload = new Workload({
    endpoints: cluster.endpoints(),
    clients: options.clients,
    random: seededRandom(seed + 1),
    recorder,
    pauseMs: options.pauseMs,
  });
  const strikes: Strike[] = [];
  let versions = 0;
  try {
    await workload.prepare();
    workload.start();
    try {
      await strikeOn(options, recorder, strikes);
    } catch (error) {
      recorder.problem(`run: ${textOf(error)}`);
    }
    await workload.stop();
    say("census");
    await whole(cluster, recorder, { when: "at the end", isQuick: false });
    await workload.readAll();
    versions = await workload.readVersions();
    await checkDigests(cluster, recorder);
  } finally {
    await workload.stop();
    workload.close();
    await recorder.close();
  }
  say(`judging ${recorder.history.length} operations`);
  const judgement = await judge(recorder.history);
  const { problems, answers } = recorder;
  const isGood =
    problems.length === 0 &&
    judgement.problems.length === 0 &&
    judgement.violations.length === 0 &&
    judgement.unknown.length === 0;
  const operations = recorder.history.length;
  return { operations, strikes, judgement, problems, versions, answers, isGood };
}

async function strikeOn(
  options: RoundOptions,
  recorder: Recorder,
  strikes: Strike[],
): Promise<void> {
  const { cluster, seconds, say, signal, brisk = false } = options;
  const calmMs = brisk ? BRISK_CALM_MS : CALM_MS;
  const random = seededRandom(options.seed);
  const kinds = await usable(options);
  const endsAt = performance.now() + seconds * 1000;
  await rest(CALM_MS, signal);
  while (performance.now() < endsAt && !signal.aborted) {
    const kind = pick(random, kinds);
    const nemesis = await kind.draw({ cluster, random });
    const [least, most] = options.lastsMs ?? kind.lastsMs;
    const lastsMs = least + random() * (most - least);
    say(`${kind.name}: ${nemesis.text}, for ${Math.round(lastsMs / 100) / 10} s`);
    const from = performance.now();
    try {
      await nemesis.start();
      await rest(lastsMs, signal);
    } catch (error) {
      recorder.problem(`${kind.name}: ${textOf(error)}`);
    }
    const stoppingAt = performance.now();
    await nemesis.stop();
    const isQuick = brisk && kind.sparesShards === true;
    await whole(cluster, recorder, { when: `after ${kind.name}`, isQuick });
    const wholeMs = Math.round(performance.now() - stoppingAt);
    await rest(calmMs + random() * calmMs, signal);
    const to = Math.min(performance.now(), stoppingAt + AFTER_MS);
    const gaps = gapsIn(recorder.history, { from, to });
    const flips = nemesis.flips?.() ?? 0;
    const strike = { name: kind.name, text: nemesis.text, wholeMs, flips, ...gaps };
    strikes.push({ ...strike, lastedMs: Math.round(stoppingAt - from) });
    say(`  writes back in ${gaps.writeMs} ms, reads in ${gaps.readMs} ms, whole in ${wholeMs} ms`);
  }
}

async function usable({ cluster, nemeses, say }: RoundOptions): Promise<NemesisKind[]> {
  const unknown = nemeses.filter((start) => !NEMESES.some(({ name }) => name.startsWith(start)));
  if (unknown.length > 0) {
    const known = NEMESES.map(({ name }) => name).join(", ");
    throw new Error(`no nemesis is named ${unknown.join(", ")}; there are ${known}`);
  }
  const wanted = NEMESES.filter(
    ({ name }) => nemeses.length === 0 || nemeses.some((start) => name.startsWith(start)),
  );
  const kinds: NemesisKind[] = [];
  for (const kind of wanted) {
    const missing = await kind.missing(cluster);
    if (missing === undefined) kinds.push(kind);
    else say(`without ${kind.name}: ${missing}`);
  }
  if (kinds.length === 0) throw new Error("no nemesis that is wanted can be made here");
  return kinds;
}

async function whole(
  cluster: ChaosCluster,
  recorder: Recorder,
  { when, isQuick }: { readonly when: string; readonly isQuick: boolean },
): Promise<void> {
  try {
    if (isQuick) await cluster.untilServing(WHOLE_MS);
    else await cluster.untilWhole(WHOLE_MS);
  } catch (error) {
    recorder.problem(`not whole ${when}: ${textOf(error)}`);
  }
}

/** Replicas that stand at the same marked index have the same digest there. */
async function checkDigests(cluster: ChaosCluster, recorder: Recorder): Promise<void> {
  const { groups } = await cluster.status();
  for (const { groupId, replicas } of groups) {
    const digests = new Map<number, string>();
    for (const { name, digestIndex, digest } of replicas) {
      const other = digests.get(digestIndex) ?? digest;
      digests.set(digestIndex, other);
      if (other !== digest) {
        recorder.problem(`group ${groupId}: ${name} has another digest at ${digestIndex}`);
      }
    }
  }
}

/** Shorter when the run is ended early. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) resolve();
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${textOf(error.cause)}`;
}
