// Reads of a group's only voter. What is acknowledged is applied here before, and nobody else can
// lead without this voter's vote: once one read index came back under a leadership, and was
// applied, every later read of it may see the state as it is, without asking the core. A change of
// leader, role or members begins anew.
// Source: Ongaro 2014, "Consensus: Bridging Theory and Practice", section 6.4; a quorum of one.

export class LoneReads {
  #era = 0;
  #state: "unknown" | "alone" | "not alone" = "unknown";

  /** Which leadership, under which members; to be compared with a later one. */
  get era(): number {
    return this.#era;
  }

  get mayRead(): boolean {
    return this.#state === "alone";
  }

  /** Leader, role or members changed, or the replica closed. */
  changed(): void {
    this.#era += 1;
    this.#state = "unknown";
  }

  /**
   * A read that began in `era` reached its index. `isAlone` says whether this node leads and is the
   * only voter; it is asked once an era.
   */
  reached(era: number, isAlone: () => boolean): void {
    if (era !== this.#era || this.#state !== "unknown") return;
    this.#state = isAlone() ? "alone" : "not alone";
  }
}
