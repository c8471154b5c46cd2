// Raft's traffic for the replica that is open at the moment. The service is registered once, before
// the process listens; what comes in goes to the open replica, or is refused while there is none.
import { deferred } from "../lib/base/bounded.ts";
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

interface OpenReplica {
  readonly handlers: ServiceHandlers<typeof RaftService>;
  /** Rejects when the replica closes. */
  readonly closed: Promise<never>;
}

export class RaftRoutes {
  readonly #deps: RaftRoutesDeps;
  readonly #peers: readonly Peer[];
  #open: OpenReplica | undefined;

  constructor(deps: RaftRoutesDeps, peers: readonly Peer[]) {
    this.#deps = deps;
    this.#peers = peers;
  }

  register(rpc: RpcServer): void {
    rpc.add(RaftService, {
      exchange: (requests, context) =>
        this.#whileOpen((handlers) => handlers.exchange(requests, context)),
      installSnapshot: (requests, context) =>
        this.#whileOpen((handlers) => handlers.installSnapshot(requests, context)),
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
      mayBe: (id, name) => isIdOf(id, name) && this.#peers.some((peer) => peer.name === name),
    });
    const { promise: closed, reject } = deferred<never>();
    // Nobody may be listening when it closes.
    closed.catch(() => undefined);
    const open = { handlers: traffic.handlers(), closed };
    this.#open = open;
    return {
      sender: traffic,
      attach: (receiver) => traffic.attach(receiver),
      close: async () => {
        if (this.#open === open) this.#open = undefined;
        reject(new StoreError("unavailable", "the replica was closed"));
        await traffic.close();
      },
    };
  }

  /**
   * A stream ends with the replica it came to: its sender then connects anew, to the next one. Left
   * open it would feed a host that is gone.
   */
  async #whileOpen<T>(call: (handlers: OpenReplica["handlers"]) => Promise<T>): Promise<T> {
    if (this.#open === undefined) throw new StoreError("unavailable", "no replica is open here");
    const { handlers, closed } = this.#open;
    return Promise.race([call(handlers), closed]);
  }
}
