// Asks one address of an endpoint, as a client that the name led there would: the name stays in the
// Host header and in TLS, only the look-up is left out. Certificates are looked at, not believed:
// what is wrong with them is a fact to report.
import { createHash, type X509Certificate } from "node:crypto";
import { lookup } from "node:dns/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { TLSSocket } from "node:tls";
import { signHeaders } from "../../lib/s3/sigv4/sign.ts";
import type { Keys } from "../objects/connection.ts";

const PROBE_MS = 10_000;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Every request asks for the whole state of a cluster; slow ones are asked under load. */
const CLUSTER_MS = 30_000;

export interface CertificateFacts {
  /** Why a client would refuse it; empty: it would not. */
  readonly refusal: string;
  readonly coversHost: boolean;
  /** `bucket.host`, which virtual-host style asks for; true for addresses, which have no names. */
  readonly coversBuckets: boolean;
  /** Of the certificate in the chain that ends first, in milliseconds since 1970. */
  readonly endsMs: number;
  readonly subject: string;
}

export interface Answered {
  readonly kind: "answered";
  readonly address: string;
  readonly status: number;
  /** By the Date header, whole seconds; undefined: none, or none that can be read. */
  readonly dateMs: number | undefined;
  /** Our own clock around it. */
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly certificate: CertificateFacts | undefined;
  /** Of the cluster that answers; undefined: it does not say, or not to these keys. */
  readonly clusterId: string | undefined;
}

export interface Silent {
  readonly kind: "silent";
  readonly address: string;
  readonly reason: string;
}

export type Probe = Answered | Silent;

/** Addresses that a name leads to, by the machine's own resolver. Throws where there is none. */
export async function addressesOf(url: URL): Promise<string[]> {
  const host = hostOf(url);
  if (isIP(host) !== 0) return [host];
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

/** `keys`: with them the cluster is asked for its identity. */
export async function probe(url: URL, address: string, keys: Keys | undefined): Promise<Probe> {
  try {
    const first = await exchange({ url, address, method: "HEAD", target: "/", ms: PROBE_MS });
    const clusterId = keys === undefined ? undefined : await clusterIdOf(url, address, keys);
    const date = Date.parse(first.date);
    return {
      kind: "answered",
      address,
      status: first.status,
      dateMs: Number.isNaN(date) ? undefined : date,
      sentMs: first.sentMs,
      receivedMs: first.receivedMs,
      certificate: first.certificate,
      clusterId,
    };
  } catch (error) {
    return { kind: "silent", address, reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === "" && "code" in error ? String(error.code) : error.message;
}

const CLUSTER_PATH = "/_admin/api/v1/cluster";

async function clusterIdOf(url: URL, address: string, keys: Keys): Promise<string | undefined> {
  const { accessKeyId, secretAccessKey: secret, sessionToken } = keys;
  const token = sessionToken === undefined ? [] : [["X-Amz-Security-Token", sessionToken] as const];
  const { headers } = signHeaders(
    { method: "GET", target: CLUSTER_PATH, headers: [["Host", url.host], ...token] },
    { accessKeyId, secret, region: "us-east-1", nowMs: Date.now() },
    createHash("sha256").digest("hex"),
  );
  const how = { url, address, method: "GET", target: CLUSTER_PATH, headers, ms: CLUSTER_MS };
  const { status, body } = await exchange(how);
  return status === 200 ? idIn(body) : undefined;
}

/** Other servers answer the path in their own way. */
function idIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const isObject = typeof value === "object" && value !== null && "clusterId" in value;
    return isObject && typeof value.clusterId === "string" ? value.clusterId : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Exchange {
  readonly url: URL;
  readonly address: string;
  readonly method: string;
  readonly target: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly ms: number;
}

interface Exchanged {
  readonly status: number;
  readonly date: string;
  readonly body: string;
  readonly sentMs: number;
  readonly receivedMs: number;
  readonly certificate: CertificateFacts | undefined;
}

async function exchange(how: Exchange): Promise<Exchanged> {
  const { url, address, method, target, headers = [] } = how;
  const isSecure = url.protocol === "https:";
  const host = hostOf(url);
  const options = {
    host: address,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    method,
    path: target,
    headers: { ...Object.fromEntries(headers), host: url.host },
    agent: false,
    signal: AbortSignal.timeout(how.ms),
    ...(isSecure ? { rejectUnauthorized: false } : {}),
    // Addresses are no server names.
    ...(isSecure && isIP(host) === 0 ? { servername: host } : {}),
  } as const;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sentMs = Date.now();
  const request = isSecure ? httpsRequest(options, resolve) : httpRequest(options, resolve);
  request.once("error", reject);
  request.end();
  const answer = await promise;
  const receivedMs = Date.now();
  const certificate =
    answer.socket instanceof TLSSocket ? certificateFacts(answer.socket, host) : undefined;
  return {
    status: answer.statusCode ?? 0,
    date: answer.headers.date ?? "",
    body: await textOf(answer),
    sentMs,
    receivedMs,
    certificate,
  };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function certificateFacts(socket: TLSSocket, host: string): CertificateFacts | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return undefined;
  const isAddress = isIP(host) !== 0;
  const covers = isAddress ? leaf.checkIP(host) : leaf.checkHost(host);
  return {
    refusal: socket.authorized ? "" : String(socket.authorizationError),
    coversHost: covers !== undefined,
    coversBuckets: isAddress || leaf.checkHost(`any-bucket.${host}`) !== undefined,
    endsMs: Math.min(...chainOf(leaf).map(({ validTo }) => Date.parse(validTo))),
    subject: leaf.subject.replaceAll("\n", ", "),
  };
}

/** The certificate and those that vouch for it. */
function chainOf(leaf: X509Certificate): X509Certificate[] {
  const chain = [leaf];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) {
    // A root vouches for itself.
    const seen = next;
    if (chain.some(({ fingerprint256 }) => fingerprint256 === seen.fingerprint256)) break;
    chain.push(next);
  }
  return chain;
}
