// A request as the protocol library understood it, before anything is looked up: raw target,
// headers, bucket and key. Nothing here has been authenticated.
import {
  type Address,
  checkKey,
  parseBucketView,
  resolveAddress,
  type ServiceName,
} from "../lib/s3/addressing.ts";
import { HeaderList } from "../lib/s3/headers.ts";
import {
  type Authority,
  parseRequestTarget,
  type RequestTarget,
  requestAuthority,
} from "../lib/s3/request-target.ts";

import {
  originOf,
  type RequestOrigin,
  type SocketFacts,
  TrustedProxies,
} from "./identity/request-origin.ts";

export interface S3Request {
  readonly requestId: string;
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: HeaderList;
  /** Bucket and key as they are stored. */
  readonly address: Address;
  /** The part of the bucket that the request addresses as a bucket; missing for a whole bucket. */
  readonly view?: RequestView;
  /** The host is that of a web site: no request of the API. */
  readonly isWebsite: boolean;
  /** Wall clock when the header section had arrived, milliseconds since 1970. */
  readonly receivedMs: number;
  /** Who is at the other end, as far as socket and trusted proxies tell. */
  readonly origin: RequestOrigin;
}

export interface RequestView {
  /** As the client wrote it: `a:b:c`. */
  readonly name: string;
  /** Of every key in it; ends with `/`. The key of the address begins with it. */
  readonly prefix: string;
}

export interface RawRequest {
  readonly requestId: string;
  readonly method: string;
  /** The request target, byte for byte. */
  readonly rawTarget: string;
  readonly rawHeaders: readonly string[];
  readonly receivedMs: number;
  /** What the socket says; nothing unless told. */
  readonly socket?: SocketFacts;
}

export interface AddressSettings {
  readonly serviceNames: readonly ServiceName[];
  readonly basePaths: readonly string[];
  /** Names under which buckets are web sites. */
  readonly websiteNames?: readonly ServiceName[];
  /** Names like `a:b:c` are views; off unless told. */
  readonly bucketViews?: boolean;
  /** Proxies whose X-Forwarded- headers are believed; none unless told. */
  readonly trustedProxies?: TrustedProxies;
}

const NO_PROXIES = new TrustedProxies([]);
const NO_SOCKET: SocketFacts = { remoteAddress: "", isSecure: false, certificate: undefined };

/** Throws S3Error: InvalidURI, InvalidArgument (headers), KeyTooLongError, InvalidBucketName. */
export function parseRequest(raw: RawRequest, settings: AddressSettings): S3Request {
  const headers = HeaderList.fromRaw(raw.rawHeaders);
  const target = parseRequestTarget(raw.rawTarget);
  const host = requestAuthority(target, headers);
  const isWebsite = host !== undefined && isWebsiteHost(host, settings.websiteNames ?? []);
  const names = isWebsite ? { serviceNames: settings.websiteNames ?? [] } : settings;
  const addressed = resolveAddress(target, host, names);
  const viewed = settings.bucketViews === true && !isWebsite ? viewOf(addressed) : undefined;
  const { requestId, method, receivedMs } = raw;
  const place = viewed ?? { address: addressed };
  const origin = originOf(raw.socket ?? NO_SOCKET, headers, settings.trustedProxies ?? NO_PROXIES);
  return { requestId, method, target, headers, ...place, isWebsite, receivedMs, origin };
}

/** The bucket and key behind a view; undefined when the name is none. */
function viewOf({ style, bucket: name, key }: Address): Pick<S3Request, "address" | "view"> {
  const found = name === undefined ? undefined : parseBucketView(name);
  if (name === undefined || found === undefined) return { address: { style, bucket: name, key } };
  const { bucket } = found;
  // A prefix that leaves no room for a key is refused for every request.
  const prefix = checkKey(found.prefix);
  const stored = key === undefined ? undefined : checkKey(prefix + key);
  return { address: { style, bucket, key: stored }, view: { name, prefix } };
}

function isWebsiteHost(host: Authority, serviceNames: readonly ServiceName[]): boolean {
  // The path says nothing about the host, and a bad one is refused where it belongs.
  const root = parseRequestTarget("/");
  return resolveAddress(root, host, { serviceNames }).style === "virtual-host";
}

const AUTH_PARAMETERS = ["X-Amz-Signature", "Signature"];

/** True when the request carries a signature, good or bad. */
export function isSigned({ headers, target }: S3Request): boolean {
  return headers.has("authorization") || AUTH_PARAMETERS.some((name) => target.query.has(name));
}
