// The URL of an object under the host that the client used.
import { uriEncode } from "../../lib/s3/uri-encoding.ts";
import type { ObjectContext } from "../operation.ts";
import { shownBucket, shownKey } from "./bucket-view.ts";

export function objectLocation(context: ObjectContext): string {
  const { request } = context;
  const host = request.headers.get("host") ?? request.target.authority?.name ?? "";
  const path = uriEncode(shownKey(context), true);
  return request.address.style === "virtual-host"
    ? `http://${host}/${path}`
    : `http://${host}/${uriEncode(shownBucket(context), true)}/${path}`;
}
