// How far each target has come in each group's outbox, for one session of the keeper. Everything a
// target has passed is delivered, given up, or not for it. An entry may be finished once every
// target that wants it has passed it.

export class DeliveryProgress {
  readonly #passed = new Map<string, bigint>();

  /** Sequence of the last entry that `target` has passed in the group; 0 before the first. */
  of(target: string, groupId: number): bigint {
    return this.#passed.get(nameOf(target, groupId)) ?? 0n;
  }

  /** Moves on; never back. */
  advance(target: string, groupId: number, sequence: bigint): void {
    if (sequence > this.of(target, groupId)) this.#passed.set(nameOf(target, groupId), sequence);
  }

  /** Every one of `targets` has passed the entry. */
  allPassed(targets: readonly string[], groupId: number, sequence: bigint): boolean {
    return targets.every((target) => this.of(target, groupId) >= sequence);
  }
}

function nameOf(target: string, groupId: number): string {
  return `${groupId}/${target}`;
}
