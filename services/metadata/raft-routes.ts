// Raft's traffic for the replica that is open at the moment. The service is registered once, before
// the process listens; what comes in goes to the open replica, or is refused while there is none.
import { StoreError } from "../lib/base/errors.ts";
import { RaftService } from "../lib/gen/dolium/raft/v1/raft_pb.ts";
import type { Clock } from "../lib/ports/clock.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Metrics } from "../lib/ports/metrics.ts";
import type { RpcServer, ServiceHandlers, Transport } from "../lib/ports/transport.ts";
import { RaftTransport } from "../lib/raft/transport.ts";
import type { Peer } from "./config.ts";
import type { RaftTraffic } from "./lifecycle.ts";
import { isIdOf } from "./replica-id.ts";

export interface RaftRoutesDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

type Handlers = ServiceHandlers<typeof RaftService>;

export class RaftRoutes {
  readonly #deps: RaftRoutesDeps;
  readonly #peers: readonly Peer[];
  #open: Handlers | undefined;

  constructor(deps: RaftRoutesDeps, peers: readonly Peer[]) {
    this.#deps = deps;
    this.#peers = peers;
  }

  register(rpc: RpcServer): void {
    rpc.add(RaftService, {
      exchange: (requests, context) => this.#handlers().exchange(requests, context),
      installSnapshot: (requests, context) => this.#handlers().installSnapshot(requests, context),
    });
  }

  /** One at a time: the one before must be closed. */
  open({ clusterId, replicaId }: { clusterId: string; replicaId: number }): RaftTraffic {
    const { transport, clock, log, metrics } = this.#deps;
    const traffic = new RaftTransport({
      transport,
      clock,
      logger: log,
      metrics,
      nodeId: replicaId,
      clusterId,
      addressOf: (id) => this.#peers.find(({ name }) => isIdOf(id, name))?.address,
    });
    const handlers = traffic.handlers();
    this.#open = handlers;
    return {
      sender: traffic,
      attach: (receiver) => traffic.attach(receiver),
      close: async () => {
        if (this.#open === handlers) this.#open = undefined;
        await traffic.close();
      },
    };
  }

  #handlers(): Handlers {
    if (this.#open === undefined) throw new StoreError("unavailable", "no replica is open here");
    return this.#open;
  }
}
