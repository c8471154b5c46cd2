// gRPC between processes, the calling side: one HTTP/2 connection a peer (or a few), kept alive by
// pings so that a vanished peer is noticed within fifteen seconds, and retried every second at most
// so that a restarted one is found again at once. Retries are the callers' business: grpc-js' own
// are off.
import { type ChannelOptions, credentials, Channel as GrpcJsChannel } from "@grpc/grpc-js";
import { assert, present } from "../base/assert.ts";
import { StoreError } from "../base/errors.ts";
import { RPC_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import type { Channel, Transport } from "../ports/transport.ts";
import { STREAM_WINDOW_BYTES, widenConnections } from "./flow-windows.ts";
import { startGrpcCall } from "./grpc-call.ts";
import { clusterToken } from "./grpc-status.ts";
import { createChannel } from "./rpc-channel.ts";

export const KEEPALIVE_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 5_000;

/** Mutual TLS: PEM texts, the same kind for both sides. */
export interface TlsOptions {
  /** Signs the certificates of all peers. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /**
   * The name that servers' certificates carry, where it is not the host part of their address.
   * Needed for addresses that are numbers: Node refuses those as TLS server names.
   */
  readonly serverName?: string;
}

export interface GrpcTransportOptions {
  /** Shared by the whole cluster; servers that have one refuse callers without it. */
  readonly clusterSecret?: string;
  /** HTTP/2 connections per peer, used in turn. Default 1. */
  readonly connections?: number;
  /** Mutual TLS; plain text when left out. */
  readonly tls?: TlsOptions;
}

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

export function createGrpcTransport(options: GrpcTransportOptions = {}): Transport {
  const connections = options.connections ?? 1;
  assert(Number.isSafeInteger(connections) && connections >= 1, "grpc: bad connection count");
  const { clusterSecret, tls } = options;
  const token = clusterSecret === undefined ? undefined : clusterToken(clusterSecret);
  const channelCredentials =
    tls === undefined
      ? credentials.createInsecure()
      : credentials.createSsl(
          Buffer.from(tls.ca),
          Buffer.from(tls.key),
          Buffer.from(tls.certificate),
        );
  const channelOptions =
    tls?.serverName === undefined
      ? CHANNEL_OPTIONS
      : { ...CHANNEL_OPTIONS, "grpc.ssl_target_name_override": tls.serverName };
  widenConnections();
  const channels = new Map<string, Channel>();
  const links: GrpcJsChannel[] = [];
  let closed = false;

  function open(address: string): Channel {
    const mine = Array.from(
      { length: connections },
      () => new GrpcJsChannel(address, channelCredentials, channelOptions),
    );
    links.push(...mine);
    let turn = 0;
    return createChannel(address, (method, callOptions) => {
      if (closed) throw new StoreError("unavailable", "the transport is closed");
      turn = (turn + 1) % mine.length;
      const link = present(mine[turn], "connection");
      return startGrpcCall(link, { method, token, options: callOptions });
    });
  }

  return {
    channel(address: string): Channel {
      const known = channels.get(address) ?? open(address);
      channels.set(address, known);
      return known;
    },
    async close(): Promise<void> {
      closed = true;
      for (const link of links) link.close();
    },
  };
}
