// Ports for the processes of a local cluster. They are kept for its whole life, so they are taken
// from below the range out of which systems draw the ports of outgoing connections (32768 and up on
// Linux, 49152 by RFC 6335): a restarted process must find its port as it left it. Each cluster
// draws blocks of its own. The first port of a block is held by this process as long as it lives:
// others that draw meanwhile, before any process listens, pass the block by.
import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const BLOCK_PORTS = 32;
const BLOCKS = Math.floor((LAST_PORT - FIRST_PORT) / BLOCK_PORTS);
const TRIES_MAX = 1000;

export class FreePorts {
  readonly #reserved: ReadonlySet<number>;
  readonly #held: Server[] = [];
  #next = 0;
  #left = 0;

  /** `reserved`: ports that are spoken for, though nobody may listen on them yet. */
  constructor(reserved: Iterable<number> = []) {
    this.#reserved = new Set(reserved);
  }

  /** A port of loopback that nobody listens on now, out of a block that nobody else draws from. */
  async take(): Promise<number> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (this.#left === 0) {
        await this.#claimBlock();
        continue;
      }
      const port = this.#next;
      this.#next += 1;
      this.#left -= 1;
      if (this.#reserved.has(port)) continue;
      const server = await listen(port);
      if (server === undefined) continue;
      await close(server);
      return port;
    }
    throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
  }

  /** Lets others draw from the blocks again; ports that are listened on stay taken anyway. */
  async close(): Promise<void> {
    for (const server of this.#held.splice(0)) await close(server);
  }

  async #claimBlock(): Promise<void> {
    const first = FIRST_PORT + randomInt(BLOCKS) * BLOCK_PORTS;
    if (this.#reserved.has(first)) return;
    const server = await listen(first);
    if (server === undefined) return;
    server.unref();
    this.#held.push(server);
    this.#next = first + 1;
    this.#left = BLOCK_PORTS - 1;
  }
}

/** Undefined when somebody else has the port. */
function listen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve } = Promise.withResolvers<Server | undefined>();
  server.once("error", () => resolve(undefined));
  server.listen(port, "127.0.0.1", () => resolve(server));
  return promise;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
