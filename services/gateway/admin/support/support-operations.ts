// For whoever looks for what is wrong: checks of the cluster as this gateway sees it, and a bundle
// of what a helper would ask for. Nothing in either is secret: no keys, no documents, no names of
// users or objects.
import { mapBounded } from "../../../lib/base/bounded.ts";
import { toStoreError } from "../../../lib/base/errors.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import type { AdminOperation } from "../admin-operation.ts";
import { mapOf, statusOf } from "../cluster/cluster-operations.ts";

const SLOW_LOOP_MS = 200;
const FULL_SHARE = 0.9;
const SLOW_MS = 1000;

export const SUPPORT_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "Doctor",
    method: "GET",
    path: "/doctor",
    summary: "Checks: cluster, clocks, versions, disks, this gateway; each with what to do.",
    admission: { action: "dolium:Doctor" },
    run: async ({ deps }) => {
      const checks = await checksOf(deps);
      return json({ ok: checks.every(({ ok }) => ok), checks });
    },
  },
  {
    name: "SupportBundle",
    method: "GET",
    path: "/support-bundle",
    summary: "What a helper asks for, one JSON object a line, without secrets.",
    admission: { action: "dolium:SupportBundle" },
    run: async ({ deps }) => ({
      status: 200,
      headers: [["Content-Disposition", 'attachment; filename="dolium-support.ndjson"']],
      body: { kind: "lines", values: bundle(deps) },
    }),
  },
];

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly finding: string;
}

async function checksOf(deps: AdminDependencies): Promise<readonly Check[]> {
  const checks = [clusterCheck, versionCheck, diskCheck, metadataCheck, directoryCheck];
  const results = await mapBounded(checks, checks.length, async (check) => {
    try {
      return await check(deps);
    } catch (error) {
      const finding = `could not be asked: ${toStoreError(error).message}`;
      return [{ name: check.name.replace("Check", ""), ok: false, finding }];
    }
  });
  return [...results.flat(), loopCheck(deps), sealingCheck(deps)];
}

async function clusterCheck(deps: AdminDependencies): Promise<Check[]> {
  const { healthy, summary, problems } = await statusOf(deps);
  const all = problems.map((problem) => ({ name: "cluster", ok: false, finding: problem }));
  return healthy ? [{ name: "cluster", ok: true, finding: summary }] : all;
}

async function versionCheck({ metadata, version }: AdminDependencies): Promise<Check[]> {
  const { processes } = await metadata.clusterStatus();
  const versions = new Set([version, ...processes.map((one) => one.version)].filter(Boolean));
  const finding =
    versions.size === 1
      ? `all run ${version}`
      : `several versions run: ${[...versions].join(", ")}`;
  return [{ name: "versions", ok: versions.size === 1, finding }];
}

async function diskCheck({ metadata }: AdminDependencies): Promise<Check[]> {
  const { disks } = await metadata.clusterStatus();
  const full = disks.filter(
    ({ sizeBytes, freeBytes }) =>
      sizeBytes > 0n && Number(freeBytes) < Number(sizeBytes) * (1 - FULL_SHARE),
  );
  if (full.length === 0) {
    return [{ name: "disks", ok: true, finding: `${disks.length} disks have room` }];
  }
  return full.map(({ diskId }) => ({
    name: "disks",
    ok: false,
    finding: `disk ${diskId} is nearly full: add disks or nodes, or delete`,
  }));
}

/** The time of a round trip through the root group bounds how far clocks can be told apart. */
async function metadataCheck(deps: AdminDependencies): Promise<Check[]> {
  const before = deps.clock.monotonicMs();
  await mapOf(deps);
  const ms = Math.round(deps.clock.monotonicMs() - before);
  const ok = ms < SLOW_MS;
  return [{ name: "metadata", ok, finding: `the root group answers in ${ms} ms` }];
}

async function directoryCheck({ directory }: AdminDependencies): Promise<Check[]> {
  const { revision } = await directory.refresh();
  return [{ name: "directory", ok: true, finding: `users are known as of revision ${revision}` }];
}

function loopCheck({ live }: AdminDependencies): Check {
  const lags = live
    .after(0)
    .slice(-60)
    .map(({ eventLoopLagMs }) => eventLoopLagMs);
  const worst = Math.max(0, ...lags);
  const ok = worst < SLOW_LOOP_MS;
  return { name: "event loop", ok, finding: `at most ${worst} ms late in the last minute` };
}

function sealingCheck({ sealingKeys }: AdminDependencies): Check {
  const ok = sealingKeys.current !== undefined;
  const finding = ok
    ? "a cluster key is configured"
    : "no cluster key (encryption.clusterKey): no access keys of users, no sessions, no SSE-S3";
  return { name: "cluster key", ok, finding };
}

async function* bundle(deps: AdminDependencies): AsyncGenerator<unknown> {
  const { name, version, clock } = deps;
  yield { part: "about", gateway: name, version, time: formatIsoDate(clock.wallMs()) };
  for (const [part, make] of [
    ["doctor", () => checksOf(deps)],
    ["cluster", () => statusOf(deps)],
    ["processes", () => processesOf(deps)],
    ["live", async () => deps.live.after(0).slice(-60)],
    ["events", async () => eventKinds(deps)],
    ["settings", async () => deps.gateway.settings],
    ["counts", () => countsOf(deps)],
  ] as const) {
    try {
      yield { part, value: await make() };
    } catch (error) {
      yield { part, failure: toStoreError(error).message };
    }
  }
}

async function processesOf({ metadata }: AdminDependencies): Promise<unknown> {
  const { processes } = await metadata.clusterStatus();
  return processes.map(({ role, name, version, lastHeardMsAgo }) => ({
    role,
    name,
    version,
    lastHeardMsAgo: Number(lastHeardMsAgo),
  }));
}

/** Kinds and times only: messages name users and buckets. */
function eventKinds({ events }: AdminDependencies): unknown {
  return events
    .newest(200)
    .map(({ sequence, timeMs, kind }) => ({ sequence, time: formatIsoDate(timeMs), kind }));
}

async function countsOf({ directory }: AdminDependencies): Promise<unknown> {
  const view = await directory.view();
  return {
    users: [...view.users()].length,
    groups: [...view.groups()].length,
    policies: [...view.policies()].length,
    roles: [...view.roles()].length,
  };
}
