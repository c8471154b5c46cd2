// Raft's traffic over the transport port: one stream per peer carries the messages of all groups, a
// stream of its own each snapshot. Messages are never repeated here; what a peer cannot take in
// time is dropped, the oldest first, and the core is told so.
import { create } from "@bufbuild/protobuf";
import { StoreError } from "../base/errors.ts";
import type { PeerIdentity } from "../base/peer-identity.ts";
import { type ExchangeRequest, RaftService, RouteSchema } from "../gen/dolium/raft/v1/raft_pb.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Counter, Metrics } from "../ports/metrics.ts";
import type { CallContext, ServiceHandlers, Transport } from "../ports/transport.ts";
import type { RaftId } from "./core.ts";
import { senderOf } from "./message-sender.ts";
import { PeerLink } from "./peer-link.ts";
import { readSnapshot, writeSnapshot } from "./snapshot-stream.ts";
import type { Envelope, OutgoingSnapshot, RaftReceiver, RaftSender } from "./types.ts";

export interface RaftTransportDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: Metrics;
  readonly nodeId: RaftId;
  /** Nodes of different clusters refuse each other. */
  readonly clusterId: string;
  /** host:port of a node, as known at the moment; undefined: not known. */
  readonly addressOf: (nodeId: RaftId) => string | undefined;
  /** Whether the ids of a replica of that name may be `nodeId`. */
  readonly mayBe: (nodeId: RaftId, name: string) => boolean;
}

/** Far beyond the largest state; a stalled stream is cut much earlier by its sender. */
const SNAPSHOT_CALL_MS = 6 * 3600 * 1000;

export class RaftTransport implements RaftSender {
  readonly #deps: RaftTransportDeps;
  readonly #links = new Map<RaftId, PeerLink>();
  readonly #dropped: Counter;
  #receiver: RaftReceiver | undefined;
  #closed = false;

  constructor(deps: RaftTransportDeps) {
    this.#deps = deps;
    this.#dropped = deps.metrics.counter("raft_dropped_messages_total", {
      help: "Messages to peers that were dropped before they were sent.",
      labels: ["peer"],
    });
  }

  /** Says who takes what arrives: the host, which was made with this as its sender. */
  attach(receiver: RaftReceiver): void {
    this.#receiver = receiver;
  }

  /** For RpcServer.add(RaftService, ...). Calls before `attach` are refused as "unavailable". */
  handlers(): ServiceHandlers<typeof RaftService> {
    return {
      exchange: async (requests, { caller }) => {
        await this.#exchange(requests, caller);
        return {};
      },
      installSnapshot: async (requests, context: CallContext) => {
        const receiver = this.#attached();
        await readSnapshot(requests, async (header, chunks) => {
          const from = this.#peer(header.route, context.caller);
          if (context.caller !== undefined) checkSender(header.message, from);
          const { groupId, message } = header;
          this.#deps.logger.info("a snapshot arrives", {
            group: groupId,
            from,
            requestId: context.requestId,
          });
          await receiver.receiveSnapshot(from, { groupId, message, chunks });
        });
        return {};
      },
    };
  }

  send(to: RaftId, envelopes: readonly Envelope[]): void {
    if (this.#closed) return;
    this.#link(to).push(envelopes);
  }

  async sendSnapshot(to: RaftId, snapshot: OutgoingSnapshot): Promise<void> {
    const address = this.#deps.addressOf(to);
    if (address === undefined) throw new StoreError("unavailable", `node ${to} has no address`);
    const stream = this.#deps.transport
      .channel(address)
      .clientStream(RaftService.method.installSnapshot, {
        deadlineMs: SNAPSHOT_CALL_MS,
        signal: snapshot.signal,
      });
    await writeSnapshot(stream, this.#route(to), snapshot);
  }

  /** Ends all streams; what waits is dropped. */
  async close(): Promise<void> {
    this.#closed = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const link of links) await link.close();
  }

  async #exchange(
    requests: AsyncIterable<ExchangeRequest>,
    caller: PeerIdentity | undefined,
  ): Promise<void> {
    const receiver = this.#attached();
    let from: RaftId | undefined;
    for await (const { route, envelopes } of requests) {
      from ??= this.#peer(route, caller);
      if (caller !== undefined) checkSenders(envelopes, from);
      receiver.receive(from, envelopes);
    }
  }

  #link(to: RaftId): PeerLink {
    const known = this.#links.get(to);
    if (known !== undefined) return known;
    const { transport, clock, logger, addressOf } = this.#deps;
    const link = new PeerLink({
      clock,
      logger: logger.child({ peer: to }),
      route: this.#route(to),
      connect: (signal, deadlineMs) => {
        const address = addressOf(to);
        if (address === undefined) return undefined;
        const method = RaftService.method.exchange;
        return transport.channel(address).clientStream(method, { deadlineMs, signal });
      },
      dropped: (count) => this.#dropped.increment({ peer: String(to) }, count),
      unreachable: () => this.#receiver?.reportUnreachable(to),
    });
    this.#links.set(to, link);
    return link;
  }

  #route(to: RaftId): ReturnType<typeof create<typeof RouteSchema>> {
    const { clusterId, nodeId } = this.#deps;
    return create(RouteSchema, { clusterId, from: BigInt(nodeId), to: BigInt(to) });
  }

  /**
   * The sender's id; "invalid" when the message is meant for somebody else, "denied" when the
   * caller's certificate is that of another replica.
   */
  #peer(route: ExchangeRequest["route"], caller: PeerIdentity | undefined): RaftId {
    const { clusterId, nodeId } = this.#deps;
    if (route === undefined) throw new StoreError("invalid", "a stream without its route");
    if (route.clusterId !== clusterId) {
      throw new StoreError("invalid", "this node belongs to another cluster");
    }
    if (route.to !== BigInt(nodeId)) {
      throw new StoreError("invalid", `this is node ${nodeId}, not ${route.to}`);
    }
    const from = Number(route.from);
    if (!Number.isSafeInteger(from) || from <= 0) {
      throw new StoreError("invalid", `no node has the id ${route.from}`);
    }
    if (caller !== undefined && !this.#deps.mayBe(from, caller.name)) {
      throw new StoreError("denied", `${caller.name} does not speak for node ${from}`);
    }
    return from;
  }

  #attached(): RaftReceiver {
    if (this.#receiver === undefined)
      throw new StoreError("unavailable", "Raft is not running yet");
    return this.#receiver;
  }
}

function checkSenders(
  envelopes: readonly { readonly messages: readonly Uint8Array[] }[],
  from: RaftId,
): void {
  for (const { messages } of envelopes) for (const message of messages) checkSender(message, from);
}

/** A replica with a certificate passes on nobody else's messages. */
function checkSender(message: Uint8Array, from: RaftId): void {
  const claimed = senderOf(message);
  if (claimed !== from) throw new StoreError("denied", `node ${from} speaks for node ${claimed}`);
}
