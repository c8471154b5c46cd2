// HTTP/1.1 by hand over a socket, so that a test controls every byte it sends and sees every byte
// it gets: bodies cut short, headers twice, targets no client library would let pass.
import { connect, type Socket } from "node:net";

export interface RawResponse {
  readonly status: number;
  /** Lower-case names; repeated headers joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly text: string;
  /** Interim status lines before the final one, such as 100. */
  readonly interim: readonly number[];
  /** The body had the length that the head stated. */
  readonly isWhole: boolean;
}

const TIMEOUT_MS = 20_000;

export class RawConnection {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      this.#received = Buffer.concat([
        this.#received,
        typeof bytes === "string" ? Buffer.from(bytes) : bytes,
      ]);
      this.#wake();
    });
    const closed = (): void => {
      this.#isClosed = true;
      this.#wake();
    };
    socket.on("end", closed).on("close", closed).on("error", closed);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  }

  static async open(endpoint: string): Promise<RawConnection> {
    const { hostname, port } = new URL(endpoint);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    return new RawConnection(socket);
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Bytes that came and were not taken yet. */
  get pendingBytes(): number {
    return this.#received.byteLength;
  }

  close(): void {
    this.socket.destroy();
  }

  /** True once the server closed its side and nothing is left to read. */
  async isClosedByServer(): Promise<boolean> {
    while (!this.#isClosed) await this.#more();
    return this.#received.byteLength === 0;
  }

  /** The next final response; undefined when the server closed without one. */
  async response(isHead = false): Promise<RawResponse | undefined> {
    const interim: number[] = [];
    for (;;) {
      const head = await this.#head();
      if (head === undefined) return undefined;
      const { status, headers } = head;
      if (status >= 200) return this.#finish({ status, headers, interim }, isHead);
      interim.push(status);
    }
  }

  async #more(): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async #head(): Promise<{ status: number; headers: Map<string, string> } | undefined> {
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end >= 0) {
        const [statusLine = "", ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
        this.#received = this.#received.subarray(end + 4);
        const headers = new Map<string, string>();
        for (const line of lines) {
          const colon = line.indexOf(":");
          const name = line.slice(0, colon).toLowerCase();
          const value = line.slice(colon + 1).trim();
          headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
        }
        return { status: Number(statusLine.split(" ")[1]), headers };
      }
      if (this.#isClosed) return undefined;
      await this.#more();
    }
  }

  async #finish(
    head: { status: number; headers: Map<string, string>; interim: readonly number[] },
    isHead: boolean,
  ): Promise<RawResponse> {
    const hasBody = !isHead && head.status !== 204 && head.status !== 304;
    const length = hasBody ? Number(head.headers.get("content-length") ?? Number.NaN) : 0;
    while (!(this.#received.byteLength >= length) && !this.#isClosed) await this.#more();
    const end = Number.isNaN(length) ? this.#received.byteLength : length;
    const body = this.#received.subarray(0, end);
    this.#received = this.#received.subarray(body.byteLength);
    const isWhole = Number.isNaN(length) || body.byteLength === length;
    return { ...head, body, text: body.toString("utf8"), isWhole };
  }
}

/** Sends `bytes` on a connection of its own and takes the answer. */
export async function sendRaw(
  endpoint: string,
  bytes: Uint8Array | string,
  isHead = false,
): Promise<RawResponse> {
  const connection = await RawConnection.open(endpoint);
  try {
    connection.write(bytes);
    const response = await connection.response(isHead);
    if (response === undefined) throw new Error("the server closed without an answer");
    return response;
  } finally {
    connection.close();
  }
}
