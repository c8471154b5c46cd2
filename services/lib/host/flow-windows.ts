// HTTP/2 flow-control windows of gRPC connections. grpc-js has one setting for the windows of the
// calling side and none for the serving side, where 65,535 bytes for a whole connection make a cell
// cross in many small turns. Node announces each new HTTP/2 stream on its diagnostics channels,
// which is how connections are found and widened.
import { subscribe } from "node:diagnostics_channel";
import type { Http2Session, Http2Stream } from "node:http2";

/** Bytes on their way at once, of all calls of one connection. */
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
/** Bytes that one call may have waiting: one message arrives while another is worked on. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;

const widened = new WeakSet<Http2Session>();
let isWatching = false;

/** Widens every HTTP/2 connection of this process from its first call on. May be repeated. */
export function widenConnections(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe("http2.client.stream.created", onClientStream);
  subscribe("http2.server.stream.created", onServerStream);
}

function onClientStream(message: unknown): void {
  const session = sessionOf(message);
  session?.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
}

function onServerStream(message: unknown): void {
  const session = sessionOf(message);
  session?.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  session?.settings({ initialWindowSize: STREAM_WINDOW_BYTES });
}

/** The stream's session, the first time one of its streams is seen. */
function sessionOf(message: unknown): Http2Session | undefined {
  // The documented shape of both channels' messages.
  const { session } = (message as { readonly stream: Http2Stream }).stream;
  if (session === undefined || session.destroyed || widened.has(session)) return undefined;
  widened.add(session);
  return session;
}
