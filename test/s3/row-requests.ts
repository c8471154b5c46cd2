// A request for each row of the operation table, for tests that ask for all of them.
import { createHash } from "node:crypto";
import type { Operation } from "../../services/gateway/operation.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import type { Call } from "./caller.ts";

const QUERY_VALUES: Readonly<Record<string, string>> = {
  uploadId: "0".repeat(32),
  partNumber: "1",
};
const HEADER_VALUES: Readonly<Record<string, string>> = { "x-amz-write-offset-bytes": "0" };
const DELETION = "<Delete><Object><Key>key</Key></Object></Delete>";
const BOUNDARY = "boundary-of-the-form";
const FORM = [
  `--${BOUNDARY}`,
  'Content-Disposition: form-data; name="key"',
  "",
  "key",
  `--${BOUNDARY}`,
  'Content-Disposition: form-data; name="file"; filename="f"',
  "",
  "content",
  `--${BOUNDARY}--`,
  "",
].join("\r\n");

/** A request that reaches the row; whether it then succeeds is another matter. */
export function requestOf({ match, method, name }: Operation, bucket: string): Call {
  const path =
    match.level === "service" ? "/" : `/${bucket}${match.level === "object" ? "/key" : ""}`;
  const pairs = (match.query ?? []).map((query) =>
    QUERY_VALUES[query] === undefined ? query : `${query}=${QUERY_VALUES[query]}`,
  );
  if (match.queryValue !== undefined) pairs.push(match.queryValue.join("="));
  const target = pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
  const headers: HeaderField[] = [];
  if (match.header === "x-amz-copy-source") headers.push([match.header, `/${bucket}/stays`]);
  else if (match.header !== undefined) {
    headers.push([match.header, HEADER_VALUES[match.header] ?? "true"]);
  }
  if (name === "DeleteObjects") {
    headers.push(["Content-MD5", createHash("md5").update(DELETION).digest("base64")]);
    return { method, target, headers, body: DELETION };
  }
  if (name === "PostObject") {
    headers.push(["Content-Type", `multipart/form-data; boundary=${BOUNDARY}`]);
    return { method, target, headers, body: FORM };
  }
  return { method, target, headers, ...(method === "PUT" ? { body: "x" } : {}) };
}
