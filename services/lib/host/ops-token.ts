// Who may ask a process to do something on its operations port, which is plain HTTP and open to
// whoever scrapes figures: who knows the secret of the cluster. The token is no key of anything
// else, and is sent only to addresses of the process itself.
import { createHmac, timingSafeEqual } from "node:crypto";

const PREFIX = "Bearer ";

export function opsToken(clusterSecret: string): string {
  return createHmac("sha256", clusterSecret).update("dolium operations port v1").digest("hex");
}

/** The value of the header `authorization`. */
export function opsAuthorization(token: string): string {
  return `${PREFIX}${token}`;
}

export function isAuthorized(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ""), Buffer.from(opsAuthorization(token))];
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted);
}
