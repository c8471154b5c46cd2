// gRPC between processes, the calling side: one HTTP/2 connection a peer (or a few), kept alive by
// pings so that a vanished peer is noticed within fifteen seconds, and retried every second at most
// so that a restarted one is found again at once. Retries are the callers' business: grpc-js' own
// are off.
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { assert } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { RPC_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import type { Channel, Transport } from "../ports/transport.ts";
import { STREAM_WINDOW_BYTES, widenConnections } from "./flow-windows.ts";
import { callerTls, type ExpectedPeer, type SeenPeer } from "./grpc-identity.ts";
import { GrpcLinks } from "./grpc-links.ts";
import { clusterToken } from "./grpc-status.ts";
import type { InternalTls } from "./internal-tls.ts";
import { createChannel, type StartCall } from "./rpc-channel.ts";
import { type CallObserver, observedCalls } from "./rpc-observer.ts";

export const KEEPALIVE_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 5_000;

export interface GrpcTransportOptions {
  /** Shared by the whole cluster; servers that have one refuse callers without it. */
  readonly clusterSecret?: string;
  /** HTTP/2 connections per peer, used in turn. Default 1. */
  readonly connections?: number;
  /** The certificate that servers are shown, and who vouches for theirs. Plain text without. */
  readonly tls?: InternalTls;
  /** Who listens where, by address; elsewhere it may be any server of the cluster. */
  readonly expected?: ReadonlyMap<string, ExpectedPeer>;
  /** Watch every call that is made. */
  readonly observers?: readonly CallObserver[];
}

export interface GrpcTransport extends Transport {
  /** By address, the servers whose certificates were seen last; without TLS none. */
  readonly peers: ReadonlyMap<string, SeenPeer>;
}

/** Identities are in the certificates; the name only keeps addresses out of the handshake. */
const TLS_NAME = "dolium.internal";

const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.dns_min_time_between_resolutions_ms": 1000,
  "grpc.max_send_message_length": RPC_MESSAGE_BYTES_MAX,
  "grpc.max_receive_message_length": RPC_MESSAGE_BYTES_MAX,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_retries": 0,
  // grpc-js still keeps what was sent until the first answer, 1 MiB a call, in case the stream was
  // refused; and takes it for sent meanwhile, so that nobody waits for the network.
  "grpc.per_rpc_retry_buffer_size": 16 * 1024,
  "grpc.enable_channelz": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
  "grpc-node.flow_control_window": STREAM_WINDOW_BYTES,
};

export function createGrpcTransport(options: GrpcTransportOptions = {}): GrpcTransport {
  const { clusterSecret, tls, connections: count = 1, observers = [] } = options;
  assert(Number.isSafeInteger(count) && count >= 1, "grpc: bad connection count");
  const token = clusterSecret === undefined ? undefined : clusterToken(clusterSecret);
  const channelOptions =
    tls === undefined
      ? CHANNEL_OPTIONS
      : { ...CHANNEL_OPTIONS, "grpc.ssl_target_name_override": TLS_NAME };
  widenConnections();
  const channels = new Map<string, { readonly channel: Channel; readonly links: GrpcLinks }>();
  const peers = new Map<string, SeenPeer>();
  let closed = false;

  function credentialsFor(address: string): ChannelCredentials {
    if (tls === undefined) return credentials.createInsecure();
    const expected = options.expected?.get(address) ?? {};
    return callerTls(tls.material, expected, (peer) => peers.set(address, peer));
  }

  function open(address: string): { readonly channel: Channel; readonly links: GrpcLinks } {
    const links = new GrpcLinks({
      ...{ address, count, channelOptions },
      credentials: () => credentialsFor(address),
    });
    const start: StartCall = (method, callOptions) => {
      if (closed) throw new StoreError("unavailable", "the transport is closed");
      return links.start({ method, token, options: callOptions });
    };
    const channel = createChannel(address, observedCalls(address, observers, start));
    return { channel, links };
  }

  const stopWatching = tls?.watch(() => {
    for (const { links } of channels.values()) links.exchange();
  });
  return {
    peers,
    channel(address: string): Channel {
      const known = channels.get(address) ?? open(address);
      channels.set(address, known);
      return known.channel;
    },
    async close(): Promise<void> {
      closed = true;
      stopWatching?.();
      for (const { links } of channels.values()) links.close();
    },
  };
}
