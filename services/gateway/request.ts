// A request as the protocol library understood it, before anything is looked up: raw target,
// headers, bucket and key. Nothing here has been authenticated.
import { type Address, resolveAddress, type ServiceName } from "../lib/s3/addressing.ts";
import { HeaderList } from "../lib/s3/headers.ts";
import {
  type Authority,
  parseRequestTarget,
  type RequestTarget,
  requestAuthority,
} from "../lib/s3/request-target.ts";

export interface S3Request {
  readonly requestId: string;
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: HeaderList;
  readonly address: Address;
  /** The host is that of a web site: no request of the API. */
  readonly isWebsite: boolean;
  /** Wall clock when the header section had arrived, milliseconds since 1970. */
  readonly receivedMs: number;
}

export interface RawRequest {
  readonly requestId: string;
  readonly method: string;
  /** The request target, byte for byte. */
  readonly rawTarget: string;
  readonly rawHeaders: readonly string[];
  readonly receivedMs: number;
}

export interface AddressSettings {
  readonly serviceNames: readonly ServiceName[];
  readonly basePaths: readonly string[];
  /** Names under which buckets are web sites. */
  readonly websiteNames?: readonly ServiceName[];
}

/** Throws S3Error: InvalidURI, InvalidArgument (headers), KeyTooLongError, InvalidBucketName. */
export function parseRequest(raw: RawRequest, settings: AddressSettings): S3Request {
  const headers = HeaderList.fromRaw(raw.rawHeaders);
  const target = parseRequestTarget(raw.rawTarget);
  const host = requestAuthority(target, headers);
  const isWebsite = host !== undefined && isWebsiteHost(host, settings.websiteNames ?? []);
  const names = isWebsite ? { serviceNames: settings.websiteNames ?? [] } : settings;
  const address = resolveAddress(target, host, names);
  const { requestId, method, receivedMs } = raw;
  return { requestId, method, target, headers, address, isWebsite, receivedMs };
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
