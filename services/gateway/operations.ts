// The operation table: every S3 action this gateway has. Router, authorization, body limits,
// metrics labels and the page of supported actions are derived from it, so an action that is not
// here does not exist.
import { abortMultipartUpload } from "./actions/abort-multipart-upload.ts";
import { completeMultipartUpload } from "./actions/complete-multipart-upload.ts";
import { copyObject } from "./actions/copy-object.ts";
import { createBucket } from "./actions/create-bucket.ts";
import { createMultipartUpload } from "./actions/create-multipart-upload.ts";
import { deleteBucket } from "./actions/delete-bucket.ts";
import { deleteBucketTagging } from "./actions/delete-bucket-tagging.ts";
import { deleteObject } from "./actions/delete-object.ts";
import { deleteObjects } from "./actions/delete-objects.ts";
import { getBucketLocation } from "./actions/get-bucket-location.ts";
import { getBucketTagging } from "./actions/get-bucket-tagging.ts";
import { getBucketVersioning } from "./actions/get-bucket-versioning.ts";
import { getObject } from "./actions/get-object.ts";
import { getObjectLockConfiguration } from "./actions/get-object-lock-configuration.ts";
import { headBucket } from "./actions/head-bucket.ts";
import { headObject } from "./actions/head-object.ts";
import { listBuckets } from "./actions/list-buckets.ts";
import { listMultipartUploads } from "./actions/list-multipart-uploads.ts";
import { listObjects } from "./actions/list-objects.ts";
import { listObjectsV2 } from "./actions/list-objects-v2.ts";
import { listParts } from "./actions/list-parts.ts";
import { putBucketTagging } from "./actions/put-bucket-tagging.ts";
import { putBucketVersioning } from "./actions/put-bucket-versioning.ts";
import { putObject } from "./actions/put-object.ts";
import { putObjectLockConfiguration } from "./actions/put-object-lock-configuration.ts";
import { uploadPart } from "./actions/upload-part.ts";
import { uploadPartCopy } from "./actions/upload-part-copy.ts";
import type { Operation } from "./operation.ts";

export const OPERATIONS: readonly Operation[] = [
  abortMultipartUpload,
  completeMultipartUpload,
  copyObject,
  createBucket,
  createMultipartUpload,
  deleteBucket,
  deleteBucketTagging,
  deleteObject,
  deleteObjects,
  getBucketLocation,
  getBucketTagging,
  getBucketVersioning,
  getObject,
  getObjectLockConfiguration,
  headBucket,
  headObject,
  listBuckets,
  listMultipartUploads,
  listObjects,
  listObjectsV2,
  listParts,
  putBucketTagging,
  putBucketVersioning,
  putObject,
  putObjectLockConfiguration,
  uploadPart,
  uploadPartCopy,
];
