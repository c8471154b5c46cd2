// The AWS SDK as the other side of every setting: what it writes is parsed, written anew as the
// service keeps it, and read back by the SDK as what was put in.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import {
  type BucketLifecycleConfiguration,
  type CORSConfiguration,
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  GetObjectAttributesCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  GetPublicAccessBlockCommand,
  PutBucketAclCommand,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketRequestPaymentCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutBucketWebsiteCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { objectAttributesDocument } from "../../../../services/lib/s3/object-attributes.ts";
import { aclDocument, parseStoredAcl } from "../../../../services/lib/s3/settings/acl.ts";
import { corsDocument, parseCors } from "../../../../services/lib/s3/settings/cors.ts";
import {
  encryptionDocument,
  parseEncryption,
} from "../../../../services/lib/s3/settings/encryption.ts";
import {
  lifecycleDocument,
  parseStoredLifecycle,
} from "../../../../services/lib/s3/settings/lifecycle.ts";
import { loggingDocument, parseLogging } from "../../../../services/lib/s3/settings/logging.ts";
import {
  notificationDocument,
  parseStoredNotification,
} from "../../../../services/lib/s3/settings/notification.ts";
import {
  legalHoldDocument,
  objectLockDocument,
  parseLegalHold,
  parseObjectLock,
  parseRetention,
  retentionDocument,
} from "../../../../services/lib/s3/settings/object-lock.ts";
import {
  ownershipDocument,
  parseOwnership,
} from "../../../../services/lib/s3/settings/ownership.ts";
import {
  parsePublicAccessBlock,
  publicAccessBlockDocument,
} from "../../../../services/lib/s3/settings/public-access-block.ts";
import {
  parseRequestPayment,
  requestPaymentDocument,
} from "../../../../services/lib/s3/settings/request-payment.ts";
import {
  BUCKET_TAG_LIMITS,
  parseTagging,
  taggingDocument,
} from "../../../../services/lib/s3/settings/tagging.ts";
import {
  parseVersioning,
  versioningDocument,
} from "../../../../services/lib/s3/settings/versioning.ts";
import { parseWebsite, websiteDocument } from "../../../../services/lib/s3/settings/website.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const Bucket = "bucket";
const Key = "key";

interface SdkRequest {
  readonly method: string;
  readonly body?: unknown;
}

/** A service of one document: what is PUT is written anew by `keep`, and told by GET. */
function clientOf(keep: (body: Uint8Array) => string, kept = ""): S3Client {
  let document = kept;
  return new S3Client({
    region: "eu-1",
    endpoint: "http://s3.example.org",
    maxAttempts: 1,
    credentials: { accessKeyId: "a", secretAccessKey: "s" },
    requestHandler: {
      async handle({ method, body }: SdkRequest) {
        if (method === "PUT") {
          assert.ok(typeof body === "string" || body instanceof Uint8Array);
          document = keep(Buffer.from(body));
        }
        const answer = method === "PUT" ? [] : [Buffer.from(document)];
        return { response: { statusCode: 200, headers: {}, body: Readable.from(answer) } };
      },
    },
  });
}

/** What the SDK read, without its own notes. */
function plain<T extends { readonly $metadata: unknown }>(output: T): Omit<T, "$metadata"> {
  const { $metadata: _, ...rest } = output;
  return rest;
}

test("versioning", async () => {
  const client = clientOf((body) => versioningDocument(parseVersioning(body)));
  const VersioningConfiguration = { Status: "Suspended" } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const output = await client.send(new GetBucketVersioningCommand({ Bucket }));
  assert.deepEqual(plain(output), VersioningConfiguration);
});

test("tagging", async () => {
  const client = clientOf((body) => taggingDocument(parseTagging(body, BUCKET_TAG_LIMITS)));
  const Tagging = { TagSet: [{ Key: "a b", Value: "é" }] };
  await client.send(new PutBucketTaggingCommand({ Bucket, Tagging }));
  assert.deepEqual(plain(await client.send(new GetBucketTaggingCommand({ Bucket }))), Tagging);
});

test("access control list", async () => {
  const client = clientOf((body) => aclDocument({ ownerId: "o", grants: parseStoredAcl(body) }));
  const uri = "http://acs.amazonaws.com/groups/global/AllUsers";
  const AccessControlPolicy = {
    Owner: { ID: "o", DisplayName: "o" },
    Grants: [
      {
        Grantee: { Type: "CanonicalUser" as const, ID: "u", DisplayName: "u" },
        Permission: "FULL_CONTROL" as const,
      },
      { Grantee: { Type: "Group" as const, URI: uri }, Permission: "READ" as const },
    ],
  };
  await client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy }));
  const output = await client.send(new GetBucketAclCommand({ Bucket }));
  assert.deepEqual(plain(output), AccessControlPolicy);
});

test("object lock", async () => {
  const client = clientOf((body) => objectLockDocument(parseObjectLock(body)));
  const ObjectLockConfiguration = {
    ObjectLockEnabled: "Enabled" as const,
    Rule: { DefaultRetention: { Mode: "COMPLIANCE" as const, Years: 2 } },
  };
  const command = new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration });
  await client.send(command);
  const output = await client.send(new GetObjectLockConfigurationCommand({ Bucket }));
  assert.deepEqual(plain(output), { ObjectLockConfiguration });
});

test("retention and legal hold", async () => {
  const retaining = clientOf((body) => {
    const retention = parseRetention(body, NOW_MS);
    assert.ok(retention !== undefined);
    return retentionDocument(retention);
  });
  const Retention = { Mode: "GOVERNANCE" as const, RetainUntilDate: new Date("2030-01-02") };
  await retaining.send(new PutObjectRetentionCommand({ Bucket, Key, Retention }));
  const retained = await retaining.send(new GetObjectRetentionCommand({ Bucket, Key }));
  assert.deepEqual(plain(retained), { Retention });
  const holding = clientOf((body) => legalHoldDocument(parseLegalHold(body)));
  const LegalHold = { Status: "ON" as const };
  await holding.send(new PutObjectLegalHoldCommand({ Bucket, Key, LegalHold }));
  const held = await holding.send(new GetObjectLegalHoldCommand({ Bucket, Key }));
  assert.deepEqual(plain(held), { LegalHold });
});

test("cross-origin rules", async () => {
  const client = clientOf((body) => corsDocument(parseCors(body)));
  const one = { AllowedMethods: ["GET"], AllowedOrigins: ["*"] };
  const full = {
    ID: "i",
    AllowedHeaders: ["x-*"],
    AllowedMethods: ["PUT", "HEAD"],
    AllowedOrigins: ["http://a", "https://*.b"],
    ExposeHeaders: ["ETag"],
    MaxAgeSeconds: 5,
  };
  const CORSConfiguration: CORSConfiguration = { CORSRules: [one, full] };
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }));
  assert.deepEqual(
    plain(await client.send(new GetBucketCorsCommand({ Bucket }))),
    CORSConfiguration,
  );
});

test("lifecycle", async () => {
  const client = clientOf((body) => lifecycleDocument(parseStoredLifecycle(body)));
  const LifecycleConfiguration: BucketLifecycleConfiguration = {
    Rules: [
      {
        ID: "a",
        Status: "Enabled",
        Filter: {
          And: {
            Prefix: "p/",
            Tags: [{ Key: "k", Value: "v" }],
            ObjectSizeGreaterThan: 1,
            ObjectSizeLessThan: 9,
          },
        },
        Expiration: { Date: new Date("2030-01-01") },
        Transitions: [{ Date: new Date("2029-01-01"), StorageClass: "GLACIER" }],
      },
      {
        ID: "b",
        Status: "Disabled",
        Filter: { Prefix: "" },
        Expiration: { Days: 3 },
        NoncurrentVersionExpiration: { NoncurrentDays: 4, NewerNoncurrentVersions: 5 },
        NoncurrentVersionTransitions: [{ NoncurrentDays: 1, StorageClass: "GLACIER" }],
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 6 },
      },
      {
        ID: "c",
        Status: "Enabled",
        Prefix: "old/",
        Expiration: { ExpiredObjectDeleteMarker: true },
      },
    ],
  };
  const put = new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration });
  await client.send(put);
  const output = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  assert.deepEqual(plain(output), LifecycleConfiguration);
});

test("website", async () => {
  const client = clientOf((body) => websiteDocument(parseWebsite(body)));
  const WebsiteConfiguration = {
    IndexDocument: { Suffix: "i.html" },
    ErrorDocument: { Key: "e.html" },
    RoutingRules: [
      {
        Condition: { KeyPrefixEquals: "a/", HttpErrorCodeReturnedEquals: "404" },
        Redirect: {
          HostName: "h",
          Protocol: "https" as const,
          ReplaceKeyPrefixWith: "b/",
          HttpRedirectCode: "302",
        },
      },
    ],
  };
  await client.send(new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration }));
  const output = await client.send(new GetBucketWebsiteCommand({ Bucket }));
  assert.deepEqual(plain(output), WebsiteConfiguration);
});

test("notification", async () => {
  const client = clientOf((body) => notificationDocument(parseStoredNotification(body)));
  const NotificationConfiguration = {
    QueueConfigurations: [
      {
        Id: "q",
        QueueArn: "arn:dolium:sqs::orders:webhook",
        Events: ["s3:ObjectCreated:*" as const, "s3:ObjectTagging:Put" as const],
        Filter: { Key: { FilterRules: [{ Name: "prefix" as const, Value: "a/" }] } },
      },
    ],
    TopicConfigurations: [
      {
        Id: "t",
        TopicArn: "arn:minio:sqs::1:webhook",
        Events: ["s3:ObjectRemoved:Delete" as const],
      },
    ],
  };
  const put = new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration });
  await client.send(put);
  const output = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  assert.deepEqual(plain(output), NotificationConfiguration);
});

test("encryption", async () => {
  const client = clientOf((body) => encryptionDocument(parseEncryption(body)));
  const ServerSideEncryptionConfiguration = {
    Rules: [
      {
        ApplyServerSideEncryptionByDefault: {
          SSEAlgorithm: "aws:kms" as const,
          KMSMasterKeyID: "k",
        },
        BucketKeyEnabled: true,
        BlockedEncryptionTypes: { EncryptionType: ["SSE-C" as const] },
      },
    ],
  };
  const input = { Bucket, ServerSideEncryptionConfiguration };
  await client.send(new PutBucketEncryptionCommand(input));
  const output = await client.send(new GetBucketEncryptionCommand({ Bucket }));
  assert.deepEqual(plain(output), { ServerSideEncryptionConfiguration });
});

test("logging", async () => {
  const client = clientOf((body) => loggingDocument(parseLogging(body)));
  const BucketLoggingStatus = {
    LoggingEnabled: {
      TargetBucket: "t",
      TargetPrefix: "p",
      TargetObjectKeyFormat: {
        PartitionedPrefix: { PartitionDateSource: "DeliveryTime" as const },
      },
    },
  };
  await client.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus }));
  const output = await client.send(new GetBucketLoggingCommand({ Bucket }));
  assert.deepEqual(plain(output), BucketLoggingStatus);
});

test("payer, ownership, public access block", async () => {
  const paying = clientOf((body) => requestPaymentDocument(parseRequestPayment(body)));
  const RequestPaymentConfiguration = { Payer: "Requester" as const };
  const pay = new PutBucketRequestPaymentCommand({ Bucket, RequestPaymentConfiguration });
  await paying.send(pay);
  const paid = await paying.send(new GetBucketRequestPaymentCommand({ Bucket }));
  assert.deepEqual(plain(paid), RequestPaymentConfiguration);
  const owning = clientOf((body) => ownershipDocument(parseOwnership(body)));
  const OwnershipControls = { Rules: [{ ObjectOwnership: "ObjectWriter" as const }] };
  await owning.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }));
  const owned = await owning.send(new GetBucketOwnershipControlsCommand({ Bucket }));
  assert.deepEqual(plain(owned), { OwnershipControls });
  const blocking = clientOf((body) => publicAccessBlockDocument(parsePublicAccessBlock(body)));
  const PublicAccessBlockConfiguration = {
    BlockPublicAcls: true,
    IgnorePublicAcls: false,
    BlockPublicPolicy: false,
    RestrictPublicBuckets: true,
  };
  const block = new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration });
  await blocking.send(block);
  const blocked = await blocking.send(new GetPublicAccessBlockCommand({ Bucket }));
  assert.deepEqual(plain(blocked), { PublicAccessBlockConfiguration });
});

test("object attributes", async () => {
  const digest = {
    algorithm: "XXHASH64" as const,
    type: "COMPOSITE" as const,
    digest: Buffer.alloc(8, 1),
    partCount: 1,
  };
  const part = { partNumber: 3, size: 7, checksums: [digest] };
  const document = objectAttributesDocument(
    { etag: "e-1", checksums: [digest], storageClass: "STANDARD", size: 7, parts: [part] },
    {
      attributes: new Set(["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]),
      maxParts: 10,
      partNumberMarker: 0,
    },
  );
  const client = clientOf(() => "", document);
  const input = { Bucket, Key, ObjectAttributes: ["ETag" as const] };
  const output = await client.send(new GetObjectAttributesCommand(input));
  const ChecksumXXHASH64 = Buffer.alloc(8, 1).toString("base64");
  assert.deepEqual(plain(output), {
    ETag: "e-1",
    Checksum: { ChecksumXXHASH64, ChecksumType: "COMPOSITE" },
    ObjectParts: {
      TotalPartsCount: 1,
      PartNumberMarker: "0",
      NextPartNumberMarker: "3",
      MaxParts: 10,
      IsTruncated: false,
      Parts: [{ PartNumber: 3, Size: 7, ChecksumXXHASH64 }],
    },
    StorageClass: "STANDARD",
    ObjectSize: 7,
  });
});
