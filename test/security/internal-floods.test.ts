// (21) Floods against a port of the services with TLS: connections that never say who they are, and
// headers that never end. Whoever does it is cut off, and others are answered meanwhile.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { createGrpcServer } from "../../services/lib/host/grpc-server.ts";
import { createGrpcTransport } from "../../services/lib/host/grpc-transport.ts";
import { HANDSHAKES_MAX } from "../../services/lib/host/handshakes.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { accessTo } from "../../services/lib/ports/rpc-access.ts";
import type { RpcServer } from "../../services/lib/ports/transport.ts";
import { EchoService } from "../fixtures/gen/dolium/test/v1/echo_pb.ts";
import { ClusterCertificates } from "../support/cluster-certificates.ts";
import { eventually } from "../support/eventually.ts";
import { createRecordingLog } from "../unit/host/recording-log.ts";
import { echo, handlers } from "../unit/host/transport-setting.ts";

const PATIENCE_MS = 120_000;
const roles = ["gateway"] as const;
const access = accessTo(EchoService, { echo: roles, spread: roles, gather: roles, talk: roles });

let certificates: ClusterCertificates;
let server: RpcServer;
let address: string;
let port: number;

before(async () => {
  certificates = await ClusterCertificates.make(["storage/storage-1"]);
  const tls = certificates.tls("storage-1");
  server = createGrpcServer({
    ...{ log: createRecordingLog(), random: createRandom(), tls, access },
  });
  server.add(EchoService, handlers({}));
  address = await server.listen("127.0.0.1:0");
  port = Number(new URL(`https://${address}`).port);
});
after(async () => {
  await server?.close(0);
  certificates?.remove();
});

/** Somebody who was not there before is answered. */
async function othersAreServed(): Promise<void> {
  const transport = createGrpcTransport({ tls: certificates.tls("gateway") });
  try {
    const deadlineMs = PATIENCE_MS;
    const { text } = await transport.channel(address).unary(echo, { text: "a" }, { deadlineMs });
    assert.equal(text, "a");
  } finally {
    await transport.close();
  }
}

/** What a caller of the cluster holds: the worst who can get as far as HTTP/2. */
function credentials(): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (file: string): Buffer => readFileSync(certificates.path(file));
  return { ca: read("ca.crt"), cert: read("gateway.crt"), key: read("gateway.key") };
}

test("(21) CVE-2026-73500: idle handshakes hold no more than their bound", async () => {
  const extra = 100;
  const sockets: Socket[] = [];
  let closed = 0;
  try {
    for (let at = 0; at < HANDSHAKES_MAX + extra; at += 1) {
      const socket = connectPlain(port, "127.0.0.1");
      socket
        .on("error", () => undefined)
        .on("close", () => {
          closed += 1;
        });
      sockets.push(socket);
      await once(socket, "connect");
    }
    await othersAreServed();
    await eventually("the oldest are cut", PATIENCE_MS, async () =>
      closed >= extra ? true : undefined,
    );
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS_FRAME = 4;
const HEADERS_FRAME = 1;
const CONTINUATION_FRAME = 9;

/** RFC 9113 section 4.1. */
function frame(type: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A literal field without indexing whose value is long; RFC 7541 section 6.2.2. */
function longField(): Buffer {
  const value = Buffer.alloc(100, "v");
  return Buffer.concat([Uint8Array.of(0, 1, 0x78, value.byteLength), value]);
}

test("(21) CVE-2024-27316: headers that never end end the connection", async () => {
  const socket: TLSSocket = connectTls({
    ...{ ...credentials(), port, host: "127.0.0.1", ALPNProtocols: ["h2"] },
    ...{ servername: "dolium.internal", checkServerIdentity: () => undefined },
  });
  let isOver = false;
  socket
    .on("error", () => undefined)
    .on("close", () => {
      isOver = true;
    });
  socket.resume();
  await once(socket, "secureConnect");
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS_FRAME, 0, new Uint8Array(0))]));
  socket.write(frame(HEADERS_FRAME, 1, longField()));
  const more = frame(CONTINUATION_FRAME, 1, Buffer.concat(Array.from({ length: 100 }, longField)));
  let sent = 0;
  while (!isOver && sent < 64 * 1024 * 1024) {
    sent += more.byteLength;
    await new Promise<void>((resolve) => {
      if (!socket.writable) resolve();
      else socket.write(more, () => resolve());
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(isOver || !socket.writable, `${sent} bytes of headers were taken`);
  socket.destroy();
  await othersAreServed();
});
