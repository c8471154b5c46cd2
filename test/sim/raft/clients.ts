// Clients of the simulated service: they propose commands and read at whatever node they please,
// learn leaders from hints, give up in time, and tell the checker what they were told.
import { isStoreError, StoreError } from "../../../services/lib/base/errors.ts";
import type { RaftGroup } from "../../../services/lib/raft/types.ts";
import type { SimRandom } from "../random.ts";
import type { SimNode, World } from "./node.ts";

const DEADLINE_MS = 1500;
/** Longer than any deadline: the node crashed under the call. */
const LOST_MS = 3000;

/** Codes that promise that nothing happened. */
const NOTHING = new Set([
  "not-leader",
  "unavailable",
  "exhausted",
  "no-space",
  "conflict",
  "invalid",
]);

export class Client {
  readonly #world: World;
  readonly #random: SimRandom;
  readonly #name: string;
  readonly #leaders = new Map<number, number>();
  #commands = 0;
  stopped = false;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
    this.#random = world.random.fork(name);
  }

  /** One operation after another until stopped. */
  async run(thinkMs: number): Promise<void> {
    while (!this.stopped) {
      await this.#world.clock.sleep(1 + this.#random.below(thinkMs * 2));
      const groupId = this.#random.pick(this.#world.groupIds);
      if (this.#random.chance(0.3)) await this.read(groupId);
      else await this.write(groupId);
    }
  }

  /** True when the command was acknowledged. */
  async write(groupId: number): Promise<boolean> {
    const { checker, planted, appended } = this.#world;
    const node = this.#target(groupId);
    const group = node?.group(groupId);
    if (group === undefined) return false;
    this.#commands += 1;
    const command = `${this.#name}-${this.#commands}`;
    const floor = checker.begin(groupId);
    const answer = this.#call(() =>
      group.propose(Buffer.from(command), { deadlineMs: DEADLINE_MS }),
    );
    if (planted === "reply-before-commit") {
      await this.#world.clock.sleep(1);
      const index = appended.get(command);
      if (index !== undefined) this.#told(() => checker.acked(floor, command, index));
      return index !== undefined;
    }
    const result = await answer;
    if (!(result instanceof StoreError)) {
      const right = Buffer.from(result.reply).toString() === `did ${command}`;
      if (!right) this.#world.violated(new Error(`${command} got the answer of another`));
      this.#told(() => checker.acked(floor, command, result.index));
      return true;
    }
    if (NOTHING.has(result.code)) this.#told(() => checker.refuse(floor, command));
    else checker.unknown += 1;
    this.#learn(groupId, result);
    return false;
  }

  async read(groupId: number): Promise<void> {
    const { checker, planted } = this.#world;
    const node = this.#random.pick([...this.#world.nodes.values()]);
    const group = node.group(groupId);
    const machine = node.machine(groupId);
    if (group === undefined || machine === undefined) return;
    const floor = checker.begin(groupId);
    if (planted !== "stale-read") {
      const result = await this.#call(async () => {
        await group.readBarrier({ deadlineMs: DEADLINE_MS });
        return true;
      });
      if (result instanceof StoreError) return;
    }
    this.#told(() => checker.read(floor, machine.appliedIndex));
  }

  #target(groupId: number): SimNode | undefined {
    const nodes = [...this.#world.nodes.values()];
    const hinted = this.#world.nodes.get(this.#leaders.get(groupId) ?? 0);
    return hinted !== undefined && this.#random.chance(0.8) ? hinted : this.#random.pick(nodes);
  }

  #learn(groupId: number, error: StoreError): void {
    if (isStoreError(error, "not-leader") && error.leaderHint !== undefined) {
      this.#leaders.set(groupId, Number(error.leaderHint));
    } else {
      this.#leaders.delete(groupId);
    }
  }

  #told(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#world.violated(error);
    }
  }

  /** What `work` resolves to, or the error; "timeout" when the node vanished under it. */
  async #call<T>(work: () => Promise<T>): Promise<T | StoreError> {
    const lost = this.#world.clock
      .sleep(LOST_MS)
      .then(() => new StoreError("timeout", "no answer at all"));
    const tried = work().catch((error: unknown) => {
      if (error instanceof StoreError) return error;
      this.#world.violated(error);
      return new StoreError("internal", "no typed error");
    });
    return await Promise.race([tried, lost]);
  }
}

export type { RaftGroup };
