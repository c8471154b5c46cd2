// The history of figure 8 of the Raft paper, driven through the whole host: a leader comes back
// with an entry of an earlier term, copies it to a majority, and is lost before anything of its own
// term is there; another node, which knows nothing of it, leads and overwrites it. A leader that
// committed by counting replicas of the earlier term has applied what is then replaced.
import { SimClock } from "../clock.ts";
import { SimNetwork } from "../network.ts";
import { createSimRandom } from "../random.ts";
import { Checker } from "./checker.ts";
import { leaderOf } from "./members.ts";
import { SimNode, type World } from "./node.ts";
import type { PlantedBug } from "./planted.ts";

const IDS = [1, 2, 3];
const GROUP = 1;
const STEP_MS_MAX = 20_000;
const HEAL_MS = 10_000;

/** Throws the violation that a check found, or when the history did not come about. */
export async function figureEight(seed: number, planted?: PlantedBug): Promise<void> {
  const story = new Story(seed, planted);
  const old = await story.firstLeader();
  const index = await story.appendAlone(old);
  const other = await story.leadWithoutAWord(old);
  await story.copyEarlierTerm({ old, other, index });
  await story.replace({ old, other });
  await story.heal();
}

class Story {
  readonly #world: World;
  readonly #clock = new SimClock();
  #violation: unknown;

  constructor(seed: number, planted: PlantedBug | undefined) {
    const random = createSimRandom(seed);
    this.#world = {
      clock: this.#clock,
      random,
      network: new SimNetwork(this.#clock, random.fork("network")),
      checker: new Checker(),
      nodes: new Map(),
      groupIds: [GROUP],
      timing: { tickMs: 50, electionTicks: 5, heartbeatTicks: 1 },
      segmentBytes: 100_000,
      // The earlier entry and the new leader's first one must not share a message.
      messageBytesMax: 1,
      planted,
      appended: new Map(),
      lines: undefined,
      onLeader: undefined,
      violated: (error) => {
        this.#violation ??= error;
      },
    };
    for (const id of IDS) this.#world.nodes.set(id, new SimNode(this.#world, id, IDS));
    for (const node of this.#world.nodes.values()) void node.start();
  }

  /** A leader that everybody knows, with nothing under way. */
  async firstLeader(): Promise<number> {
    await this.#until("a leader", () => leaderOf(this.#world, GROUP) !== undefined);
    await this.#until("agreement", () => {
      const places = IDS.map((id) => this.#status(id));
      const [first] = places;
      return places.every((place) => {
        const isQuiet = place?.appliedIndex === place?.lastIndex;
        return place !== undefined && isQuiet && place.lastIndex === first?.lastIndex;
      });
    });
    return leaderOf(this.#world, GROUP)?.status().nodeId ?? 0;
  }

  /** The leader, cut off, writes an entry that nobody else has; its index. */
  async appendAlone(old: number): Promise<number> {
    this.#world.network.partition([old], IDS);
    const group = this.#world.nodes.get(old)?.group(GROUP);
    group?.propose(Buffer.from("earlier"), { deadlineMs: 500 }).catch(() => undefined);
    const before = this.#status(old)?.lastIndex ?? 0;
    await this.#until("an entry", () => (this.#status(old)?.lastIndex ?? 0) > before);
    await this.#pass(50);
    return before + 1;
  }

  /** Another node is elected and cut off before it says a word; which. */
  async leadWithoutAWord(old: number): Promise<number> {
    let elected = 0;
    this.#world.onLeader = (leader) => {
      if (leader === old) return;
      elected = leader;
      this.#world.onLeader = undefined;
      this.#world.network.partition([leader], IDS);
    };
    await this.#until("another leader", () => elected !== 0);
    // It writes its first entry, alone.
    await this.#pass(50);
    return elected;
  }

  /** The old leader leads again, and the third node gets the earlier entry, but no more. */
  async copyEarlierTerm({ old, other, index }: Actors & { index: number }): Promise<void> {
    const { network } = this.#world;
    const third = this.#third({ old, other });
    network.heal();
    network.partition([other], IDS);
    await this.#until("the old leader leads", () => this.#leads(old));
    await this.#until("the entry is copied", () => (this.#status(third)?.lastIndex ?? 0) >= index);
    network.cut(old, third);
    if (this.#status(third)?.lastIndex !== index) throw new Error("more than the entry was copied");
    // Time for the answer, and for the mistake.
    await this.#pass(60);
  }

  /** The old leader is lost; the other one, whose term is later, leads again and overwrites. */
  async replace({ old, other }: Actors): Promise<void> {
    const { network } = this.#world;
    network.heal();
    network.partition([old], IDS);
    await this.#until("the other one leads", () => this.#leads(other));
    await this.#pass(500);
  }

  async heal(): Promise<void> {
    this.#world.network.heal();
    await this.#pass(HEAL_MS);
  }

  #leads(id: number): boolean {
    return this.#world.nodes.get(id)?.group(GROUP)?.isLeader() === true;
  }

  #third({ old, other }: Actors): number {
    return IDS.find((id) => id !== old && id !== other) ?? 0;
  }

  #status(id: number) {
    return this.#world.nodes.get(id)?.group(GROUP)?.status();
  }

  async #pass(ms: number): Promise<void> {
    await this.#clock.run(this.#clock.monotonicMs() + ms, () => this.#violation !== undefined);
    this.#check();
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const stop = (): boolean => this.#violation !== undefined || condition();
    await this.#clock.run(this.#clock.monotonicMs() + STEP_MS_MAX, stop);
    this.#check();
    if (!condition()) throw new Error(`figure 8: ${what} did not come about`);
  }

  #check(): void {
    if (this.#violation !== undefined) throw this.#violation;
  }
}

interface Actors {
  readonly old: number;
  readonly other: number;
}
