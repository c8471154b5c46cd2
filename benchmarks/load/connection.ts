// One kept-alive HTTP/1.1 connection that costs little: it reads into one buffer, parses what S3
// answers with, and keeps of a body only what was asked for. One exchange at a time. It opens
// itself anew where the server closed it after an answer; a connection that breaks in an exchange
// fails it.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { crc32 } from "node:zlib";
import { assert } from "../../services/lib/base/assert.ts";

const READ_BYTES = 256 * 1024;
const HEAD_BYTES_MAX = 64 * 1024;
const HEAD_END = "\r\n\r\n";
const CHUNKS_END = "0\r\n\r\n";
const NO_BODY: ReadonlySet<number> = new Set([204, 304]);

export interface Exchange {
  readonly head: string;
  readonly body?: Buffer;
  readonly isHead?: boolean;
  /** Keep the body as text, compute its CRC-32, or only count it. */
  readonly take?: "text" | "crc32" | "nothing";
}

export interface Answer {
  readonly status: number;
  readonly bytes: number;
  readonly firstByteMs: number;
  readonly text: string;
  readonly crc32: number;
}

interface Running {
  readonly exchange: Exchange;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly pieces: Buffer[];
  head: string;
  status: number;
  /** Bytes still to come; undefined while the head is, Infinity for a body in chunks. */
  left: number | undefined;
  bytes: number;
  firstByteMs: number;
  crc32: number;
  tail: string;
  isLast: boolean;
}

export class Connection {
  readonly #url: URL;
  #socket: Socket | undefined;
  #running: Running | undefined;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  exchange(exchange: Exchange): Promise<Answer> {
    assert(this.#running === undefined, "Connection: one exchange at a time");
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const began = { head: "", status: 0, left: undefined, bytes: 0, firstByteMs: 0, crc32: 0 };
    this.#running = { exchange, resolve, reject, ...began, pieces: [], tail: "", isLast: false };
    const socket = this.#socket ?? this.#open();
    socket.cork();
    socket.write(exchange.head, "latin1");
    if (exchange.body !== undefined && exchange.body.byteLength > 0) socket.write(exchange.body);
    socket.uncork();
    return promise;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    const { hostname, protocol, port } = this.#url;
    const isTls = protocol === "https:";
    const host = hostname.replace(/^\[|\]$/g, "");
    const to = { host, port: port === "" ? (isTls ? 443 : 80) : Number(port), noDelay: true };
    const socket = isTls
      ? connectTls({ ...to, servername: host })
      : connectTcp({ ...to, onread: { buffer: this.#buffer(), callback: this.#onRead } });
    if (isTls) socket.on("data", (bytes: Buffer) => this.#take(bytes));
    // A former socket may close while the next one is used.
    const lose = (error: Error): void => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#fail(error);
    };
    socket.on("error", lose);
    socket.on("close", () => lose(new Error("the server closed before its answer was whole")));
    this.#socket = socket;
    return socket;
  }

  #buffer(): Buffer {
    return Buffer.allocUnsafeSlow(READ_BYTES);
  }

  readonly #onRead = (length: number, buffer: Uint8Array): boolean => {
    this.#take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
    return true;
  };

  #fail(error: Error): void {
    const running = this.#running;
    this.#running = undefined;
    running?.reject(error);
  }

  #take(bytes: Buffer): void {
    const running = this.#running;
    if (running === undefined) {
      this.close();
      return;
    }
    if (running.firstByteMs === 0) running.firstByteMs = performance.now();
    if (running.left === undefined) this.#takeHead(running, bytes);
    else this.#takeBody(running, bytes);
  }

  #takeHead(running: Running, bytes: Buffer): void {
    running.head += bytes.toString("latin1");
    const end = running.head.indexOf(HEAD_END);
    if (end < 0) {
      if (running.head.length > HEAD_BYTES_MAX) this.#fail(new Error("the head is too long"));
      return;
    }
    const rest = running.head.length - end - HEAD_END.length;
    running.head = running.head.slice(0, end);
    if (/^HTTP\/1\.1 1\d\d /.test(running.head)) {
      running.head = "";
      if (rest > 0) this.#takeHead(running, bytes.subarray(bytes.byteLength - rest));
      return;
    }
    this.#readHead(running);
    this.#takeBody(running, bytes.subarray(bytes.byteLength - rest));
  }

  #readHead(running: Running): void {
    running.status = Number(running.head.slice(9, 12));
    running.isLast = /\r\nconnection: *close/i.test(running.head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(running.head)?.[1];
    const isBodyless = running.exchange.isHead === true || NO_BODY.has(running.status);
    running.left = isBodyless ? 0 : length === undefined ? Infinity : Number(length);
  }

  #takeBody(running: Running, bytes: Buffer): void {
    running.bytes += bytes.byteLength;
    running.left = (running.left ?? 0) - bytes.byteLength;
    if (running.left < 0) {
      this.#fail(new Error("more bytes came than were announced"));
      return;
    }
    const { take } = running.exchange;
    const keepsText = take === "text" || running.status >= 300;
    if (keepsText && bytes.byteLength > 0) running.pieces.push(Buffer.from(bytes));
    if (take === "crc32") running.crc32 = crc32(bytes, running.crc32);
    if (running.left === Infinity) {
      running.tail = (running.tail + bytes.toString("latin1")).slice(-CHUNKS_END.length);
      if (running.tail === CHUNKS_END) running.left = 0;
    }
    if (running.left === 0) this.#finish(running);
  }

  #finish(running: Running): void {
    this.#running = undefined;
    if (running.isLast) this.close();
    const { status, bytes, firstByteMs, crc32: sum, resolve } = running;
    const text = Buffer.concat(running.pieces).toString();
    resolve({ status, bytes, firstByteMs, text, crc32: sum });
  }
}
