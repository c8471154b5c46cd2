// The health paths that MinIO serves on its S3 port, for load balancers and test tools that know
// them. Only unsigned GET and HEAD are taken, so a bucket named `minio` stays possible: its
// requests are signed.
import { type Answer, emptyAnswer } from "../answer.ts";
import { isSigned, type S3Request } from "../request.ts";

const LIVE_PATHS: ReadonlySet<string> = new Set(["/minio/health/live"]);
const READY_PATHS: ReadonlySet<string> = new Set([
  "/minio/health/ready",
  "/minio/health/cluster",
  "/minio/health/cluster/read",
]);

/** The answer when `request` asks for health, else undefined. */
export function healthAnswer(request: S3Request, isReady: () => boolean): Answer | undefined {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const { rawPath } = request.target;
  const isLive = LIVE_PATHS.has(rawPath);
  if (!isLive && !READY_PATHS.has(rawPath)) return undefined;
  if (isSigned(request)) return undefined;
  return emptyAnswer(isLive || isReady() ? 200 : 503);
}
