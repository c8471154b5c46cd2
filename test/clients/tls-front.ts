// TLS in front of an endpoint, as a load balancer ends it, and a forward proxy that knows no names:
// whatever host a client asks for, it is led to one server. So virtual hosts need no DNS.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { runCommand } from "../support/run-command.ts";

export interface Front {
  readonly port: number;
  stop(): Promise<void>;
}

export interface TlsFront extends Front {
  readonly certificatePath: string;
}

function tie(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on("error", () => other.destroy());
  other.on("error", () => one.destroy());
}

function portOf(server: HttpServer | ReturnType<typeof createTlsServer>): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function stopper(
  server: HttpServer | ReturnType<typeof createTlsServer>,
  sockets: ReadonlySet<Socket>,
): () => Promise<void> {
  return async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}

/**
 * Self-signed for `names` (`*.` works), ends TLS and passes the bytes on to `endpoint` unchanged.
 */
export async function startTlsFront(endpoint: string, names: readonly string[]): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), "dolium-tls-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subjects = [...names.map((name) => `DNS:${name}`), "IP:127.0.0.1"].join(",");
  await runCommand("openssl", [
    ...["req", "-x509", "-nodes", "-days", "365", "-newkey", "rsa:2048"],
    ...["-keyout", key, "-out", certificate, "-subj", `/CN=${names[0] ?? "localhost"}`],
    ...["-addext", `subjectAltName=${subjects}`],
  ]);
  const target = new URL(endpoint);
  const sockets = new Set<Socket>();
  const server = createTlsServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      tie(socket, connect({ host: target.hostname, port: Number(target.port) }));
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = stopper(server, sockets);
  return {
    port: portOf(server),
    certificatePath: certificate,
    stop: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Answers CONNECT to any host with a tunnel to `port` of this machine. */
export async function startTunnelProxy(port: number): Promise<Front> {
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(405).end());
  server.on("connect", (_, duplex, head: Buffer) => {
    // node:http hands out the socket it listens on.
    const client = duplex as Socket;
    const upstream = connect({ host: "127.0.0.1", port }, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      tie(client, upstream);
    });
    upstream.once("error", () => client.destroy());
    client.once("error", () => upstream.destroy());
    sockets.add(client);
    client.once("close", () => sockets.delete(client));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: portOf(server), stop: stopper(server, sockets) };
}
