// (21) Floods against a port of the services with TLS: connections that never say who they are,
// headers that never end, calls that are taken back at once. Whoever does it is cut off, and others
// are answered meanwhile.
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

const RST_STREAM_FRAME = 3;
const END_HEADERS = 4;
const CANCEL = 8;

/** RFC 9113 section 4.1. */
function frame(type: number, stream: number, payload: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A literal field without indexing whose value is long; RFC 7541 section 6.2.2. */
function longField(): Buffer {
  const value = Buffer.alloc(100, "v");
  return Buffer.concat([Uint8Array.of(0, 1, 0x78, value.byteLength), value]);
}

/** A connection that speaks HTTP/2 by hand. */
class RawConnection {
  readonly #socket: TLSSocket;
  #isOver = false;

  private constructor() {
    this.#socket = connectTls({
      ...{ ...credentials(), port, host: "127.0.0.1", ALPNProtocols: ["h2"] },
      ...{ servername: "dolium.internal", checkServerIdentity: () => undefined },
    });
    this.#socket
      .on("error", () => undefined)
      .on("close", () => {
        this.#isOver = true;
      });
    this.#socket.resume();
  }

  static async open(): Promise<RawConnection> {
    const connection = new RawConnection();
    await once(connection.#socket, "secureConnect");
    await connection.send(Buffer.concat([PREFACE, frame(SETTINGS_FRAME, 0, new Uint8Array(0))]));
    return connection;
  }

  /** The server has ended it. */
  get isOver(): boolean {
    return this.#isOver || !this.#socket.writable;
  }

  async send(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.isOver) resolve();
      else this.#socket.write(bytes, () => resolve());
    });
    await new Promise((resolve) => setImmediate(resolve));
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

test("(21) CVE-2024-27316: headers that never end end the connection", async () => {
  const connection = await RawConnection.open();
  await connection.send(frame(HEADERS_FRAME, 1, longField()));
  const more = frame(CONTINUATION_FRAME, 1, Buffer.concat(Array.from({ length: 100 }, longField)));
  let sent = 0;
  while (!connection.isOver && sent < 64 * 1024 * 1024) {
    sent += more.byteLength;
    await connection.send(more);
  }
  assert.ok(connection.isOver, `${sent} bytes of headers were taken`);
  connection.destroy();
  await othersAreServed();
});

/** A string as it is; RFC 7541 section 5.2. */
function text(value: string): Buffer {
  return Buffer.concat([Uint8Array.of(value.length), Buffer.from(value)]);
}

/** What begins a call, by fields of the static table; RFC 7541 appendix A. */
function callHeaders(): Buffer {
  const [post, https, path, authority, contentType] = [0x83, 0x87, 0x04, 0x01, 0x0f];
  return Buffer.concat([
    ...[Uint8Array.of(post, https, path), text(`/${EchoService.typeName}/Talk`)],
    ...[Uint8Array.of(authority), text("dolium.internal")],
    ...[Uint8Array.of(contentType, 0x10), text("application/grpc")],
    ...[Uint8Array.of(0), text("te"), text("trailers")],
  ]);
}

test("(21) CVE-2023-44487: calls that are begun and taken back end the connection", async () => {
  const connection = await RawConnection.open();
  const reset = Buffer.alloc(4);
  reset.writeUInt32BE(CANCEL);
  const headers = callHeaders();
  let calls = 0;
  while (!connection.isOver && calls < 100_000) {
    const pairs = Array.from({ length: 50 }, () => {
      calls += 1;
      const stream = 2 * calls - 1;
      return Buffer.concat([
        frame(HEADERS_FRAME, stream, headers, END_HEADERS),
        frame(RST_STREAM_FRAME, stream, reset),
      ]);
    });
    await connection.send(Buffer.concat(pairs));
  }
  assert.ok(connection.isOver, `${calls} calls were taken back`);
  connection.destroy();
  await othersAreServed();
});
