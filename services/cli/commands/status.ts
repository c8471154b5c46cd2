// `dolium status`: how a running cluster is, in a sentence, a table or JSON; once, or again and
// again. Asks the metadata replicas of a local cluster, else the admin API. Exit code 0 when
// healthy, 1 when degraded, 5 when nothing answers.
import { resolve } from "node:path";
import process from "node:process";
import { gatherReport } from "../../lib/clients/cluster-report.ts";
import { describeCluster, type StatusView } from "../../lib/clients/cluster-status.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { VERIFIER_WORDS, VERIFIERS } from "../../lib/clients/verify/verification-report.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createLog } from "../../lib/host/log.ts";
import { createRandom } from "../../lib/host/random.ts";
import { AdminClient } from "../admin-client/admin-client.ts";
import { adminConnection } from "../admin-client/connection.ts";
import { command, UsageError } from "../command-line.ts";
import { type ClusterPlan, readPlan } from "../dev/cluster-file.ts";
import { ExitCode } from "../exit-code.ts";
import { openTransport, planPlace } from "../metadata-access.ts";
import { interrupted } from "../stop-signal.ts";

const WATCH_MS = 2000;
/** Cursor to the corner, the rest of the screen empty (ECMA-48). */
const CLEAR = "\u001b[H\u001b[J";

export interface StatusSource {
  /** The cluster as it is now; undefined when nothing answers but the data directory is known. */
  readonly look: () => Promise<{ readonly view: StatusView; readonly silent: boolean }>;
  readonly close: () => Promise<void>;
}

interface StatusOptions {
  readonly data?: string;
  readonly "admin-url"?: string;
}

export const statusCommand = command({
  name: "status",
  summary: "Show nodes, states, groups and leaders, shards owed, and what may fail now.",
  positionals: "",
  options: {
    data: { kind: "text", value: "DIR", help: "data directory (DOLIUM_DATA, else ./data)" },
    "admin-url": { kind: "text", value: "URL", help: "admin API (DOLIUM_ADMIN_URL)" },
    watch: { kind: "flag", help: "look again every two seconds until interrupted" },
    json: { kind: "flag", help: "print one JSON object, with --watch one a line" },
  },
  run: async ({ options }) => {
    const source = await statusSource(options);
    const signal = options.watch === true ? interrupted() : undefined;
    const clock = createClock();
    try {
      for (;;) {
        const { view, silent } = await source.look();
        const isScreen = signal !== undefined && process.stdout.isTTY;
        const text = options.json === true ? `${JSON.stringify(view)}\n` : table(view);
        process.stdout.write(isScreen && options.json !== true ? CLEAR + text : text);
        if (signal !== undefined) {
          await clock.sleep(WATCH_MS, signal).catch(() => undefined);
          if (!signal.aborted) continue;
          return ExitCode.OK;
        }
        if (options.json === true) return ExitCode.OK;
        return silent ? ExitCode.UNAVAILABLE : view.healthy ? ExitCode.OK : ExitCode.FAILED;
      }
    } finally {
      await source.close();
    }
  },
});

/** A local cluster where there is one, unless an address is named. Throws UsageError. */
async function statusSource(options: StatusOptions): Promise<StatusSource> {
  const dataDir = resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
  const named = options["admin-url"];
  const plan = named === undefined ? readPlan(dataDir) : undefined;
  if (plan !== undefined) return localStatus(dataDir, plan);
  if ((named ?? process.env.DOLIUM_ADMIN_URL ?? "") === "") {
    throw new UsageError(
      `${dataDir} holds no cluster: name its data directory with --data, or the admin API with --admin-url`,
    );
  }
  const client = new AdminClient(await adminConnection(options, process.env));
  return {
    // Checked boundary: the gateway of this release sends what `describeCluster` gives.
    look: async () => ({
      view: (await client.call("GET", "/cluster")) as StatusView,
      silent: false,
    }),
    close: () => Promise.resolve(),
  };
}

/** Of the local cluster under `dataDir`, from its metadata replicas. */
export function localStatus(dataDir: string, plan: ClusterPlan): StatusSource {
  const { addresses, access } = planPlace(dataDir, plan);
  const transport = openTransport(access);
  const ports = {
    transport,
    clock: createClock(),
    random: createRandom(),
    log: createLog({ level: "silent" }),
  };
  const metadata = new MetadataClient(ports, { addresses });
  return {
    look: async () => {
      const report = await gatherReport(transport, metadata, addresses);
      const silent = report.replicas.every((replica) => replica.status === undefined);
      return { view: describeCluster(report), silent };
    },
    close: () => transport.close(),
  };
}

function table(view: StatusView): string {
  const lines = [view.summary, ""];
  for (const node of view.nodes) {
    lines.push(
      `${node.role.padEnd(9)} ${node.name.padEnd(14)} ${node.state.padEnd(10)} ${node.address}`,
    );
    for (const disk of node.disks ?? []) {
      const free = `${gib(disk.freeBytes)} of ${gib(disk.sizeBytes)} GiB free`;
      lines.push(
        `            disk ${disk.diskId} ${disk.state}, ${disk.shardCount} shards, ${free}`,
      );
    }
  }
  lines.push("");
  for (const group of view.groups) {
    const replicas = group.replicas.map(
      (replica) => `${replica.name} ${replica.role} at ${replica.appliedIndex}`,
    );
    lines.push(
      `group ${group.groupId}: leader ${group.leader || "none"}, term ${group.term}; ${replicas.join(", ")}`,
    );
  }
  const { objects, bytes, shardsOwed, chunksWaitingForRepair, garbageEntries } = view.durability;
  lines.push(
    "",
    `${objects} versions, ${gib(bytes)} GiB; ${shardsOwed} shards owed, ${chunksWaitingForRepair} chunks to repair, ${garbageEntries} garbage records`,
    ...rebalanceLines(view),
    ...view.policies.map((policy) => policy.sentence),
    ...verifiedLines(view),
    ...view.problems.map((problem) => `! ${problem}`),
  );
  return `${lines.join("\n")}\n`;
}

/** "verified 2026-11-20T10:00:00Z: 345 versions read back, 0 not as they were written" */
function verifiedLines({ verified }: StatusView): string[] {
  return VERIFIERS.flatMap((name) => {
    const report = verified[name];
    if (report === undefined) return [];
    const [what, wrong] = VERIFIER_WORDS[name];
    const time = new Date(report.atMs).toISOString().replace(/\.\d+/, "");
    return [`verified ${time}: ${report.looked} ${what}, ${report.problems} ${wrong}`];
  });
}

function rebalanceLines({ rebalance, nodes }: StatusView): string[] {
  const moving = rebalance === null || rebalance.phase === "settled" ? undefined : rebalance;
  return [
    ...nodes.filter(({ drained }) => drained === true).map(({ name }) => `${name} is drained`),
    ...(moving === undefined
      ? []
      : [
          `rebalancing (${moving.phase}): ${moving.remainingShards} shards, ` +
            `${gib(moving.remainingBytes)} GiB to move`,
        ]),
  ];
}

function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}
