// A relay between a client and a gateway that counts what passes and can hold, break or change it,
// so that tests interrupt transfers at a known point and never by time.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Verdict =
  | "pass"
  /** Never answered. */
  | "hold"
  /** The body is cut in its middle and the connection destroyed. */
  | "cut"
  /** 403 without asking the gateway. */
  | "refuse"
  /** One byte of the body is another. */
  | "spoil";

export class Relay {
  readonly endpoint: string;
  /** `METHOD target` of everything that was asked, in order. */
  readonly asked: string[] = [];
  judge: (asked: string) => Verdict = () => "pass";
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, port: number) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(upstream: string): Promise<Relay> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A TCP server has such an address.
    const relay = new Relay(server, (server.address() as AddressInfo).port);
    server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      relay.#pass(new URL(upstream), incoming, outgoing);
    });
    return relay;
  }

  count(pattern: RegExp): number {
    return this.asked.filter((line) => pattern.test(line)).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(upstream: URL, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const asked = `${incoming.method} ${incoming.url}`;
    this.asked.push(asked);
    const verdict = this.judge(asked);
    const { method, url: path, headers } = incoming;
    if (verdict === "refuse") {
      incoming.resume();
      outgoing.writeHead(403).end();
      return;
    }
    const onward = request(
      {
        host: upstream.hostname,
        port: upstream.port,
        method: method ?? "GET",
        path: path ?? "/",
        headers,
      },
      (answer) => {
        if (verdict === "hold") {
          answer.resume();
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        if (verdict === "pass") answer.pipe(outgoing);
        else change(answer, outgoing, verdict);
      },
    );
    // Either side may go at any time: that is what is tested.
    onward.on("error", () => outgoing.destroy());
    incoming.on("error", () => onward.destroy());
    outgoing.on("error", () => onward.destroy());
    incoming.pipe(onward);
  }
}

function change(answer: IncomingMessage, outgoing: ServerResponse, verdict: "cut" | "spoil"): void {
  const pieces: Buffer[] = [];
  answer.on("data", (piece: Buffer) => pieces.push(piece));
  answer.on("end", () => {
    const body = Buffer.concat(pieces);
    const middle = Math.floor(body.byteLength / 2);
    if (verdict === "spoil") {
      body[middle] = (body[middle] ?? 0) ^ 1;
      outgoing.end(body);
      return;
    }
    outgoing.write(body.subarray(0, middle), () => outgoing.destroy());
  });
}
