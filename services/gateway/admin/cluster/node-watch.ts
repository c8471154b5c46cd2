// Notices when storage nodes come, go and change their states, and notes it as an event. Looks at
// the cluster map that this gateway follows anyway.
import { isStoreError } from "../../../lib/base/errors.ts";
import type { NodeInfo } from "../../../lib/placement/cluster-map.ts";
import type { Clock, Timer } from "../../../lib/ports/clock.ts";
import type { EventRing } from "../watch/event-ring.ts";

const LOOK_MS = 2000;

/** The nodes of the newest map. Throws StoreError while nothing is known. */
export type ClusterNodes = () => readonly NodeInfo[];

export interface NodeWatchDeps {
  readonly clock: Clock;
  readonly events: EventRing;
  readonly nodes: ClusterNodes;
}

export class NodeWatch {
  readonly #deps: NodeWatchDeps;
  #states: Map<string, string> | undefined;
  #timer: Timer | undefined;

  constructor(deps: NodeWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.look();
    this.#timer = this.#deps.clock.after(LOOK_MS, () => this.start());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Notes what changed since the last look; the first one only remembers. */
  look(): void {
    const found = this.#found();
    if (found === undefined) return;
    const before = this.#states;
    this.#states = found;
    if (before === undefined) return;
    for (const [what, state] of found) {
      const old = before.get(what);
      if (old === state) continue;
      const kind = what.startsWith("disk ") ? "disk" : "node";
      const message = old === undefined ? `${what} is new` : `${what} is ${state}, was ${old}`;
      this.#deps.events.add(kind, message, { what, state });
    }
  }

  #found(): Map<string, string> | undefined {
    try {
      const nodes = this.#deps.nodes();
      const states = nodes.flatMap(({ name, state, disks }) => [
        [`node ${name}`, state] as const,
        ...disks.map((disk) => [`disk ${disk.diskId} of ${name}`, disk.state] as const),
      ]);
      return new Map(states);
    } catch (error) {
      // The map is not known yet.
      if (isStoreError(error)) return undefined;
      throw error;
    }
  }
}
