// For whoever looks for what is wrong: checks of the cluster as this gateway sees it, and a bundle
// of what a helper would ask for. Nothing in either is secret: no keys, no documents, no names of
// users or objects.
import { toStoreError } from "../../../lib/base/errors.ts";
import { formatIsoDate } from "../../../lib/s3/http-date.ts";
import { json } from "../admin-answer.ts";
import type { AdminDependencies } from "../admin-dependencies.ts";
import type { AdminOperation } from "../admin-operation.ts";
import { statusOf } from "../cluster/cluster-operations.ts";
import { checksOf } from "./checks.ts";

export const SUPPORT_OPERATIONS: readonly AdminOperation[] = [
  {
    name: "Doctor",
    method: "GET",
    path: "/doctor",
    summary: "Checks: cluster, clocks, versions, disks, metadata, this gateway; what to do.",
    admission: { action: "dolium:Doctor" },
    run: async ({ deps }) => {
      const checks = await checksOf(deps);
      return json({ ok: checks.every(({ verdict }) => verdict !== "fail"), checks });
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
