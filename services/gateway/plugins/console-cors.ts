// The console on the admin port is of another origin than S3, and reads and writes objects by
// signed addresses. Its pages, and those of no other origin, may do so whatever the CORS setting
// of a bucket says: the page must come from the same host, by the port that this gateway's own
// console has. No cookie counts on the S3 port, so a page can do no more than its signed
// addresses allow.
import type { CorsRule } from "../../lib/s3/settings/cors.ts";
import type { S3Request } from "../request.ts";

const ORIGIN = /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+):([0-9]{1,5})$/;
const EXPOSED = [
  "ETag",
  "Content-Length",
  "Content-Range",
  "Last-Modified",
  "x-amz-version-id",
  "x-amz-request-id",
];
const MAX_AGE_SECONDS = 3600;

/** The rule for a request of a console page; undefined for those of every other origin. */
export function consoleCorsRule(
  { headers }: Pick<S3Request, "headers">,
  adminPort: number | undefined,
): CorsRule | undefined {
  const origin = headers.get("origin");
  const match = origin === undefined ? null : ORIGIN.exec(origin);
  if (origin === undefined || match === null || adminPort === undefined) return undefined;
  const [, pageHost, pagePort] = match;
  const host = (headers.get("host") ?? "").toLowerCase().replace(/:[0-9]+$/, "");
  if (pageHost !== host || Number(pagePort) !== adminPort) return undefined;
  return {
    id: undefined,
    origins: [origin],
    methods: ["GET", "PUT", "POST", "DELETE", "HEAD"],
    headers: ["*"],
    exposeHeaders: EXPOSED,
    maxAgeSeconds: MAX_AGE_SECONDS,
  };
}
