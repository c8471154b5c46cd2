// What the consensus core costs, in CPU of all three replicas of a group, without disk and network:
// every Ready counts as durable at once, every message is delivered at once. `node
// benchmarks/micro/raft-core.ts [command bytes] [wasm file]`.
import { readFileSync } from "node:fs";
import process from "node:process";
import {
  compileRaftCore,
  createRaftCore,
  type RaftCore,
  type RaftCoreModule,
} from "../../services/lib/raft/core.ts";

const NODES = [1, 2, 3];
const ROUND_MS = 1000;
const ROUNDS = 4;
const GROUP = 1;

function open(module: RaftCoreModule): Map<number, RaftCore> {
  const cores = new Map<number, RaftCore>();
  for (const nodeId of NODES) {
    const core = createRaftCore({ seed: BigInt(nodeId), module });
    core.openGroup({
      groupId: GROUP,
      nodeId,
      electionTicks: 10,
      heartbeatTicks: 1,
      hardState: { term: 1, vote: 0, commit: 1 },
      confState: {
        voters: NODES,
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
        autoLeave: false,
      },
      appliedIndex: 1,
      snapshotIndex: 1,
      snapshotTerm: 1,
      lastIndex: 1,
    });
    cores.set(nodeId, core);
  }
  return cores;
}

/** Runs the group until it is quiet. Returns the entries that the first node applied. */
function settle(cores: ReadonlyMap<number, RaftCore>): number {
  let applied = 0;
  for (let busy = true; busy; ) {
    busy = false;
    const inboxes = new Map<number, Uint8Array[]>(NODES.map((id) => [id, []]));
    for (const [id, core] of cores) {
      for (let ready = core.ready(GROUP); ready !== undefined; ready = core.ready(GROUP)) {
        busy = true;
        core.onPersisted(GROUP, ready.number);
        for (const { to, bytes } of ready.messages) inboxes.get(to)?.push(bytes);
        for (const { to, bytes } of ready.persistedMessages) inboxes.get(to)?.push(bytes);
        const last = ready.committedEntries.at(-1);
        if (last !== undefined) core.onApplied(GROUP, last.index);
        if (id === 1) applied += ready.committedEntries.length;
      }
    }
    for (const [id, messages] of inboxes) {
      if (messages.length > 0) cores.get(id)?.step(GROUP, messages);
    }
  }
  return applied;
}

/**
 * The best round's CPU microseconds a command, and the slowest batch in milliseconds of the clock.
 */
function measure(module: RaftCoreModule, bytes: number, batch: number): [number, number] {
  const cores = open(module);
  const leader = cores.get(1);
  leader?.campaign(GROUP);
  settle(cores);
  const datas = Array.from({ length: batch }, () => Buffer.alloc(bytes, 7));
  let best = Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    let commands = 0;
    let now = start;
    for (let last = start; now - start < ROUND_MS; last = now) {
      leader?.propose(GROUP, datas);
      commands += settle(cores);
      const { applied } = leader?.status(GROUP) ?? { applied: 0 };
      if (commands % 4096 < batch) for (const core of cores.values()) cut(core, applied);
      now = performance.now();
      if (round > 0) worst = Math.max(worst, now - last);
    }
    const { user, system } = process.cpuUsage(cpu);
    best = Math.min(best, (user + system) / commands);
  }
  return [best, worst];
}

function cut(core: RaftCore, applied: number): void {
  core.compactTo(GROUP, Math.min(core.status(GROUP).applied, applied));
}

const bytes = Number(process.argv[2] ?? "256");
const file = process.argv[3];
const begun = performance.now();
const module = compileRaftCore(file === undefined ? undefined : readFileSync(file));
const core = createRaftCore({ seed: 1n, module });
const started = performance.now() - begun;
process.stdout.write(
  `start ${started.toFixed(1)} ms, memory ${(core.memoryBytes() / 1048576).toFixed(1)} MiB\n` +
    `commands of ${bytes} bytes, three replicas in one process\nbatch  cpu us/command  worst ms\n`,
);
for (const batch of [1, 8, 64, 512]) {
  const [best, worst] = measure(module, bytes, batch);
  const columns = [
    String(batch).padEnd(6),
    best.toFixed(2).padStart(13),
    worst.toFixed(2).padStart(9),
  ];
  process.stdout.write(`${columns.join(" ")}\n`);
}
