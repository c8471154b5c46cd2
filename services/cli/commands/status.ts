// `dolium status`: how a running cluster is, in a sentence, a table or JSON. Exit code 0 when
// healthy, 1 when degraded, 5 when nothing answers.
import { resolve } from "node:path";
import process from "node:process";
import { gatherReport } from "../../lib/clients/cluster-report.ts";
import { describeCluster, type StatusView } from "../../lib/clients/cluster-status.ts";
import { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { VERIFIER_WORDS, VERIFIERS } from "../../lib/clients/verify/verification-report.ts";
import { createClock } from "../../lib/host/clock.ts";
import { createGrpcTransport } from "../../lib/host/grpc-transport.ts";
import { createLog } from "../../lib/host/log.ts";
import { createRandom } from "../../lib/host/random.ts";
import { command, UsageError } from "../command-line.ts";
import { clusterSecretFile, clusterSecretOf } from "../credentials.ts";
import { readPlan } from "../dev/cluster-file.ts";

const UNAVAILABLE = 5;

export const statusCommand = command({
  name: "status",
  summary: "Show nodes, states, groups and leaders, shards owed, and what may fail now.",
  positionals: "",
  options: {
    data: { kind: "text", value: "DIR", help: "data directory (DOLIUM_DATA, else ./data)" },
    json: { kind: "flag", help: "print one JSON object" },
  },
  run: async ({ options }) => {
    const dataDir = resolve(options.data ?? process.env.DOLIUM_DATA ?? "data");
    const plan = readPlan(dataDir);
    if (plan === undefined) {
      throw new UsageError(`${dataDir} holds no cluster: name its data directory with --data`);
    }
    const addresses = plan.processes
      .filter((planned) => planned.role === "metadata")
      .map((planned) => `127.0.0.1:${planned.rpcPort}`);
    const clusterSecret = clusterSecretOf(clusterSecretFile(dataDir));
    const transport = createGrpcTransport({ clusterSecret });
    const ports = {
      transport,
      clock: createClock(),
      random: createRandom(),
      log: createLog({ level: "silent" }),
    };
    const metadata = new MetadataClient(ports, { addresses });
    try {
      const report = await gatherReport(transport, metadata, addresses);
      const view = describeCluster(report);
      process.stdout.write(options.json === true ? `${JSON.stringify(view)}\n` : table(view));
      const silent = report.replicas.every((replica) => replica.status === undefined);
      if (options.json === true) return 0;
      return silent ? UNAVAILABLE : view.healthy ? 0 : 1;
    } finally {
      await transport.close();
    }
  },
});

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
