// A random run of one group: messages late, lost, doubled and out of order, slow disks, crashes,
// cut logs, small tails, snapshots that fail, changes of membership, leader transfers, reads. After
// every step the promises of Raft are checked against a model that sees all replicas.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RaftCoreModule } from "../../../services/lib/raft/core.ts";
import { type Envelope, GROUP, LabNode } from "./lab-node.ts";

const NODES_MAX = 6;
const NETWORK_MAX = 400;
const COMMANDS_MAX = 400;

/** A small generator (Mulberry32): the run follows from its seed alone. */
export function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

interface PendingRead {
  readonly node: number;
  /** What was applied anywhere, so acknowledged, when the read was asked for. */
  readonly floor: number;
}

export class Chaos {
  readonly nodes = new Map<number, LabNode>();
  readonly below: (bound: number) => number;
  readonly counts = { proposed: 0, restarts: 0, snapshots: 0, members: 0, reads: 0, leaders: 0 };
  readonly #module: RaftCoreModule;
  readonly #seed: number;
  #network: Envelope[] = [];
  /** What each index was applied as, first; every replica must agree. */
  readonly #agreed = new Map<number, string>();
  readonly #leaders = new Map<number, number>();
  readonly #reads = new Map<string, PendingRead>();
  #highest = 1;
  readonly trace = createHash("sha256");

  constructor(seed: number, module: RaftCoreModule) {
    this.#seed = seed;
    this.#module = module;
    this.below = generator(seed);
    const count = 1 + this.below(4);
    const voters = Array.from({ length: count }, (_, index) => index + 1);
    for (const id of voters) this.#add(id, voters);
  }

  #add(id: number, voters: readonly number[]): void {
    const node = new LabNode({
      id,
      seed: BigInt(this.#seed),
      module: this.#module,
      voters,
      bounds: {
        messageBytesMax: 64,
        inflightMessagesMax: 3,
        committedBytesMax: 128,
        uncommittedBytesMax: 512,
        tailEntriesMax: 4,
      },
      send: (envelope) => this.#network.push(envelope),
      note: (line) => assert.ok(!line.includes("damage"), line),
    });
    this.nodes.set(id, node);
  }

  #pick(): LabNode {
    const ids = [...this.nodes.keys()];
    const node = this.nodes.get(ids[this.below(ids.length)] ?? 0);
    assert.ok(node !== undefined);
    return node;
  }

  step(): void {
    const node = this.#pick();
    const chance = this.below(100);
    if (chance < 25) node.core.tick(GROUP);
    else if (chance < 55) for (let n = this.below(4); n >= 0; n -= 1) this.#deliverOne();
    else if (chance < 68) node.take();
    else if (chance < 80) node.persist(1 + this.below(3));
    else if (chance < 90) this.#propose(node);
    else if (chance < 93) this.#read(node);
    else if (chance < 95) node.flush();
    else this.#rare(node);
    this.#check();
  }

  #rare(node: LabNode): void {
    switch (this.below(9)) {
      case 0:
        this.counts.restarts += 1;
        node.restart(this.below(5));
        break;
      case 1:
        node.compact(node.disk.state.index - this.below(3));
        break;
      case 2:
      case 3:
        if (node.state.index > 0 && node.state.index >= node.disk.snapshotIndex) node.offer();
        break;
      case 4:
        this.#changeMembers(node);
        break;
      case 5:
        node.core.transferLeader(GROUP, 1 + this.below(NODES_MAX));
        break;
      case 6:
        node.core.campaign(GROUP);
        break;
      case 7:
        node.core.reportUnreachable(GROUP, 1 + this.below(NODES_MAX));
        break;
      default:
        node.core.requestSnapshot(GROUP);
    }
  }

  #propose(node: LabNode): void {
    if (this.counts.proposed > COMMANDS_MAX) return;
    const datas = Array.from({ length: 1 + this.below(3) }, (_, n) =>
      Buffer.from(`${"x".repeat(this.below(30))}${this.counts.proposed + n}`),
    );
    if (node.core.propose(GROUP, datas).kind === "appended") this.counts.proposed += datas.length;
  }

  #changeMembers(node: LabNode): void {
    const kinds = ["add-voter", "add-learner", "remove"] as const;
    const changes = Array.from({ length: this.below(3) }, () => ({
      kind: kinds[this.below(3)] ?? "remove",
      nodeId: 1 + this.below(NODES_MAX),
    }));
    // A replica that once took part is never started anew under its id.
    const result = node.core.proposeMembers(GROUP, { changes, context: new Uint8Array(0) });
    if (result.kind !== "appended") return;
    this.counts.members += 1;
    for (const { nodeId } of changes) if (!this.nodes.has(nodeId)) this.#add(nodeId, []);
  }

  #read(node: LabNode): void {
    this.counts.reads += 1;
    const name = `r${this.counts.reads}`;
    if (node.core.readIndex(GROUP, Buffer.from(name)) === "asked") {
      this.#reads.set(name, { node: node.id, floor: this.#highest });
    }
  }

  #deliverOne(): void {
    if (this.#network.length > NETWORK_MAX) this.#network.splice(0, NETWORK_MAX / 2);
    const at = this.below(4) === 0 ? this.below(this.#network.length + 1) : 0;
    const envelope = this.#network[at];
    if (envelope === undefined) return;
    const fate = this.below(40);
    if (fate !== 0) this.#network.splice(at, 1);
    const { from, to, snapshot } = envelope.message;
    const delivered = fate > 2;
    if (delivered) this.nodes.get(to)?.receive(envelope);
    if (snapshot !== undefined) {
      this.counts.snapshots += 1;
      this.nodes.get(from)?.core.reportSnapshot(GROUP, to, delivered);
    }
  }

  #check(): void {
    for (const node of this.nodes.values()) {
      const { applied } = node.state;
      for (const text of applied.slice(-8)) {
        const index = Number(text.slice(0, text.indexOf("@")));
        const before = this.#agreed.get(index);
        if (before === undefined) this.#agreed.set(index, text);
        else assert.equal(text, before, `node ${node.id} applied something else at ${index}`);
        this.#highest = Math.max(this.#highest, index);
      }
      const status = node.core.status(GROUP);
      if (status.role === "leader") {
        const leader = this.#leaders.get(status.term);
        if (leader === undefined) this.counts.leaders += 1;
        assert.ok(leader === undefined || leader === node.id, `two leaders in term ${status.term}`);
        this.#leaders.set(status.term, node.id);
      }
      for (const read of node.reads.splice(0)) this.#checkRead(node.id, read);
      this.trace.update(`${node.id} ${status.term} ${status.commit} ${status.lastIndex};`);
    }
  }

  #checkRead(id: number, answer: string): void {
    const [name = "", index] = answer.split("@");
    const asked = this.#reads.get(name);
    assert.ok(asked !== undefined && asked.node === id, `an answer nobody asked for: ${answer}`);
    assert.ok(Number(index) >= asked.floor, `read ${name} at ${index} misses ${asked.floor}`);
  }

  /** No more faults: every member of the final membership must catch up and take proposals. */
  settle(): void {
    let idle = 0;
    for (let round = 0; round < 3000 && idle < 30; round += 1) {
      const before = this.#highest;
      for (const node of this.nodes.values()) {
        node.core.tick(GROUP);
        node.persist();
        while (node.take() !== undefined) node.persist();
        if (node.state.index > 0) node.offer();
      }
      const batch = this.#network;
      this.#network = [];
      for (const envelope of batch) {
        const { from, to, snapshot } = envelope.message;
        this.nodes.get(to)?.receive(envelope);
        if (snapshot !== undefined) this.nodes.get(from)?.core.reportSnapshot(GROUP, to, true);
      }
      this.#check();
      idle = this.#agreement() && before === this.#highest ? idle + 1 : 0;
    }
    assert.ok(this.#agreement(), "members agree once the faults end");
  }

  /** A leader's members have all applied all of its log, and it is in no joint state. */
  #agreement(): boolean {
    const leaders = [...this.nodes.values()].filter(
      (node) => node.core.status(GROUP).committedInTerm,
    );
    const leader = leaders.toSorted((a, b) => b.state.index - a.state.index)[0];
    if (leader === undefined) return false;
    const status = leader.core.status(GROUP);
    const { voters, learners, votersOutgoing } = status.confState;
    if (votersOutgoing.length > 0) return false;
    return [...voters, ...learners].every((id) => {
      const member = this.nodes.get(id);
      return member !== undefined && member.state.index === status.lastIndex;
    });
  }
}
