// Asks for everything that `dolium doctor` looks at from the side of a gateway. What cannot be
// asked is a failed check of its own, and stops no other.
import { mapBounded } from "../../../lib/base/bounded.ts";
import { isStoreError, toStoreError } from "../../../lib/base/errors.ts";
import { clockOffsetMs, timed } from "../../../lib/clients/clock-offset.ts";
import { MetadataService } from "../../../lib/gen/dolium/metadata/v1/metadata_pb.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import { mapOf, statusOf } from "../cluster/cluster-operations.ts";
import {
  bad,
  type Check,
  certificateChecks,
  clockChecks,
  diskChecks,
  fine,
  type ProcessClock,
  quorumChecks,
  versionCheck,
} from "./verdicts.ts";

const SLOW_LOOP_MS = 200;
const SLOW_MS = 1000;
const ASK_MS = 2000;
const WIDTH = 8;

type Asked = readonly [string, (deps: AdminDependencies) => Promise<Check[]>];

const ASKED: readonly Asked[] = [
  ["cluster", clusterChecks],
  ["processes", processChecks],
  ["root group", rootCheck],
  ["directory", directoryCheck],
];

export async function checksOf(deps: AdminDependencies): Promise<readonly Check[]> {
  const results = await mapBounded(ASKED, ASKED.length, async ([name, ask]) => {
    try {
      return await ask(deps);
    } catch (error) {
      const finding = `could not be asked: ${toStoreError(error).message}`;
      return [bad(name, "fail", { finding, advice: "see `dolium status` and the gateway's log" })];
    }
  });
  const certificates = deps.certificates?.() ?? [];
  const ends = certificateChecks(certificates, deps.clock.wallMs());
  return [...results.flat(), ...ends, loopCheck(deps), sealingCheck(deps)];
}

async function clusterChecks(deps: AdminDependencies): Promise<Check[]> {
  const { healthy, summary, problems, nodes, groups } = await statusOf(deps);
  const advice = "see `dolium status` and `dolium node list`";
  const wrong = problems.map((finding) => bad("cluster", "fail", { finding, advice }));
  const silent = nodes.flatMap(({ role, state, name }) =>
    role === "metadata" && state.startsWith("no answer") ? [name] : [],
  );
  return [
    ...(healthy ? [fine("cluster", summary)] : wrong),
    ...quorumChecks(groups, silent),
    ...diskChecks(nodes),
  ];
}

async function processChecks(deps: AdminDependencies): Promise<Check[]> {
  const { metadata, version, clock } = deps;
  const asked = await timed(clock, () => metadata.clusterStatus());
  const { processes, wallMs } = asked.answer;
  const ownOffsetMs = Math.round(-(clockOffsetMs(wallMs, asked) ?? 0));
  const versions = [version, ...processes.map((one) => one.version)];
  const clocks = [...processes, ...(await replicaClocks(deps, ownOffsetMs))];
  return [...clockChecks(clocks, ownOffsetMs), versionCheck(versions)];
}

/** Metadata replicas report to nobody: they are asked. `quorumChecks` tells of silent ones. */
async function replicaClocks(
  { transport, replicas, clock }: AdminDependencies,
  ownOffsetMs: number,
): Promise<readonly ProcessClock[]> {
  const { replicaStatus } = MetadataService.method;
  const clocks = await mapBounded(replicas, WIDTH, async (address) => {
    try {
      const channel = transport.channel(address);
      const asked = await timed(clock, () =>
        channel.unary(replicaStatus, {}, { deadlineMs: ASK_MS }),
      );
      const { name, wallMs } = asked.answer;
      const offsetMs = clockOffsetMs(wallMs, asked);
      if (offsetMs === undefined) return [];
      return [
        { role: "metadata", name, clockOffsetMs: BigInt(Math.round(offsetMs + ownOffsetMs)) },
      ];
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return [];
    }
  });
  return clocks.flat();
}

async function rootCheck(deps: AdminDependencies): Promise<Check[]> {
  const before = deps.clock.monotonicMs();
  await mapOf(deps);
  const ms = Math.round(deps.clock.monotonicMs() - before);
  const finding = `the root group answers in ${ms} ms`;
  if (ms < SLOW_MS) return [fine("root group", finding)];
  const advice = "look at the disks and processors of the metadata replicas";
  return [bad("root group", "warn", { finding, advice })];
}

async function directoryCheck({ directory }: AdminDependencies): Promise<Check[]> {
  const { revision } = await directory.refresh();
  return [fine("directory", `users are known as of revision ${revision}`)];
}

function loopCheck({ live }: AdminDependencies): Check {
  const lags = live
    .after(0)
    .slice(-60)
    .map(({ eventLoopLagMs }) => eventLoopLagMs);
  const worst = Math.max(0, ...lags);
  const finding = `at most ${worst} ms late in the last minute`;
  if (worst < SLOW_LOOP_MS) return fine("event loop", finding);
  const advice = "this gateway is short of processor time: give it more, or add gateways";
  return bad("event loop", "warn", { finding, advice });
}

function sealingCheck({ sealingKeys }: AdminDependencies): Check {
  if (sealingKeys.current !== undefined) return fine("cluster key", "a cluster key is configured");
  const finding = "no cluster key: no access keys of users, no sessions, no SSE-S3";
  return bad("cluster key", "warn", { finding, advice: "set encryption.clusterKey" });
}
