// Where clients reach each campus, as the gateways there tell with their heartbeats: for a page
// that anybody may ask for, so the root group is asked once in five seconds at most, and what was
// known is kept while it does not answer.
import type { ClusterStatusResponse } from "../gen/dolium/cluster/v1/cluster_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import { endpointTold } from "./gateway-links.ts";
import type { MetadataClient } from "./metadata-client.ts";

const KEPT_MS = 5000;
const DEADLINE_MS = 2000;
/** A gateway that was heard of this long ago is not counted. */
const SILENT_MS = 30_000;

export interface CampusView {
  readonly campus: string;
  /** URLs that the gateways of the campus name; none where none is configured. */
  readonly endpoints: readonly string[];
  /** Gateways that were heard of lately. */
  readonly gateways: number;
}

export class CampusEndpoints {
  readonly #metadata: Pick<MetadataClient, "clusterStatus">;
  readonly #clock: Clock;
  readonly #log: Log;
  #known: readonly CampusView[] = [];
  #until = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(ports: {
    readonly metadata: Pick<MetadataClient, "clusterStatus">;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#metadata = ports.metadata;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  /** By name of campus; as last known where the root group does not answer. Never rejects. */
  async list(): Promise<readonly CampusView[]> {
    if (this.#clock.monotonicMs() >= this.#until) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    return this.#known;
  }

  async #ask(): Promise<void> {
    try {
      this.#known = campusesOf(await this.#metadata.clusterStatus({ deadlineMs: DEADLINE_MS }));
    } catch (error) {
      this.#log.debug("gateways of other campuses are not known anew", { reason: String(error) });
    }
    this.#until = this.#clock.monotonicMs() + KEPT_MS;
  }
}

function campusesOf({ processes }: ClusterStatusResponse): CampusView[] {
  const alive = processes.filter(
    ({ role, lastHeardMsAgo }) => role === "gateway" && lastHeardMsAgo < BigInt(SILENT_MS),
  );
  const campuses = Map.groupBy(alive, ({ campus }) => campus);
  return [...campuses]
    .map(([campus, gateways]) => {
      const told = gateways.flatMap(({ details }) => endpointTold(details) ?? []);
      return { campus, endpoints: [...new Set(told)].sort(), gateways: gateways.length };
    })
    .sort((a, b) => (a.campus < b.campus ? -1 : 1));
}
