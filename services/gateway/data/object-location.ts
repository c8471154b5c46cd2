// The URL of an object under the host that the client used.
import { uriEncode } from "../../lib/s3/uri-encoding.ts";
import type { ObjectContext } from "../operation.ts";

export function objectLocation({ request, bucket, keyText }: ObjectContext): string {
  const host = request.headers.get("host") ?? request.target.authority?.name ?? "";
  const path = uriEncode(keyText, true);
  return request.address.style === "virtual-host"
    ? `http://${host}/${path}`
    : `http://${host}/${bucket.name}/${path}`;
}
