// The AWS SDK for JavaScript 3 on a test server: what other tests use to prepare and to look.
import { S3Client } from "@aws-sdk/client-s3";
import type { TestServer } from "../support/test-server.ts";

export function awsSdk(server: TestServer): S3Client {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
}
