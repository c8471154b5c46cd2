// The health paths that MinIO serves on its S3 port, for load balancers and test tools that know
// them. Only unsigned GET and HEAD are taken, so a bucket named `minio` stays possible: its
// requests are signed.
import { type Answer, emptyAnswer } from "../answer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { isSigned, type S3Request } from "../request.ts";

const CLUSTER_PATH = "/minio/health/cluster";
const LIVE_PATHS: ReadonlySet<string> = new Set(["/minio/health/live"]);
const READY_PATHS: ReadonlySet<string> = new Set([
  "/minio/health/ready",
  CLUSTER_PATH,
  "/minio/health/cluster/read",
]);

/**
 * The answer when `request` asks for health, else undefined. `?maintenance=true` asks whether this
 * process may be taken down: 412 when it must stay.
 */
export function healthAnswer(
  request: S3Request,
  { isReady, mayStop }: Pick<GatewayDependencies, "isReady" | "mayStop">,
): Answer | Promise<Answer> | undefined {
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  const { rawPath } = request.target;
  const isLive = LIVE_PATHS.has(rawPath);
  if (!isLive && !READY_PATHS.has(rawPath)) return undefined;
  if (isSigned(request)) return undefined;
  const isLeaving = rawPath === CLUSTER_PATH && request.target.query.get("maintenance") === "true";
  if (isLeaving) return maintenanceAnswer(isReady() ? mayStop : () => Promise.resolve(false));
  return emptyAnswer(isLive || isReady() ? 200 : 503);
}

async function maintenanceAnswer(mayStop: GatewayDependencies["mayStop"]): Promise<Answer> {
  return emptyAnswer((await mayStop?.()) === false ? 412 : 200);
}
