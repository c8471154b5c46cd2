// What must hold in every run: all replicas of a group apply the same entries at the same indexes;
// one leader a term at most; an acknowledged command stays, in real-time order; a command refused
// as "nothing happened" never shows up; a read sees everything that was acknowledged, or read,
// before it began.
import type { Applied } from "./machine.ts";

export class Violation extends Error {
  override readonly name = "Violation";
}

interface GroupHistory {
  readonly canonical: Map<number, Applied>;
  readonly leaders: Map<number, number>;
  /** Index of each command in the canonical sequence. */
  readonly indexes: Map<string, number>;
  readonly acknowledged: Map<string, number>;
  readonly refused: Set<string>;
  /** The highest index that anybody was told of. */
  seenIndex: number;
}

export interface Floor {
  readonly groupId: number;
  readonly index: number;
}

export class Checker {
  readonly #groups = new Map<number, GroupHistory>();
  acknowledged = 0;
  refused = 0;
  reads = 0;
  unknown = 0;

  applied(groupId: number, nodeId: number, entry: Applied): void {
    const history = this.#group(groupId);
    const known = history.canonical.get(entry.index);
    if (known === undefined) {
      history.canonical.set(entry.index, entry);
      if (entry.command !== "") this.#first(history, groupId, entry);
      return;
    }
    if (known.term !== entry.term || known.command !== entry.command) {
      const wanted = `${known.command}@${known.term}`;
      const found = `${entry.command}@${entry.term}`;
      const where = `group ${groupId} index ${entry.index}`;
      throw new Violation(`${where}: node ${nodeId} applied ${found}, others ${wanted}`);
    }
  }

  leads(groupId: number, term: number, nodeId: number): void {
    const { leaders } = this.#group(groupId);
    const known = leaders.get(term);
    if (known !== undefined && known !== nodeId) {
      throw new Violation(`group ${groupId}: nodes ${known} and ${nodeId} both lead term ${term}`);
    }
    leaders.set(term, nodeId);
  }

  /** Call when an operation begins; hand the result to `acked` or `read`. */
  begin(groupId: number): Floor {
    return { groupId, index: this.#group(groupId).seenIndex };
  }

  acked(floor: Floor, command: string, index: number): void {
    const history = this.#group(floor.groupId);
    this.acknowledged += 1;
    history.acknowledged.set(command, index);
    const there = history.canonical.get(index);
    if (there !== undefined && there.command !== command) {
      throw new Violation(`${command} was acknowledged at ${index}, where ${there.command} is`);
    }
    if (index <= floor.index) {
      throw new Violation(`${command} was put at ${index}, behind ${floor.index} seen before it`);
    }
    history.seenIndex = Math.max(history.seenIndex, index);
  }

  refuse(floor: Floor, command: string): void {
    this.refused += 1;
    const history = this.#group(floor.groupId);
    history.refused.add(command);
    if (history.indexes.has(command)) throw new Violation(`${command} was refused and happened`);
  }

  /** `index`: the state the reader saw holds everything up to there. */
  read(floor: Floor, index: number): void {
    this.reads += 1;
    const history = this.#group(floor.groupId);
    if (index < floor.index) {
      throw new Violation(
        `group ${floor.groupId}: read at ${index}, ${floor.index} was seen before`,
      );
    }
    history.seenIndex = Math.max(history.seenIndex, index);
  }

  /** After healing: `list` is what a replica holds at the end. */
  final(groupId: number, nodeId: number, list: readonly Applied[]): void {
    const history = this.#group(groupId);
    const held = new Map(list.map((entry) => [entry.index, entry.command]));
    for (const [command, index] of history.acknowledged) {
      if (held.get(index) !== command) {
        throw new Violation(`group ${groupId}: node ${nodeId} lost ${command} at ${index}`);
      }
    }
    for (const entry of list) this.applied(groupId, nodeId, entry);
  }

  #first(history: GroupHistory, groupId: number, { command, index }: Applied): void {
    const earlier = history.indexes.get(command);
    if (earlier !== undefined) {
      throw new Violation(`group ${groupId}: ${command} at ${earlier} and again at ${index}`);
    }
    history.indexes.set(command, index);
    if (history.refused.has(command)) {
      throw new Violation(
        `group ${groupId}: ${command} was refused as not done, yet it is at ${index}`,
      );
    }
  }

  #group(groupId: number): GroupHistory {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    const history: GroupHistory = {
      canonical: new Map(),
      leaders: new Map(),
      indexes: new Map(),
      acknowledged: new Map(),
      refused: new Set(),
      seenIndex: 0,
    };
    this.#groups.set(groupId, history);
    return history;
  }
}
