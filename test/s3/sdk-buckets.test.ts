// The AWS SDK for JavaScript, unmodified, sets up buckets: what it writes it reads back, and errors
// come out as its users expect them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketAclCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketPolicyStatusCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  PutBucketAclCommand,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketRequestPaymentCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutBucketWebsiteCommand,
  PutObjectLockConfigurationCommand,
  PutPublicAccessBlockCommand,
  paginateListBuckets,
  S3Client,
} from "@aws-sdk/client-s3";
import { newBucketName, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let client: S3Client;

before(async () => {
  cluster = await startCluster();
  const { endpoint, region, accessKeyId, secretAccessKey } = cluster;
  client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
  });
});
after(async () => {
  client.destroy();
  await cluster.stop();
});

async function make(more: { ObjectLockEnabledForBucket?: boolean } = {}): Promise<string> {
  const Bucket = newBucketName();
  await client.send(new CreateBucketCommand({ Bucket, ...more }));
  return Bucket;
}

test("versioning, tags, payer, location", async () => {
  const Bucket = await make();
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const versioning = await client.send(new GetBucketVersioningCommand({ Bucket }));
  assert.equal(versioning.Status, "Enabled");
  const TagSet = [
    { Key: "a", Value: "1" },
    { Key: "ключ", Value: "" },
  ];
  await client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  assert.deepEqual((await client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet, TagSet);
  const RequestPaymentConfiguration = { Payer: "Requester" } as const;
  await client.send(new PutBucketRequestPaymentCommand({ Bucket, RequestPaymentConfiguration }));
  const payment = await client.send(new GetBucketRequestPaymentCommand({ Bucket }));
  assert.equal(payment.Payer, "Requester");
  const location = await client.send(new GetBucketLocationCommand({ Bucket }));
  assert.equal(location.LocationConstraint, undefined);
  const head = await client.send(new HeadBucketCommand({ Bucket }));
  assert.equal(head.BucketRegion, cluster.region);
});

test("CORS, lifecycle, web site, encryption", async () => {
  const Bucket = await make();
  const CORSRules = [
    { AllowedMethods: ["GET"], AllowedOrigins: ["*"], ExposeHeaders: ["ETag"], MaxAgeSeconds: 5 },
  ];
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
  assert.deepEqual((await client.send(new GetBucketCorsCommand({ Bucket }))).CORSRules, CORSRules);
  await client.send(new DeleteBucketCorsCommand({ Bucket }));
  await assert.rejects(client.send(new GetBucketCorsCommand({ Bucket })), {
    name: "NoSuchCORSConfiguration",
  });
  const Rules = [
    {
      ID: "temporary",
      Status: "Enabled",
      Filter: { And: { Prefix: "tmp/", ObjectSizeGreaterThan: 10 } },
      Expiration: { Days: 3 },
    },
    {
      ID: "uploads",
      Status: "Disabled",
      Filter: { Prefix: "" },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
    },
  ] as const;
  const LifecycleConfiguration = { Rules: [...Rules] };
  await client.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
  const lifecycle = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  assert.deepEqual(lifecycle.Rules, Rules);
  const WebsiteConfiguration = {
    IndexDocument: { Suffix: "index.html" },
    RoutingRules: [
      {
        Condition: { KeyPrefixEquals: "old/" },
        Redirect: { ReplaceKeyPrefixWith: "new/", HttpRedirectCode: "302" },
      },
    ],
  };
  await client.send(new PutBucketWebsiteCommand({ Bucket, WebsiteConfiguration }));
  const website = await client.send(new GetBucketWebsiteCommand({ Bucket }));
  assert.deepEqual(website.RoutingRules, WebsiteConfiguration.RoutingRules);
  const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } } as const;
  await client.send(
    new PutBucketEncryptionCommand({
      Bucket,
      ServerSideEncryptionConfiguration: { Rules: [rule] },
    }),
  );
  const encryption = await client.send(new GetBucketEncryptionCommand({ Bucket }));
  const kept = encryption.ServerSideEncryptionConfiguration?.Rules?.[0];
  assert.equal(kept?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm, "AES256");
});

test("object lock", async () => {
  const Bucket = await make({ ObjectLockEnabledForBucket: true });
  const Rule = { DefaultRetention: { Mode: "COMPLIANCE", Years: 1 } } as const;
  const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled", Rule } as const;
  await client.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
  const lock = await client.send(new GetObjectLockConfigurationCommand({ Bucket }));
  assert.deepEqual(lock.ObjectLockConfiguration, ObjectLockConfiguration);
});

test("ownership, public access block, ACL, policy", async () => {
  const Bucket = await make();
  const OwnershipControls = { Rules: [{ ObjectOwnership: "BucketOwnerPreferred" }] } as const;
  await client.send(
    new PutBucketOwnershipControlsCommand({
      Bucket,
      OwnershipControls: { Rules: [...OwnershipControls.Rules] },
    }),
  );
  const ownership = await client.send(new GetBucketOwnershipControlsCommand({ Bucket }));
  assert.deepEqual(ownership.OwnershipControls, OwnershipControls);
  await assert.rejects(client.send(new PutBucketAclCommand({ Bucket, ACL: "public-read" })), {
    name: "AccessDenied",
  });
  await client.send(new DeletePublicAccessBlockCommand({ Bucket }));
  await assert.rejects(client.send(new GetPublicAccessBlockCommand({ Bucket })), {
    name: "NoSuchPublicAccessBlockConfiguration",
  });
  await client.send(new PutBucketAclCommand({ Bucket, ACL: "public-read" }));
  const acl = await client.send(new GetBucketAclCommand({ Bucket }));
  assert.deepEqual(
    acl.Grants?.map(({ Permission, Grantee }) => [Grantee?.Type, Permission]),
    [
      ["CanonicalUser", "FULL_CONTROL"],
      ["Group", "READ"],
    ],
  );
  const { Owner, Grants } = acl;
  const AccessControlPolicy = { Owner: { ID: Owner?.ID }, Grants: Grants?.slice(0, 1) };
  await client.send(new PutBucketAclCommand({ Bucket, AccessControlPolicy }));
  assert.equal((await client.send(new GetBucketAclCommand({ Bucket }))).Grants?.length, 1);
  const Policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: {
      Effect: "Allow",
      Principal: "*",
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${Bucket}/*`,
    },
  });
  await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  assert.equal((await client.send(new GetBucketPolicyCommand({ Bucket }))).Policy, Policy);
  const status = await client.send(new GetBucketPolicyStatusCommand({ Bucket }));
  assert.equal(status.PolicyStatus?.IsPublic, true);
  await client.send(
    new PutPublicAccessBlockCommand({
      Bucket,
      PublicAccessBlockConfiguration: { BlockPublicPolicy: true },
    }),
  );
  const again = client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  await assert.rejects(again, { name: "AccessDenied" });
});

test("logging and notifications", async () => {
  const [Bucket, TargetBucket] = [await make(), await make()];
  const LoggingEnabled = {
    TargetBucket,
    TargetPrefix: "logs/",
    TargetObjectKeyFormat: { PartitionedPrefix: { PartitionDateSource: "EventTime" } },
  } as const;
  const BucketLoggingStatus = { LoggingEnabled };
  await client.send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus }));
  const logging = await client.send(new GetBucketLoggingCommand({ Bucket }));
  assert.deepEqual(logging.LoggingEnabled, LoggingEnabled);
  const none = await client.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
  assert.equal(none.QueueConfigurations, undefined);
});

test("buckets in pages", async () => {
  const prefix = newBucketName();
  const names = ["a", "b", "c"].map((letter) => `${prefix}-${letter}`);
  for (const Bucket of names) await client.send(new CreateBucketCommand({ Bucket }));
  const found: (string | undefined)[] = [];
  let pages = 0;
  for await (const page of paginateListBuckets({ client, pageSize: 2 }, { Prefix: prefix })) {
    pages += 1;
    found.push(...(page.Buckets ?? []).map(({ Name }) => Name));
    assert.ok(page.Buckets?.every(({ BucketRegion }) => BucketRegion === cluster.region));
  }
  assert.deepEqual(found, names);
  assert.equal(pages, 2);
  const all = await client.send(new ListBucketsCommand({}));
  assert.ok(names.every((name) => all.Buckets?.some(({ Name }) => Name === name)));
});
