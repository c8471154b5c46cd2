// Ports for the processes of a local cluster. They are kept for its whole life, so they are taken
// from below the range out of which systems draw the ports of outgoing connections (32768 and up on
// Linux, 49152 by RFC 6335): a restarted process must find its port as it left it. Each cluster
// draws a block of its own.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const BLOCK_PORTS = 32;
const BLOCKS = Math.floor((LAST_PORT - FIRST_PORT) / BLOCK_PORTS);
const TRIES_MAX = 1000;

export class FreePorts {
  #next = 0;
  #left = 0;

  /** A port of loopback that nobody listens on now. */
  async take(): Promise<number> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (this.#left === 0) {
        this.#next = FIRST_PORT + randomInt(BLOCKS) * BLOCK_PORTS;
        this.#left = BLOCK_PORTS;
      }
      const port = this.#next;
      this.#next += 1;
      this.#left -= 1;
      if (await isFree(port)) return port;
    }
    throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT}`);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}
