// The operation table: every S3 action this gateway has. Router, authorization, body limits,
// metrics labels and the page of supported actions are derived from it, so an action that is not
// here does not exist.
import { abortMultipartUpload } from "./actions/abort-multipart-upload.ts";
import { appendObject } from "./actions/append-object.ts";
import { browseBucket } from "./actions/browse-bucket.ts";
import { completeMultipartUpload } from "./actions/complete-multipart-upload.ts";
import { copyObject } from "./actions/copy-object.ts";
import { createBucket } from "./actions/create-bucket.ts";
import { createMultipartUpload } from "./actions/create-multipart-upload.ts";
import { deleteBucket } from "./actions/delete-bucket.ts";
import { deleteBucketCors } from "./actions/delete-bucket-cors.ts";
import { deleteBucketEncryption } from "./actions/delete-bucket-encryption.ts";
import { deleteBucketLifecycle } from "./actions/delete-bucket-lifecycle.ts";
import { deleteBucketOwnershipControls } from "./actions/delete-bucket-ownership-controls.ts";
import { deleteBucketPolicy } from "./actions/delete-bucket-policy.ts";
import { deleteBucketReplication } from "./actions/delete-bucket-replication.ts";
import { deleteBucketTagging } from "./actions/delete-bucket-tagging.ts";
import { deleteBucketWebsite } from "./actions/delete-bucket-website.ts";
import { deleteObject } from "./actions/delete-object.ts";
import { deleteObjectTagging } from "./actions/delete-object-tagging.ts";
import { deleteObjects } from "./actions/delete-objects.ts";
import { deletePublicAccessBlock } from "./actions/delete-public-access-block.ts";
import { getBucketAcl } from "./actions/get-bucket-acl.ts";
import { getBucketCors } from "./actions/get-bucket-cors.ts";
import { getBucketEncryption } from "./actions/get-bucket-encryption.ts";
import { getBucketLifecycleConfiguration } from "./actions/get-bucket-lifecycle-configuration.ts";
import { getBucketLocation } from "./actions/get-bucket-location.ts";
import { getBucketLogging } from "./actions/get-bucket-logging.ts";
import { getBucketNotificationConfiguration } from "./actions/get-bucket-notification-configuration.ts";
import { getBucketOwnershipControls } from "./actions/get-bucket-ownership-controls.ts";
import { getBucketPolicy } from "./actions/get-bucket-policy.ts";
import { getBucketPolicyStatus } from "./actions/get-bucket-policy-status.ts";
import { getBucketReplication } from "./actions/get-bucket-replication.ts";
import { getBucketRequestPayment } from "./actions/get-bucket-request-payment.ts";
import { getBucketTagging } from "./actions/get-bucket-tagging.ts";
import { getBucketVersioning } from "./actions/get-bucket-versioning.ts";
import { getBucketWebsite } from "./actions/get-bucket-website.ts";
import { getObject } from "./actions/get-object.ts";
import { getObjectAcl } from "./actions/get-object-acl.ts";
import { getObjectAttributes } from "./actions/get-object-attributes.ts";
import { getObjectLegalHold } from "./actions/get-object-legal-hold.ts";
import { getObjectLockConfiguration } from "./actions/get-object-lock-configuration.ts";
import { getObjectRetention } from "./actions/get-object-retention.ts";
import { getObjectTagging } from "./actions/get-object-tagging.ts";
import { getPublicAccessBlock } from "./actions/get-public-access-block.ts";
import { headBucket } from "./actions/head-bucket.ts";
import { headObject } from "./actions/head-object.ts";
import { listBuckets } from "./actions/list-buckets.ts";
import { listMultipartUploads } from "./actions/list-multipart-uploads.ts";
import { listObjectVersions } from "./actions/list-object-versions.ts";
import { listObjects } from "./actions/list-objects.ts";
import { listObjectsV2 } from "./actions/list-objects-v2.ts";
import { listParts } from "./actions/list-parts.ts";
import { postObject } from "./actions/post-object.ts";
import { putBucketAcl } from "./actions/put-bucket-acl.ts";
import { putBucketCors } from "./actions/put-bucket-cors.ts";
import { putBucketEncryption } from "./actions/put-bucket-encryption.ts";
import { putBucketLifecycleConfiguration } from "./actions/put-bucket-lifecycle-configuration.ts";
import { putBucketLogging } from "./actions/put-bucket-logging.ts";
import { putBucketNotificationConfiguration } from "./actions/put-bucket-notification-configuration.ts";
import { putBucketOwnershipControls } from "./actions/put-bucket-ownership-controls.ts";
import { putBucketPolicy } from "./actions/put-bucket-policy.ts";
import { putBucketReplication } from "./actions/put-bucket-replication.ts";
import { putBucketRequestPayment } from "./actions/put-bucket-request-payment.ts";
import { putBucketTagging } from "./actions/put-bucket-tagging.ts";
import { putBucketVersioning } from "./actions/put-bucket-versioning.ts";
import { putBucketWebsite } from "./actions/put-bucket-website.ts";
import { putObject } from "./actions/put-object.ts";
import { putObjectAcl } from "./actions/put-object-acl.ts";
import { putObjectLegalHold } from "./actions/put-object-legal-hold.ts";
import { putObjectLockConfiguration } from "./actions/put-object-lock-configuration.ts";
import { putObjectRetention } from "./actions/put-object-retention.ts";
import { putObjectTagging } from "./actions/put-object-tagging.ts";
import { putPublicAccessBlock } from "./actions/put-public-access-block.ts";
import { renameObject } from "./actions/rename-object.ts";
import { restoreObject } from "./actions/restore-object.ts";
import { uploadPart } from "./actions/upload-part.ts";
import { uploadPartCopy } from "./actions/upload-part-copy.ts";
import type { Operation } from "./operation.ts";

export const OPERATIONS: readonly Operation[] = [
  abortMultipartUpload,
  appendObject,
  browseBucket,
  completeMultipartUpload,
  copyObject,
  createBucket,
  createMultipartUpload,
  deleteBucket,
  deleteBucketCors,
  deleteBucketEncryption,
  deleteBucketLifecycle,
  deleteBucketOwnershipControls,
  deleteBucketPolicy,
  deleteBucketReplication,
  deleteBucketTagging,
  deleteBucketWebsite,
  deleteObject,
  deleteObjectTagging,
  deleteObjects,
  deletePublicAccessBlock,
  getBucketAcl,
  getBucketCors,
  getBucketEncryption,
  getBucketLifecycleConfiguration,
  getBucketLocation,
  getBucketLogging,
  getBucketNotificationConfiguration,
  getBucketOwnershipControls,
  getBucketPolicy,
  getBucketPolicyStatus,
  getBucketReplication,
  getBucketRequestPayment,
  getBucketTagging,
  getBucketVersioning,
  getBucketWebsite,
  getObject,
  getObjectAcl,
  getObjectAttributes,
  getObjectLegalHold,
  getObjectLockConfiguration,
  getObjectRetention,
  getObjectTagging,
  getPublicAccessBlock,
  headBucket,
  headObject,
  listBuckets,
  listMultipartUploads,
  listObjectVersions,
  listObjects,
  listObjectsV2,
  listParts,
  postObject,
  putBucketAcl,
  putBucketCors,
  putBucketEncryption,
  putBucketLifecycleConfiguration,
  putBucketLogging,
  putBucketNotificationConfiguration,
  putBucketOwnershipControls,
  putBucketPolicy,
  putBucketReplication,
  putBucketRequestPayment,
  putBucketTagging,
  putBucketVersioning,
  putBucketWebsite,
  putObject,
  putObjectAcl,
  putObjectLegalHold,
  putObjectLockConfiguration,
  putObjectRetention,
  putObjectTagging,
  putPublicAccessBlock,
  renameObject,
  restoreObject,
  uploadPart,
  uploadPartCopy,
];
