// Request lines and headers, up to the row of the operation table: a path is never rewritten (a key
// is the very bytes that the client named), and whatever an action may read of headers and query
// is read or refused in words.
import assert from "node:assert/strict";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import { parseRequest, type S3Request } from "../../services/gateway/request.ts";
import { Router } from "../../services/gateway/router.ts";
import { parseCopySource } from "../../services/lib/s3/addressing.ts";
import {
  parseChecksumHeaders,
  parseContentMd5,
  parseMultipartChecksum,
  parseTrailerNames,
} from "../../services/lib/s3/checksum-headers.ts";
import {
  parseCopyConditions,
  parseDeleteConditions,
  parseReadConditions,
  parseWriteCondition,
} from "../../services/lib/s3/conditions.ts";
import { parseRequestedEncryption } from "../../services/lib/s3/encryption-headers.ts";
import { isS3Error } from "../../services/lib/s3/errors.ts";
import {
  parseListBuckets,
  parseListObjectsV1,
  parseListObjectsV2,
  parseListParts,
  parseListUploads,
  parseListVersions,
} from "../../services/lib/s3/list-query.ts";
import { parseAttributesRequest } from "../../services/lib/s3/object-attributes.ts";
import { collectSystemHeaders, collectUserMetadata } from "../../services/lib/s3/object-headers.ts";
import { parseAclHeaders } from "../../services/lib/s3/settings/acl.ts";
import { parseLockHeaders } from "../../services/lib/s3/settings/object-lock.ts";
import { parsePartNumber } from "../../services/lib/s3/xml-requests.ts";
import { NOW_MS } from "../unit/s3/signed-calls.ts";
import type { FuzzTarget } from "./fuzz.ts";

const router = new Router(OPERATIONS);
const SETTINGS = {
  serviceNames: [{ name: "s3.example.org", port: undefined }],
  basePaths: ["/api/v1/s3"],
  websiteNames: [{ name: "web.example.org", port: undefined }],
  bucketViews: true,
};

const READERS: readonly ((request: S3Request) => unknown)[] = [
  ({ target }) => parseListObjectsV1(target.query),
  ({ target }) => parseListObjectsV2(target.query),
  ({ target }) => parseListVersions(target.query),
  ({ target }) => parseListUploads(target.query),
  ({ target }) => parseListParts(target.query),
  ({ target }) => parseListBuckets(target.query),
  ({ target }) => parsePartNumber(target.query.get("partNumber") ?? ""),
  ({ headers }) => parseReadConditions(headers, NOW_MS),
  ({ headers }) => parseCopyConditions(headers, NOW_MS),
  ({ headers }) => parseWriteCondition(headers),
  ({ headers }) => parseDeleteConditions(headers, NOW_MS),
  ({ headers }) => parseContentMd5(headers),
  ({ headers }) => parseChecksumHeaders(headers),
  ({ headers }) => parseMultipartChecksum(headers),
  ({ headers }) => parseTrailerNames(headers),
  ({ headers }) => parseRequestedEncryption(headers),
  ({ headers }) => parseAclHeaders(headers),
  ({ headers }) => parseLockHeaders(headers, NOW_MS),
  ({ headers }) => parseAttributesRequest(headers),
  ({ headers }) => parseCopySource(headers.get("x-amz-copy-source") ?? ""),
  ({ headers }) => collectSystemHeaders(headers),
  ({ headers }) => collectUserMetadata(headers, 2048),
];

const SEEDS = [
  "GET /bucket?list-type=2&prefix=a%2Fb&max-keys=10&encoding-type=url\nHost: h:9000",
  "PUT /bucket/a%20b/../c%2e%2e//d\nHost: h\nContent-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\nx-amz-meta-a: b",
  "GET /key%C3%A9?versionId=null&response-content-type=text%2Fplain\nHost: bucket.s3.example.org:9000",
  "GET http://bucket.s3.example.org/k HTTP/1.1\nHost: other\nRange: bytes=0-9",
  "PUT /b/k?partNumber=1&uploadId=00000000000000000000000000000000\nHost: h\nx-amz-copy-source: /a/b%2Fc?versionId=x",
  "POST /b?delete\nHost: h\nx-amz-checksum-crc32: AAAAAA==\nx-amz-sdk-checksum-algorithm: CRC32",
  'PUT /b/k\nHost: h\nIf-None-Match: *\nx-amz-grant-read: id="a", uri="http://acs.amazonaws.com/groups/global/AllUsers"',
  "PUT /b/k\nHost: h\nx-amz-object-lock-mode: GOVERNANCE\nx-amz-object-lock-retain-until-date: 2027-01-01T00:00:00Z\nExpires: Thu, 01 Dec 2027 16:00:00 GMT",
  "GET /api/v1/s3/b/k?attributes\nHost: h\nx-amz-object-attributes: ETag,ObjectParts\nIf-Modified-Since: Sat, 31 Jan 2026 23:59:30 GMT",
  "PUT /a:b:c/k\nHost: h\nx-amz-server-side-encryption: aws:kms\nx-amz-trailer: x-amz-checksum-sha256",
  "GET /\nHost: photos.web.example.org",
].map((text) => Buffer.from(text));

const WORDS = [
  ..."/ // /.. /. %2e%2e %2F %00 %ff %C3%28 ? & = # %3F ; : @ [::1] %25 + http:// HTTP/1.1".split(
    " ",
  ),
  ..."?uploads &uploadId= ?acl ?tagging &versionId= ?delete ?list-type=2 ?browser=true ?torrent".split(
    " ",
  ),
  ..."\n|\nHost: |\nRange: |\nContent-Length: |\nx-amz-meta-|\nX-Forwarded-For: 1.2.3.4|: |,".split(
    "|",
  ),
  ...'GET PUT POST DELETE HEAD OPTIONS * " W/"'.split(" "),
].map((word) => Buffer.from(word));

function requestOf(input: Uint8Array): S3Request {
  const [first = "", ...lines] = Buffer.from(input).toString("latin1").split("\n");
  const [method = "", rawTarget = ""] = first.split(" ");
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const raw = { requestId: "r", method, rawTarget, rawHeaders, receivedMs: NOW_MS };
  return parseRequest(raw, SETTINGS);
}

/** Bytes of an encoded text. */
function decoded(text: string): Buffer {
  const bytes = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, "latin1");
}

/** What the path says after its base, and after the bucket where that is in it. */
function checkAddress({ address, target, view }: S3Request): void {
  const { style, bucket, key } = address;
  if (key === undefined || bucket === undefined || view !== undefined) return;
  assert.ok(Buffer.byteLength(key) >= 1 && Buffer.byteLength(key) <= 1024);
  const named = style === "path" ? `/${bucket}/${key}` : `/${key}`;
  const path = decoded(target.rawPath);
  const base = decoded(SETTINGS.basePaths[0] ?? "");
  const isBelow = style === "path" && path.subarray(0, base.byteLength).equals(base);
  const candidates = isBelow ? [path, path.subarray(base.byteLength)] : [path];
  assert.ok(
    candidates.some((candidate) => candidate.equals(Buffer.from(named))),
    `${target.rawPath} is not ${named}`,
  );
}

export const REQUEST_TARGET: FuzzTarget = {
  name: "request",
  seeds: SEEDS,
  words: WORDS,
  bytesMax: 16 * 1024,
  run: (input) => {
    const request = requestOf(input);
    checkAddress(request);
    for (const read of READERS) {
      try {
        read(request);
      } catch (error) {
        const isRefusal = isS3Error(error) && (error.status === 501 || error.status < 500);
        if (!isRefusal) throw error;
      }
    }
    const route = router.route(request);
    return { word: route.kind === "found" ? route.operation.name : route.error.code };
  },
};
