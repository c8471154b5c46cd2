// Which requests of the S3 port are written to the audit log: changes of buckets and their settings
// always; refused ones and all writes where the settings say so.
import type { ObservedRequest, RequestObserver } from "../observer.ts";
import type { AuditLog } from "./audit-log.ts";

/** Operations that change what somebody may do, or how a bucket behaves. */
const CHANGE =
  /^(CreateBucket|DeleteBucket|(Put|Delete)(Bucket|PublicAccessBlock|ObjectLockConfiguration|ObjectAcl).*|SecurityTokenRequest)$/;
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export class AuditedRequests implements RequestObserver {
  readonly #audit: AuditLog;

  constructor(audit: AuditLog) {
    this.#audit = audit;
  }

  observe(request: ObservedRequest): void {
    if (!this.#isWanted(request)) return;
    const { requestId, endedMs, operation, bucket, key, errorCode, status } = request;
    this.#audit.record({
      kind: "s3",
      timeMs: endedMs,
      requestId,
      who: request.userId,
      accessKeyId: request.accessKeyId,
      source: request.remoteAddress,
      action: operation,
      resource: key === undefined ? (bucket ?? "") : `${bucket}/${key}`,
      result: errorCode ?? (status === 0 ? "aborted" : "ok"),
    });
  }

  #isWanted({ operation, method, status }: ObservedRequest): boolean {
    const { requests } = this.#audit;
    if (CHANGE.test(operation)) return true;
    if (requests === "changes") return false;
    if (status === 401 || status === 403) return true;
    return requests === "writes" && !READS.has(method);
  }
}
