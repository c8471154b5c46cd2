// Heartbeats of gateways, storage nodes and keepers, kept in memory on the root group's leader, and
// what they say turned into committed states: silent nodes become suspect, down and out, nodes that
// are heard again up at once, disks what their node reports. A new leader gives everybody a fresh
// period of grace.
import { present } from "../lib/base/assert.ts";
import { toStoreError } from "../lib/base/errors.ts";
import { ROOT_GROUP } from "../lib/clients/groups.ts";
import type { ClusterService, HeartbeatRequest } from "../lib/gen/dolium/cluster/v1/cluster_pb.ts";
import { type ClusterMap, DiskState, NodeState } from "../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Clock, Timer } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";
import type { ServiceHandlers } from "../lib/ports/transport.ts";
import { checkHeartbeat } from "./command-access.ts";
import type { MetadataTimes } from "./config.ts";
import type { Proposer } from "./proposer.ts";
import type { Replica } from "./replica.ts";
import { readClusterMap } from "./state/cluster-record.ts";

export interface ClusterWatchDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly proposer: Proposer;
  readonly replica: () => Replica | undefined;
  readonly times: Pick<MetadataTimes, "suspectAfterMs" | "downAfterMs" | "outAfterMs" | "watchMs">;
}

interface Heard {
  readonly request: HeartbeatRequest;
  readonly atMs: number;
  /** The process's clock less ours. */
  readonly clockOffsetMs: number;
}

interface NodeChange {
  readonly nodeId: number;
  readonly state: NodeState;
  readonly expected: NodeState;
}

/** Processes remembered; those silent longest are forgotten first. */
const PROCESSES_MAX = 10_000;

export class ClusterWatch {
  readonly #deps: ClusterWatchDeps;
  readonly #heard = new Map<string, Heard>();
  /** Since when this replica leads the root group; undefined: it does not. */
  #leaderSinceMs: number | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  #working: Promise<void> | undefined;
  #wanted = false;
  #map: { readonly index: bigint; readonly map: ClusterMap | undefined } | undefined;

  constructor(deps: ClusterWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#plan();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#working;
  }

  leaderChanged(isLeader: boolean): void {
    this.#leaderSinceMs = isLeader ? this.#deps.clock.monotonicMs() : undefined;
    if (isLeader) this.#heard.clear();
  }

  handlers(): ServiceHandlers<typeof ClusterService> {
    return {
      heartbeat: async (request, { caller }) => {
        checkHeartbeat(caller, request);
        return this.#heartbeat(request);
      },
      clusterStatus: () => this.#status(),
    };
  }

  async #heartbeat(request: HeartbeatRequest) {
    const { clock } = this.#deps;
    const map = await this.#leaderMap();
    const name = `${request.role}/${request.name}`;
    this.#heard.delete(name);
    if (this.#heard.size >= PROCESSES_MAX) this.#forgetOldest();
    const wallMs = Math.floor(clock.wallMs());
    // An older release may not say.
    const clockOffsetMs = request.wallMs === 0n ? 0 : Number(request.wallMs) - wallMs;
    this.#heard.set(name, { request, atMs: clock.monotonicMs(), clockOffsetMs });
    const node = map?.nodes.find(({ nodeId }) => nodeId === request.nodeId);
    const isKnown = request.role !== "storage" || node?.name === request.name;
    if (isKnown && request.role === "storage") this.#look();
    return {
      mapEpoch: map?.epoch ?? 0n,
      registerAgain: !isKnown,
      wallMs: BigInt(wallMs),
      scrubPass: map?.scrubPass ?? 0n,
    };
  }

  async #status() {
    const map = await this.#leaderMap();
    const now = this.#deps.clock.monotonicMs();
    const heard = [...this.#heard.values()];
    return {
      ...(map === undefined ? {} : { map }),
      processes: heard.map(({ request, atMs, clockOffsetMs }) => ({
        role: request.role,
        name: request.name,
        address: request.address,
        lastHeardMsAgo: BigInt(Math.floor(now - atMs)),
        version: request.version,
        details: request.details,
        opsAddress: request.opsAddress,
        campus: request.campus,
        nodeId: request.nodeId,
        clockOffsetMs: BigInt(clockOffsetMs),
      })),
      disks: heard.flatMap(({ request }) => request.disks),
      wallMs: BigInt(Math.floor(this.#deps.clock.wallMs())),
    };
  }

  /** The map as this leader has applied it; throws "not-leader" elsewhere. */
  async #leaderMap(): Promise<ClusterMap | undefined> {
    const { proposer, replica } = this.#deps;
    const group = replica()?.group(ROOT_GROUP);
    if (group === undefined || !group.raft.isLeader()) {
      // Lets the proposer say who leads.
      await proposer.refuseFollower(ROOT_GROUP);
    }
    const root = present(group, "root group");
    const { index } = root.state.mark;
    if (this.#map?.index !== index) {
      this.#map = { index, map: await proposer.readLocal(root, readClusterMap) };
    }
    return this.#map?.map;
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#timer = this.#deps.clock.after(this.#deps.times.watchMs, () => {
      this.#look();
      this.#plan();
    });
  }

  /** Looks at everybody soon; one look at a time, and one more when asked meanwhile. */
  #look(): void {
    this.#wanted = true;
    this.#working ??= this.#lookWhileWanted().finally(() => {
      this.#working = undefined;
    });
  }

  async #lookWhileWanted(): Promise<void> {
    while (this.#wanted && !this.#isClosed) {
      this.#wanted = false;
      try {
        await this.#commitChanges();
      } catch (error) {
        const reason = toStoreError(error).message;
        this.#deps.log.debug("states of nodes are not committed now", { reason });
      }
    }
  }

  async #commitChanges(): Promise<void> {
    if (this.#leaderSinceMs === undefined) return;
    const map = await this.#leaderMap();
    if (map === undefined) return;
    const nodes = this.#nodeChanges(map, this.#leaderSinceMs);
    const disks = this.#diskChanges(map);
    if (nodes.length + disks.length === 0) return;
    this.#deps.log.info("states of storage nodes change", {
      nodes: nodes.map(({ nodeId, expected, state }) => ({ nodeId, from: expected, to: state })),
      disks,
    });
    const value = { nodes, disks };
    await this.#deps.proposer.run(ROOT_GROUP, { case: "setStates", value });
  }

  #nodeChanges(map: ClusterMap, leaderSinceMs: number): NodeChange[] {
    const now = this.#deps.clock.monotonicMs();
    return map.nodes.flatMap(({ nodeId, name, state, removed }): NodeChange[] => {
      if (removed) return [];
      const heard = this.#heard.get(`storage/${name}`);
      const silentMs = now - Math.max(leaderSinceMs, heard?.atMs ?? leaderSinceMs);
      const next =
        heard?.request.nodeId === nodeId || heard === undefined
          ? nextState(state, { silentMs, ...hearing(heard) }, this.#deps.times)
          : state;
      return next === state ? [] : [{ nodeId, state: next, expected: state }];
    });
  }

  #diskChanges(map: ClusterMap): { diskId: number; state: DiskState }[] {
    const now = this.#deps.clock.monotonicMs();
    return map.nodes.flatMap(({ nodeId, name, disks }) => {
      const heard = this.#heard.get(`storage/${name}`);
      const isFresh = heard !== undefined && now - heard.atMs < this.#deps.times.suspectAfterMs;
      if (!isFresh || heard.request.nodeId !== nodeId) return [];
      return heard.request.disks.flatMap(({ diskId, state }) => {
        const disk = disks.find((candidate) => candidate.diskId === diskId);
        const isReport =
          state === DiskState.UP || state === DiskState.READ_ONLY || state === DiskState.FAILED;
        if (disk === undefined || disk.state === DiskState.OUT || !isReport) return [];
        return disk.state === state ? [] : [{ diskId, state }];
      });
    });
  }

  #forgetOldest(): void {
    for (const name of this.#heard.keys()) {
      this.#heard.delete(name);
      return;
    }
  }
}

function hearing(heard: Heard | undefined) {
  return { isHeard: heard !== undefined, isLeaving: heard?.request.leaving === true };
}

/** The state of a node that was last heard `silentMs` ago (`isHeard`: at all, by this leader). */
export function nextState(
  state: NodeState,
  {
    silentMs,
    isHeard,
    isLeaving = false,
  }: { readonly silentMs: number; readonly isHeard: boolean; readonly isLeaving?: boolean },
  times: Pick<MetadataTimes, "suspectAfterMs" | "downAfterMs" | "outAfterMs">,
): NodeState {
  // An operator empties it: that goes on whether it is heard or not.
  if (state === NodeState.DRAINING) return state;
  if (silentMs > times.outAfterMs) return NodeState.OUT;
  if (state === NodeState.OUT) {
    return isHeard && silentMs <= times.suspectAfterMs ? NodeState.UP : state;
  }
  if (silentMs > times.downAfterMs) return NodeState.DOWN;
  // One that says that it goes is no place for new shards any more.
  if (isLeaving || silentMs > times.suspectAfterMs) {
    return state === NodeState.DOWN ? state : NodeState.SUSPECT;
  }
  if (isHeard) return NodeState.UP;
  return state;
}
