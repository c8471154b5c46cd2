// Scripts against a small cluster, and the trace they leave: every Ready, message and answer in
// words. A fixture is a list of blocks "commands, ----, expected trace"; comments start with #.
import assert from "node:assert/strict";
import type {
  MessageHead,
  ProposeResult,
  RaftCoreModule,
  RaftEntry,
  Ready,
} from "../../../services/lib/raft/core.ts";
import { describeMembers, type Envelope, GROUP, LabNode, textOf } from "./lab-node.ts";

const ROUNDS_MAX = 200;

function entryText(entry: RaftEntry): string {
  const data = entry.kind === "members" ? "members" : textOf(entry.data);
  return `${entry.index}@${entry.term}${data === "" ? "" : ` ${data}`}`;
}

function readyText(ready: Ready): string {
  const parts: string[] = [];
  const { hardState, softState, snapshot } = ready;
  if (softState !== undefined) parts.push(`${softState.role} of ${softState.leader}`);
  if (hardState !== undefined) {
    parts.push(`term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`);
  }
  if (snapshot !== undefined) parts.push(`snapshot ${snapshot.index}@${snapshot.term}`);
  if (ready.entries.length > 0) parts.push(`append [${ready.entries.map(entryText).join(", ")}]`);
  const committed = ready.committedEntries.map(entryText).join(", ");
  if (committed !== "") parts.push(`committed [${committed}]`);
  for (const read of ready.readStates) parts.push(`read ${textOf(read.context)} at ${read.index}`);
  for (const fetch of ready.entryFetches) {
    parts.push(`fetch ${fetch.firstIndex}..${fetch.lastIndex} to ${fetch.purpose}`);
  }
  for (const ask of ready.snapshotRequests)
    parts.push(`wants snapshot ${ask.minIndex} for ${ask.to}`);
  if (ready.mustSync) parts.push("sync");
  return parts.join("; ");
}

function messageText(head: MessageHead): string {
  const parts = [`${head.from}->${head.to} ${head.kind} term ${head.term}`];
  if (head.kind === "append") parts.push(`after ${head.index}@${head.logTerm}`);
  else if (head.index > 0) parts.push(`index ${head.index}`);
  if (head.entryCount > 0) parts.push(`${head.entryCount} entries`);
  if (head.commit > 0) parts.push(`commit ${head.commit}`);
  if (head.snapshot !== undefined) parts.push(`snapshot ${head.snapshot.index}`);
  if (head.reject) parts.push("reject");
  return parts.join(", ");
}

function proposeText(result: ProposeResult): string {
  switch (result.kind) {
    case "appended":
      return `appended ${result.firstIndex}@${result.term}`;
    case "not-leader":
      return `not-leader, leader ${result.leader}`;
    case "transferring":
      return `transferring to ${result.to}`;
    case "invalid":
      return `invalid: ${result.reason}`;
    default:
      return result.kind;
  }
}

type Command = (cluster: Cluster, words: readonly string[]) => void;

const COMMANDS: Readonly<Record<string, Command>> = {
  cluster: (c, w) => {
    for (const id of w.map(Number)) c.add(id, w.map(Number));
  },
  "small-cluster": (c, w) => {
    c.bounds = { messageBytesMax: 30, inflightMessagesMax: 2, tailEntriesMax: 2 };
    for (const id of w.map(Number)) c.add(id, w.map(Number));
  },
  join: (c, w) => c.add(Number(w[0]), []),
  tick: (c, w) => {
    for (let n = Number(w[1] ?? "1"); n > 0; n -= 1) c.node(w[0]).core.tick(GROUP);
  },
  campaign: (c, w) => c.node(w[0]).core.campaign(GROUP),
  propose: (c, w) => {
    const datas = w.slice(1).map((text) => Buffer.from(text));
    c.print(proposeText(c.node(w[0]).core.propose(GROUP, datas)));
  },
  members: (c, w) => c.print(proposeText(c.proposeMembers(w))),
  read: (c, w) => c.print(c.node(w[0]).core.readIndex(GROUP, Buffer.from(w[1] ?? ""))),
  transfer: (c, w) => {
    const started = c.node(w[0]).core.transferLeader(GROUP, Number(w[1]));
    c.print(started ? "started" : "refused");
  },
  // "hold 1": Readys of node 1 are taken but not made durable until "persist 1".
  hold: (c, w) => c.held.add(Number(w[0])),
  persist: (c, w) => {
    c.held.delete(Number(w[0]));
    c.node(w[0]).persist();
  },
  cut: (c, w) => c.cut.add(Number(w[0])),
  heal: (c, w) => c.cut.delete(Number(w[0])),
  // "lose append 2": every such message to node 2 is lost until "find append 2".
  lose: (c, w) => c.lost.add(w.join(" ")),
  find: (c, w) => c.lost.delete(w.join(" ")),
  ready: (c, w) => c.take(c.node(w[0])),
  deliver: (c) => c.deliver(),
  stabilize: (c) => c.stabilize(),
  quietly: (c, w) => {
    const before = c.lines.length;
    c.run(w.join(" "));
    c.lines.length = before;
  },
  flush: (c, w) => c.node(w[0]).flush(),
  compact: (c, w) => c.node(w[0]).compact(Number(w[1])),
  offer: (c, w) => c.node(w[0]).offer(),
  report: (c, w) => {
    c.node(w[0]).core.reportSnapshot(GROUP, Number(w[1]), w[2] === "delivered");
  },
  unreachable: (c, w) => c.node(w[0]).core.reportUnreachable(GROUP, Number(w[1])),
  "want-snapshot": (c, w) => {
    c.print(c.node(w[0]).core.requestSnapshot(GROUP) ? "asked" : "refused");
  },
  restart: (c, w) => {
    c.held.delete(Number(w[0]));
    c.node(w[0]).restart(w[1] === undefined ? undefined : Number(w[1]));
  },
  // The disk forgets its newest entries, as one that lied about its syncs.
  forget: (c, w) => {
    const { disk } = c.node(w[0]);
    disk.entries.splice(disk.entries.length - Number(w[1]));
    disk.state = { index: 1, confState: disk.state.confState, applied: [] };
    disk.hardState = { ...disk.hardState, commit: 1 };
  },
  status: (c, w) => c.status(c.node(w[0])),
  state: (c, w) => c.print(`${c.node(w[0]).state.applied.join(", ")}`),
};

export class Cluster {
  readonly nodes = new Map<number, LabNode>();
  readonly held = new Set<number>();
  readonly cut = new Set<number>();
  readonly lost = new Set<string>();
  readonly lines: string[] = [];
  bounds: { messageBytesMax?: number; inflightMessagesMax?: number; tailEntriesMax?: number } = {};
  #network: Envelope[] = [];
  readonly #module: RaftCoreModule;

  constructor(module: RaftCoreModule) {
    this.#module = module;
  }

  print(line: string): void {
    this.lines.push(line);
  }

  add(id: number, voters: readonly number[]): void {
    const node = new LabNode({
      id,
      seed: 1n,
      module: this.#module,
      voters,
      bounds: this.bounds,
      send: (envelope) => this.#network.push(envelope),
      note: (line) => this.print(`  ${line}`),
    });
    this.nodes.set(id, node);
  }

  node(word: string | undefined): LabNode {
    const node = this.nodes.get(Number(word));
    assert.ok(node !== undefined, `no node ${word}`);
    return node;
  }

  proposeMembers(words: readonly string[]): ProposeResult {
    const changes = words.slice(1).filter((word) => word.includes(":"));
    const kinds = { voter: "add-voter", learner: "add-learner", remove: "remove" } as const;
    const transition = words.find((word) => word === "implicit" || word === "explicit") ?? "auto";
    return this.node(words[0]).core.proposeMembers(GROUP, {
      changes: changes.map((word) => {
        const [kind = "", nodeId] = word.split(":");
        assert.ok(kind === "voter" || kind === "learner" || kind === "remove", word);
        return { kind: kinds[kind], nodeId: Number(nodeId) };
      }),
      transition: transition === "implicit" || transition === "explicit" ? transition : "auto",
      context: Buffer.from("why"),
    });
  }

  take(node: LabNode): boolean {
    const before = this.lines.length;
    const ready = node.take();
    if (ready === undefined) return false;
    // Notes of applying come after the Ready they belong to.
    const text = readyText(ready);
    if (text !== "") this.lines.splice(before, 0, `${node.id}: ${text}`);
    if (!this.held.has(node.id)) node.persist();
    return true;
  }

  deliver(): boolean {
    const batch = this.#network;
    this.#network = [];
    for (const envelope of batch) {
      const { from, to, kind } = envelope.message;
      const target = this.nodes.get(to);
      const line = messageText(envelope.message);
      const away = this.cut.has(from) || this.cut.has(to) || this.lost.has(`${kind} ${to}`);
      if (target === undefined || away) {
        this.print(`  ${line} (lost)`);
      } else {
        this.print(`  ${line}`);
        target.receive(envelope);
      }
    }
    return batch.length > 0;
  }

  stabilize(): void {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      let busy = false;
      for (const node of this.nodes.values()) while (this.take(node)) busy = true;
      if (this.deliver()) busy = true;
      if (!busy) return;
    }
    assert.fail(`not stable after ${ROUNDS_MAX} rounds`);
  }

  status(node: LabNode): void {
    const status = node.core.status(GROUP);
    const { role, leader, term, commit, applied, persisted, firstIndex, lastIndex } = status;
    this.print(
      `${role} of ${leader}, term ${term}, commit ${commit}, applied ${applied}, ` +
        `persisted ${persisted}, log ${firstIndex}..${lastIndex}, tail ${status.tailEntries}`,
    );
    this.print(describeMembers(status.confState));
    for (const peer of status.peers) {
      const paused = peer.paused ? " paused" : "";
      const pending = peer.pendingSnapshot > 0 ? ` snapshot ${peer.pendingSnapshot}` : "";
      this.print(`  ${peer.nodeId}: ${peer.state} match ${peer.match}${pending}${paused}`);
    }
  }

  run(line: string): void {
    const [name = "", ...words] = line.split(/\s+/);
    const command = COMMANDS[name];
    assert.ok(command !== undefined, `unknown command ${name}`);
    command(this, words);
  }
}

/** Runs a fixture; returns it with the trace that really came out. */
export function runScript(text: string, module: RaftCoreModule): string {
  const cluster = new Cluster(module);
  const output: string[] = [];
  for (const block of text.trim().split(/\n\n+/)) {
    const commands = (block.split("\n----")[0] ?? "").split("\n");
    cluster.lines.length = 0;
    for (const line of commands) if (line !== "" && !line.startsWith("#")) cluster.run(line);
    output.push([...commands, "----", ...cluster.lines].join("\n"));
  }
  return `${output.join("\n\n")}\n`;
}
