// Damaged bodies: whatever a client sends in place of a setting or a form is taken or refused with
// an S3 error of the 400s or 501, and what is taken is kept in a form that reads as the same.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isS3Error } from "../../../../services/lib/s3/errors.ts";
import { PostFormParser } from "../../../../services/lib/s3/post-form/form-parser.ts";
import { parseFormPolicy } from "../../../../services/lib/s3/post-form/form-policy.ts";
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
  objectLockDocument,
  parseObjectLock,
} from "../../../../services/lib/s3/settings/object-lock.ts";
import { parsePolicy } from "../../../../services/lib/s3/settings/policy.ts";
import { isPublicPolicy } from "../../../../services/lib/s3/settings/policy-status.ts";
import {
  BUCKET_TAG_LIMITS,
  parseTagging,
  taggingDocument,
} from "../../../../services/lib/s3/settings/tagging.ts";
import { parseWebsite, websiteDocument } from "../../../../services/lib/s3/settings/website.ts";
import { body } from "./bodies.ts";

/** Reads bytes and writes what was read; the second reading must be the first. */
type Round = (bytes: Uint8Array) => void;

function round<T>(parse: (bytes: Uint8Array) => T, write: (value: T) => string): Round {
  return (bytes) => {
    const value = parse(bytes);
    assert.deepEqual(parse(body(write(value))), value);
  };
}

const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
const SUBJECTS: readonly (readonly [name: string, text: string, read: Round])[] = [
  [
    "tagging",
    "<Tagging><TagSet><Tag><Key>a b</Key><Value>&#233;</Value></Tag></TagSet></Tagging>",
    round((bytes) => parseTagging(bytes, BUCKET_TAG_LIMITS), taggingDocument),
  ],
  [
    "acl",
    `<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee ${XSI} xsi:type="Group"><URI>g</URI></Grantee><Permission>READ_ACP</Permission></Grant></AccessControlList></AccessControlPolicy>`,
    round(parseStoredAcl, (grants) => aclDocument({ ownerId: "o", grants })),
  ],
  [
    "cors",
    "<CORSConfiguration><CORSRule><ID>i</ID><AllowedOrigin>http://*.a</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>",
    round(parseCors, corsDocument),
  ],
  [
    "encryption",
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
    round(parseEncryption, encryptionDocument),
  ],
  [
    "lifecycle",
    "<LifecycleConfiguration><Rule><ID>i</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition><Expiration><Days>22</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
    round(parseStoredLifecycle, lifecycleDocument),
  ],
  [
    "logging",
    "<BucketLoggingStatus><LoggingEnabled><TargetBucket>t</TargetBucket><TargetPrefix>p</TargetPrefix><TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>",
    round(parseLogging, loggingDocument),
  ],
  [
    "notification",
    "<NotificationConfiguration><QueueConfiguration><Id>i</Id><Queue>arn:dolium:sqs::a:webhook</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>v</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>",
    round(parseStoredNotification, notificationDocument),
  ],
  [
    "object lock",
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>12</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    round(parseObjectLock, objectLockDocument),
  ],
  [
    "website",
    "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>a</KeyPrefixEquals></Condition><Redirect><HostName>h</HostName><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>",
    round(parseWebsite, websiteDocument),
  ],
  [
    "policy",
    '{"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8"]}}}]}',
    (bytes) => {
      isPublicPolicy(parsePolicy(bytes, "b"));
    },
  ],
  [
    "policy of a form",
    '{"expiration":"2030-01-01T00:00:00Z","conditions":[{"bucket":"b"},["starts-with","$key","a"],["content-length-range",1,2]]}',
    (bytes) => {
      parseFormPolicy(Buffer.from(bytes).toString("base64"));
    },
  ],
  [
    "form",
    '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n',
    (bytes) => {
      const parser = new PostFormParser("multipart/form-data; boundary=b");
      parser.push(bytes);
      parser.finish();
    },
  ],
];

/** A cut of the text, and what stands in its place. */
const DAMAGE = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(40),
  instead: fc.oneof(
    fc.constant("same twice"),
    fc.constantFrom("", "<", "/>", "-1", "99999999999999999999", "\u0000", "null", "[]", "\r\n"),
    fc.string({ unit: "binary", maxLength: 6 }),
  ),
});

function damaged(
  text: string,
  damages: readonly { at: number; length: number; instead: string }[],
) {
  return damages.reduce((whole, { at, length, instead }) => {
    const from = Math.floor(at * whole.length);
    const cut = whole.slice(from, from + length);
    const put = instead === "same twice" ? cut + cut : instead;
    return whole.slice(0, from) + put + whole.slice(from + length);
  }, text);
}

describe("damaged bodies", () => {
  for (const [name, text, read] of SUBJECTS) {
    test(`${name}: taken or refused, never broken`, () => {
      read(body(text));
      fc.assert(
        fc.property(fc.array(DAMAGE, { minLength: 1, maxLength: 3 }), (damages) => {
          try {
            read(body(damaged(text, damages)));
          } catch (error) {
            assert.ok(isS3Error(error), String(error));
            assert.ok(error.status < 500 || error.status === 501, error.code);
          }
        }),
        { numRuns: 300 },
      );
    });
  }
});
