// Bounds what strangers can hold of a listening TLS port without saying who they are: only so many
// connections may be in the middle of their handshake; when there are more, the oldest is cut, so
// that a flood of idle connections keeps nobody out. How long one may take the server bounds.
import type { Server, Socket } from "node:net";

export const HANDSHAKES_MAX = 512;

/** Watches servers of `node:tls`, `node:https` or `node:http2`; the result ends that. */
export function limitHandshakes(servers: readonly Server[], max = HANDSHAKES_MAX): () => void {
  const ends = servers.map((server) => limitOne(server, max));
  return () => {
    for (const end of ends) end();
  };
}

function limitOne(server: Server, max: number): () => void {
  /** In the order of their coming; by address and port, which both ends of a TLS socket share. */
  const open = new Map<string, Socket>();
  const onConnection = (socket: Socket): void => {
    const name = nameOf(socket);
    open.set(name, socket);
    socket.once("close", () => {
      if (open.get(name) === socket) open.delete(name);
    });
    if (open.size > max) cutOldest(open);
  };
  const onSecure = (socket: Socket): void => void open.delete(nameOf(socket));
  server.on("connection", onConnection);
  server.on("secureConnection", onSecure);
  return () => {
    server.off("connection", onConnection);
    server.off("secureConnection", onSecure);
  };
}

function nameOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function cutOldest(open: Map<string, Socket>): void {
  for (const [name, socket] of open) {
    open.delete(name);
    socket.destroy();
    return;
  }
}
