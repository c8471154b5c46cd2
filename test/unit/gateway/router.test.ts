// The router and the operation table: what is found, what is refused, and that the table is whole.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { OPERATIONS } from "../../../services/gateway/operations.ts";
import { parseRequest } from "../../../services/gateway/request.ts";
import { Router } from "../../../services/gateway/router.ts";
import { supportedActionsPage } from "../../../services/gateway/supported-actions.ts";
import { S3_ERROR_CODES } from "../../../services/lib/s3/errors.ts";

const router = new Router(OPERATIONS);

function route(method: string, rawTarget: string, headers: readonly string[] = []): string {
  const request = parseRequest(
    {
      requestId: "1",
      method,
      rawTarget,
      rawHeaders: ["Host", "s3.example.org", ...headers],
      receivedMs: 0,
    },
    { serviceNames: [{ name: "s3.example.org", port: undefined }], basePaths: ["/api/v1/s3"] },
  );
  const found = router.route(request);
  return found.kind === "found" ? found.operation.name : found.error.code;
}

const COPY = ["x-amz-copy-source", "/a/b"];
const ROUTES: readonly (readonly [string, string, string, (readonly string[])?])[] = [
  ["GET", "/", "ListBuckets"],
  ["GET", "/?x-id=ListBuckets&max-buckets=3", "ListBuckets"],
  ["PUT", "/bucket", "CreateBucket"],
  ["PUT", "/bucket/", "CreateBucket"],
  ["HEAD", "/bucket", "HeadBucket"],
  ["DELETE", "/bucket", "DeleteBucket"],
  ["GET", "/bucket", "ListObjects"],
  ["GET", "/bucket?prefix=a&list-type=1", "ListObjects"],
  ["GET", "/bucket?list-type=2", "ListObjectsV2"],
  ["GET", "/bucket?location", "GetBucketLocation"],
  ["GET", "/bucket?location=", "GetBucketLocation"],
  ["GET", "/bucket?versioning", "GetBucketVersioning"],
  ["GET", "/bucket?uploads", "ListMultipartUploads"],
  ["POST", "/bucket?delete", "DeleteObjects"],
  ["GET", "/bucket/key", "GetObject"],
  ["GET", "/bucket/key?partNumber=3", "GetObject"],
  ["GET", "/bucket/key?location", "GetObject"],
  ["GET", "/api/v1/s3/bucket/key", "GetObject"],
  ["HEAD", "/bucket/key", "HeadObject"],
  ["PUT", "/bucket/key", "PutObject"],
  ["PUT", "/bucket/key", "CopyObject", COPY],
  ["PUT", "/bucket/key?partNumber=1&uploadId=a", "UploadPart"],
  ["PUT", "/bucket/key?partNumber=1&uploadId=a", "UploadPartCopy", COPY],
  ["POST", "/bucket/key?uploads", "CreateMultipartUpload"],
  ["POST", "/bucket/key?uploadId=a", "CompleteMultipartUpload"],
  ["DELETE", "/bucket/key?uploadId=a", "AbortMultipartUpload"],
  ["GET", "/bucket/key?uploadId=a", "ListParts"],
  ["DELETE", "/bucket/key", "DeleteObject"],
  ["PUT", "/bucket/key?acl", "PutObjectAcl"],
  ["PUT", "/bucket/key?acl&partNumber=1&uploadId=a", "MethodNotAllowed"],
  ["PUT", "/bucket/key?torrent", "NotImplemented"],
  ["PUT", "/bucket/key?torrent&partNumber=1&uploadId=a", "NotImplemented"],
  ["GET", "/bucket?acl&list-type=2", "GetBucketAcl"],
  ["GET", "/bucket?inventory&list-type=2", "NotImplemented"],
  ["DELETE", "/bucket?policy", "DeleteBucketPolicy"],
  ["PUT", "/bucket?accelerate", "NotImplemented"],
  ["GET", "/bucket?replication", "GetBucketReplication"],
  ["DELETE", "/bucket?lifecycle", "DeleteBucketLifecycle"],
  ["DELETE", "/bucket/key?tagging", "DeleteObjectTagging"],
  ["GET", "/bucket/key?attributes", "GetObjectAttributes"],
  ["GET", "/bucket/key?acl&versionId=a", "GetObjectAcl"],
  ["PUT", "/bucket/key?tagging", "PutObjectTagging"],
  ["GET", "/bucket/key?tagging", "GetObjectTagging"],
  ["PUT", "/bucket/key?retention", "PutObjectRetention"],
  ["GET", "/bucket/key?legal-hold", "GetObjectLegalHold"],
  ["PUT", "/bucket/key?renameObject", "RenameObject"],
  ["PUT", "/bucket/key", "AppendObject", ["x-amz-write-offset-bytes", "0"]],
  ["GET", "/bucket?versions", "ListObjectVersions"],
  ["POST", "/bucket/key?select&select-type=2", "NotImplemented"],
  ["POST", "/bucket/key?restore", "RestoreObject"],
  ["POST", "/bucket", "PostObject"],
  ["PUT", "/bucket?versioning", "PutBucketVersioning"],
  ["DELETE", "/bucket?versioning", "MethodNotAllowed"],
  ["DELETE", "/bucket?location", "MethodNotAllowed"],
  ["PUT", "/bucket/key?uploadId=a", "MethodNotAllowed"],
  ["DELETE", "/bucket/key?uploads", "MethodNotAllowed"],
  ["POST", "/bucket/key", "MethodNotAllowed"],
  ["POST", "/", "MethodNotAllowed"],
  ["HEAD", "/", "MethodNotAllowed"],
  ["PATCH", "/bucket/key", "MethodNotAllowed"],
  ["OPTIONS", "/bucket/key", "MethodNotAllowed"],
];
for (const [method, target, expected, headers] of ROUTES) {
  test(`${method} ${target}${headers === undefined ? "" : ` with ${headers[0]}`} is ${expected}`, () => {
    assert.equal(route(method, target, headers), expected);
  });
}

test("a host of a bucket is as good as a path", () => {
  const request = parseRequest(
    {
      requestId: "1",
      method: "GET",
      rawTarget: "/a/b",
      rawHeaders: ["Host", "photos.s3.example.org:9000"],
      receivedMs: 0,
    },
    { serviceNames: [{ name: "s3.example.org", port: undefined }], basePaths: [] },
  );
  assert.equal(request.address.bucket, "photos");
  assert.equal(request.address.key, "a/b");
});

test("names are unique, and every row names known errors and a page", () => {
  const names = OPERATIONS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const operation of OPERATIONS) {
    for (const code of operation.errors) assert.ok(S3_ERROR_CODES.includes(code), code);
    assert.ok(operation.page !== "");
    assert.ok(operation.bodyBytesMax > 0);
    assert.ok(operation.scope !== "object" || operation.match.level === "object");
  }
});

test("no two rows claim one request", () => {
  const demands = OPERATIONS.map(({ method, match }) => JSON.stringify([method, match]));
  assert.equal(new Set(demands).size, demands.length);
});

test("the page of supported actions is that of the table", () => {
  const page = new URL("../../../services/gateway/SUPPORTED-ACTIONS.md", import.meta.url);
  assert.equal(readFileSync(page, "utf8"), supportedActionsPage(OPERATIONS));
});
