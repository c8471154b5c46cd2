// The SDK's client behind a file of ours, which commands load when they need it: the packed program
// finds the names of an SDK that is no ES module only where it is imported by the head of a file.
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

/** Close it by `destroy()`. */
export function s3ClientOf(config: S3ClientConfig): S3Client {
  return new S3Client(config);
}
