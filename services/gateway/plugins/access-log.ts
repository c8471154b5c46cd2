// Server access logs: one line for each request to a bucket that has logging on, refused ones
// included. Where a request was answered before its bucket was known, the bucket is looked up
// afterwards, in bounded number, so that nobody is slowed down by it. Source: Amazon S3 user guide,
// "Amazon S3 server access log format".

import type { Log } from "../../lib/ports/log.ts";
import type { Counter } from "../../lib/ports/metrics.ts";
import type { HeaderField } from "../../lib/s3/headers.ts";
import { parseDecimal } from "../../lib/s3/integers.ts";
import {
  type AccessLogEntry,
  accessLogLine,
  type BucketLogging,
  parseLogging,
} from "../../lib/s3/settings/logging.ts";
import type { AccessLogQueue } from "../data/access-log.ts";
import { type SettingKind, settingDocument } from "../data/bucket-settings.ts";
import type { Gateway } from "../operation.ts";
import { isSigned, type S3Request } from "../request.ts";
import { levelOf } from "../router.ts";
import { isSubresource } from "../subresources.ts";

const LOGGING: SettingKind<BucketLogging | undefined> = { name: "logging", parse: parseLogging };
const LOOKUPS_MAX = 64;
/** These say that there is no bucket to ask. */
const NO_BUCKET: ReadonlySet<string> = new Set(["InvalidBucketName", "InvalidURI", "NoSuchBucket"]);

/** What is known of a request when its answer is out. */
export interface ServedRequest {
  readonly request: S3Request;
  readonly rawTarget: string;
  readonly httpVersion: string;
  readonly remoteAddress: string | undefined;
  /** User who asked; undefined when anonymous or not proven. */
  readonly requester: string | undefined;
  readonly hostId: string;
  readonly status: number;
  readonly errorCode: string | undefined;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Of the answer. */
  readonly headers: readonly HeaderField[];
  readonly totalMs: number;
  readonly firstByteMs: number | undefined;
  /** `WEBSITE` for a page of a web site. */
  readonly interface: "REST" | "WEBSITE";
}

export class AccessLogging {
  readonly #gateway: Pick<Gateway, "bucketSettings" | "dependencies">;
  readonly #queue: AccessLogQueue;
  readonly #skipped: Counter;
  readonly #log: Log;
  readonly #lookups = new Set<Promise<void>>();

  constructor(gateway: Pick<Gateway, "bucketSettings" | "dependencies">, queue: AccessLogQueue) {
    this.#gateway = gateway;
    this.#queue = queue;
    this.#log = gateway.dependencies.log;
    this.#skipped = gateway.dependencies.metrics.counter("s3_access_log_skipped_total", {
      help: "Requests that were not logged because their bucket could not be looked up.",
    });
  }

  /** Logs the request if its bucket wants that. Never throws and never waits. */
  record(served: ServedRequest): void {
    const name = served.request.address.bucket;
    if (name === undefined || NO_BUCKET.has(served.errorCode ?? "")) return;
    const { buckets } = this.#gateway.dependencies;
    const known = buckets.known(name);
    if (known !== undefined && settingDocument(known, LOGGING.name) === undefined) return;
    if (this.#lookups.size >= LOOKUPS_MAX) {
      this.#skipped.increment();
      return;
    }
    const lookup = this.#add(name, served).finally(() => this.#lookups.delete(lookup));
    this.#lookups.add(lookup);
  }

  /** Resolves when every line was handed over or given up. */
  async close(): Promise<void> {
    await Promise.all(this.#lookups);
    await this.#queue.close();
  }

  async #add(name: string, served: ServedRequest): Promise<void> {
    try {
      const bucket = await this.#gateway.dependencies.buckets.get(name);
      if (bucket === undefined) return;
      if (this.#gateway.bucketSettings.read(bucket, LOGGING) === undefined) return;
      const entry = accessLogEntry(served, { bucket: name, bucketOwner: bucket.owner });
      this.#queue.add(bucket, accessLogLine(entry));
    } catch (error) {
      this.#skipped.increment();
      this.#log.warn("a request is missing in an access log", { bucket: name, error });
    }
  }
}

function accessLogEntry(
  served: ServedRequest,
  names: Pick<AccessLogEntry, "bucket" | "bucketOwner">,
): AccessLogEntry {
  const { request, firstByteMs, receivedBytes } = served;
  const { headers, method } = request;
  return {
    ...names,
    timeMs: request.receivedMs,
    remoteAddress: served.remoteAddress,
    requester: served.requester,
    requestId: request.requestId,
    operation: `${served.interface}.${logOperation(request)}`,
    key: request.address.key,
    requestLine: `${method} ${served.rawTarget} HTTP/${served.httpVersion}`,
    status: served.status,
    errorCode: served.errorCode,
    bytesSent: served.sentBytes,
    objectSize: objectSize(served),
    totalMs: served.totalMs,
    // From the last byte of a body on, and when that came is not known.
    turnAroundMs: receivedBytes === 0 ? firstByteMs : undefined,
    referer: headers.get("referer"),
    userAgent: headers.get("user-agent"),
    versionId: answerHeader(served, "x-amz-version-id"),
    hostId: served.hostId,
    ...authenticationOf(request),
    hostHeader: headers.get("host"),
    cipherSuite: undefined,
    tlsVersion: undefined,
    aclRequired: false,
  };
}

/** How AWS calls sub-resources in its logs, where that is not their name in capitals. */
const RESOURCES: ReadonlyMap<string, string> = new Map([
  ["delete", "MULTI_OBJECT_DELETE"],
  ["legal-hold", "LEGAL_HOLD"],
  ["logging", "LOGGING_STATUS"],
  ["object-lock", "OBJECT_LOCK_CONFIGURATION"],
  ["ownershipControls", "OWNERSHIP_CONTROLS"],
  ["policy", "BUCKETPOLICY"],
  ["policyStatus", "BUCKETPOLICYSTATUS"],
  ["publicAccessBlock", "PUBLIC_ACCESS_BLOCK"],
  ["requestPayment", "REQUEST_PAYMENT"],
  ["versions", "BUCKETVERSIONS"],
]);

/** `GET.OBJECT` and its like. */
function logOperation(request: S3Request): string {
  const { method, headers, target } = request;
  if (method === "OPTIONS") return "OPTIONS.PREFLIGHT";
  const level = levelOf(request);
  const name = target.query.list.find((one) => isSubresource(level, one.name))?.name;
  const verb = method === "PUT" && headers.has("x-amz-copy-source") ? "COPY" : method;
  if (name === undefined) return `${verb}.${level.toUpperCase()}`;
  if (name === "uploadId") return `${verb}.${method === "PUT" ? "PART" : "UPLOAD"}`;
  if (name === "tagging" && level === "object") return `${verb}.OBJECT_TAGGING`;
  return `${verb}.${RESOURCES.get(name) ?? name.toUpperCase().replaceAll("-", "_")}`;
}

function objectSize(served: ServedRequest): number | undefined {
  const { request, status } = served;
  const { method, headers, address } = request;
  if (address.key === undefined || status >= 300) return undefined;
  if (method === "PUT" || method === "POST") {
    const decoded = headers.get("x-amz-decoded-content-length") ?? headers.get("content-length");
    return decoded === undefined ? undefined : parseDecimal(decoded);
  }
  const total = answerHeader(served, "content-range")?.split("/")[1];
  if (total !== undefined) return parseDecimal(total);
  return method === "GET" ? served.sentBytes : undefined;
}

function answerHeader({ headers }: ServedRequest, name: string): string | undefined {
  return headers.find(([field]) => field.toLowerCase() === name)?.[1];
}

function authenticationOf(
  request: S3Request,
): Pick<AccessLogEntry, "authenticationType" | "signatureVersion"> {
  if (!isSigned(request)) return { authenticationType: undefined, signatureVersion: undefined };
  const header = request.headers.get("authorization");
  const isV4 =
    header === undefined ? request.target.query.has("X-Amz-Signature") : header.startsWith("AWS4");
  return {
    authenticationType: header === undefined ? "QueryString" : "AuthHeader",
    signatureVersion: isV4 ? "SigV4" : "SigV2",
  };
}
