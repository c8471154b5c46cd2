// A key store of an operator on a free port of loopback: answers with JSON from a table, or with
// whatever a test says instead. Keeps what it was asked, and with which token.
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";

export interface StoredKey {
  readonly secretKey: string;
  readonly user: string;
}

export class KeyStore {
  readonly keys = new Map<string, StoredKey>();
  /** Last segments of paths that were asked for, as they came. */
  readonly asked: string[] = [];
  /** Authorization of the last question. */
  shown: string | undefined;
  /** In place of an answer from the table. */
  answer: ((response: ServerResponse) => void) | undefined;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  /** `tls`: PEM of a certificate for 127.0.0.1 and its key. */
  static async start(tls?: { readonly cert: string; readonly key: string }): Promise<KeyStore> {
    let here: KeyStore | undefined;
    const listen: RequestListener = (request, response) => {
      here?.serve(request.url ?? "", request.headers.authorization, response);
    };
    const server = tls === undefined ? createServer(listen) : createSecureServer(tls, listen);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    here = new KeyStore(server, `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/keys`);
    return here;
  }

  serve(path: string, authorization: string | undefined, response: ServerResponse): void {
    const id = path.replace(/^\/keys\//, "");
    this.asked.push(id);
    this.shown = authorization;
    const key = this.keys.get(decodeURIComponent(id));
    if (this.answer !== undefined) this.answer(response);
    else if (key === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify({ ...key, comment: "a field of the operator's own" }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
