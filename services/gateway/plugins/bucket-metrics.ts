// Figures of single buckets, for a page of their own (`/metrics/buckets`): what each holds and may
// hold, cluster-wide, and the requests that this gateway served. Names of buckets are chosen by
// users, so at most `bucketLabels` of them become labels, the largest first; the rest is summed as
// `_other`. A name is counted by itself only once a request for it was answered well, so that
// names nobody has cannot push out those that are there.
import { ROOT_GROUP } from "../../lib/clients/groups.ts";
import type { MetadataClient } from "../../lib/clients/metadata-client.ts";
import { type UsageTotals, usageOfBuckets } from "../../lib/clients/user-usage.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Counter, Gauge, Metrics } from "../../lib/ports/metrics.ts";
import { parseQuota } from "../../lib/s3/settings/quota.ts";
import type { ObservedRequest, RequestObserver } from "../observer.ts";

/** No bucket can be called so. */
const OTHER = "_other";
const PAGE = 1000;
/** What buckets hold is asked anew after this. */
const KEPT_MS = 15_000;

export interface BucketMetricsDeps {
  readonly metadata: Pick<MetadataClient, "query">;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Of the page alone: its figures are not on `/metrics`. */
  readonly metrics: Metrics;
  /** How many buckets have figures of their own. */
  readonly bucketLabels: number;
}

interface Holding {
  readonly name: string;
  readonly usage: UsageTotals;
  /** 0: no limit. */
  readonly quotaBytes: number;
}

export class BucketMetrics implements RequestObserver {
  readonly #deps: BucketMetricsDeps;
  readonly #requests: Counter;
  readonly #received: Counter;
  readonly #sent: Counter;
  readonly #usage: Gauge;
  readonly #objects: Gauge;
  readonly #versions: Gauge;
  readonly #quota: Gauge;
  /** Buckets whose requests are counted by name. */
  readonly #counted = new Set<string>();
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(deps: BucketMetricsDeps) {
    this.#deps = deps;
    const { metrics } = deps;
    const labels = ["bucket"];
    const gauge = (name: string, help: string): Gauge => metrics.gauge(name, { help, labels });
    const counter = (name: string, help: string): Counter =>
      metrics.counter(name, { help, labels });
    this.#usage = gauge("bucket_usage_bytes", "Bytes of all versions, cluster-wide.");
    this.#objects = gauge("bucket_objects", "Versions that are no delete markers.");
    this.#versions = gauge("bucket_versions", "Versions and delete markers.");
    this.#quota = gauge("bucket_quota_bytes", "Bytes that the bucket may hold; 0: no limit.");
    this.#requests = metrics.counter("bucket_requests_total", {
      help: "Requests that this gateway answered, by class (read, list, write).",
      labels: ["bucket", "class"],
    });
    this.#received = counter("bucket_received_bytes_total", "Bytes of request bodies.");
    this.#sent = counter("bucket_sent_bytes_total", "Bytes of response bodies.");
  }

  observe(request: ObservedRequest): void {
    if (request.bucket === undefined) return;
    const bucket = this.#labelOf(request.bucket, request.status);
    this.#requests.increment({ bucket, class: classOf(request.operation) });
    if (request.receivedBytes > 0) this.#received.increment({ bucket }, request.receivedBytes);
    if (request.sentBytes > 0) this.#sent.increment({ bucket }, request.sentBytes);
  }

  /** Before the page is shown. Throws what the metadata service does; old figures then stay. */
  async refresh(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#askedMs < KEPT_MS) return;
    const holdings = await this.#holdings();
    this.#askedMs = nowMs;
    for (const gauge of [this.#usage, this.#objects, this.#versions, this.#quota]) gauge.clear();
    const { bucketLabels } = this.#deps;
    const sorted = holdings.toSorted((a, b) => Number(b.usage.bytes - a.usage.bytes));
    for (const holding of sorted.slice(0, bucketLabels)) this.#show(holding);
    const rest = sorted.slice(bucketLabels);
    if (rest.length > 0) this.#show({ name: OTHER, usage: sumOf(rest), quotaBytes: 0 });
  }

  #show({ name, usage, quotaBytes }: Holding): void {
    const labels = { bucket: name };
    this.#usage.set(Number(usage.bytes), labels);
    this.#objects.set(Number(usage.objects), labels);
    this.#versions.set(Number(usage.versions), labels);
    if (name !== OTHER) this.#quota.set(quotaBytes, labels);
  }

  #labelOf(bucket: string, status: number): string {
    if (this.#counted.has(bucket)) return bucket;
    const isThere = status >= 200 && status < 400;
    if (!isThere || this.#counted.size >= this.#deps.bucketLabels) return OTHER;
    this.#counted.add(bucket);
    return bucket;
  }

  async #holdings(): Promise<Holding[]> {
    const { metadata } = this.#deps;
    const holdings: Holding[] = [];
    let afterName = "";
    for (;;) {
      const value = { owner: "", afterName, limit: PAGE };
      const page = await metadata.query(ROOT_GROUP, { case: "listBuckets", value });
      const usages = await usageOfBuckets(metadata, page.buckets);
      for (const bucket of page.buckets) {
        const usage = usages.get(bucket.bucketId);
        if (usage === undefined) continue;
        holdings.push({ name: bucket.name, usage, quotaBytes: quotaOf(bucket) });
      }
      const last = page.buckets.at(-1);
      if (!page.truncated || last === undefined) return holdings;
      afterName = last.name;
    }
  }
}

function quotaOf({ settings }: BucketRecord): number {
  const setting = settings.find(({ name }) => name === "quota");
  return setting === undefined ? 0 : (parseQuota(setting.document).bytes ?? 0);
}

function sumOf(holdings: readonly Holding[]): UsageTotals {
  const total = (field: keyof UsageTotals): bigint =>
    holdings.reduce((sum, { usage }) => sum + usage[field], 0n);
  return {
    objects: total("objects"),
    versions: total("versions"),
    bytes: total("bytes"),
    uploadBytes: total("uploadBytes"),
  };
}

function classOf(operation: string): string {
  if (operation.startsWith("List")) return "list";
  return /^(Get|Head|Select|Website|Preflight)/.test(operation) ? "read" : "write";
}
