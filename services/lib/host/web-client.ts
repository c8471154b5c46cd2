// The web port over node:http and node:https: one connection a request, the answer whole or not at
// all. With `publicOnly` the address is checked at the moment of connecting, after its name was
// resolved, so that a name which changes its mind (rebinding) gains nothing.
import { lookup as lookupName } from "node:dns";
import type { RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { StoreError } from "../base/errors.ts";
import type { WebAnswer, WebClient, WebRequest } from "../ports/web.ts";
import { parseHttpUrl } from "./http-agents.ts";
import { request as requestHttp } from "./node-http.ts";
import { systemCode } from "./system-error.ts";

/** IANA special-purpose address registries: nothing of it is reachable for everybody. */
const SPECIAL: readonly (readonly [string, number, "ipv4" | "ipv6"])[] = [
  ["0.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"],
  ["224.0.0.0", 3, "ipv4"],
  ["::", 96, "ipv6"],
  ["64:ff9b::", 96, "ipv6"],
  ["2002::", 16, "ipv6"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"],
];

export interface WebClientOptions {
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string;
}

export function createWebClient(options: WebClientOptions = {}): WebClient {
  const special = new BlockList();
  for (const [network, prefix, family] of SPECIAL) special.addSubnet(network, prefix, family);
  return {
    fetch: async (request) => {
      const url = parseHttpUrl(request.url);
      if (request.publicOnly) refuseSpecialLiteral(url.hostname, special);
      return send(request, url, {
        method: request.method,
        agent: false,
        headers: headersOf(request),
        ...(options.ca === undefined ? {} : { ca: options.ca }),
        ...(request.publicOnly ? { lookup: publicLookup(special) } : {}),
      });
    },
  };
}

/** True for addresses that nobody outside could have meant. */
function isSpecial(address: string, special: BlockList): boolean {
  return special.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Literal addresses are connected to without a look-up. */
function refuseSpecialLiteral(hostname: string, special: BlockList): void {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && isSpecial(host, special)) throw notPublic();
}

function notPublic(): StoreError {
  return new StoreError("denied", "the address is not a public one");
}

function publicLookup(special: BlockList): LookupFunction {
  return (hostname, options, callback) => {
    lookupName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const [first] = addresses;
      const isPublic = addresses.every(({ address }) => !isSpecial(address, special));
      if (first === undefined || !isPublic) return callback(notPublic(), "", 0);
      if (options.all === true) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

function headersOf({ body, headers }: WebRequest): Record<string, string> {
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  return { ...headers, ...length };
}

function send(request: WebRequest, url: URL, settings: RequestOptions): Promise<WebAnswer> {
  const { deadlineMs, bytesMax, signal } = request;
  const { promise, resolve, reject } = Promise.withResolvers<WebAnswer>();
  if (signal?.aborted === true) throw new StoreError("aborted", "gave up");
  const start = url.protocol === "https:" ? requestHttps : requestHttp;
  const outgoing = start(url, settings);
  const stop = (error: StoreError): void => {
    reject(error);
    outgoing.destroy();
  };
  const late = (): void => stop(new StoreError("timeout", `no answer within ${deadlineMs} ms`));
  const timer = setTimeout(late, deadlineMs);
  const giveUp = (): void => stop(new StoreError("aborted", "gave up"));
  signal?.addEventListener("abort", giveUp, { once: true });
  outgoing.on("response", (response) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    response.on("data", (piece: Buffer) => {
      bytes += piece.byteLength;
      pieces.push(piece);
      if (bytes > bytesMax) stop(new StoreError("unavailable", "the answer is too long"));
    });
    response.on("end", () => {
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) });
    });
    response.on("error", (error) => reject(failure(error)));
  });
  outgoing.on("error", (error) => reject(failure(error)));
  outgoing.end(request.body);
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    outgoing.destroy();
  });
}

function failure(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
  return new StoreError("unavailable", `no answer: ${code}`, { cause: error });
}
