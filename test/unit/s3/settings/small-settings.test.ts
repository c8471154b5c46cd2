// Encryption, request payment, ownership, public access block, logging: documents both ways, and
// the lines and names of access logs.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeaderList } from "../../../../services/lib/s3/headers.ts";
import { QueryParameters } from "../../../../services/lib/s3/query-parameters.ts";
import { ALL_USERS } from "../../../../services/lib/s3/settings/acl.ts";
import {
  encryptionDocument,
  parseEncryption,
} from "../../../../services/lib/s3/settings/encryption.ts";
import {
  type AccessLogEntry,
  accessLogLine,
  loggingDocument,
  logObjectKey,
  parseLogging,
} from "../../../../services/lib/s3/settings/logging.ts";
import {
  checkAclHeadersAllowed,
  checkOwnershipChange,
  objectOwner,
  ownershipDocument,
  parseOwnership,
  parseOwnershipHeader,
} from "../../../../services/lib/s3/settings/ownership.ts";
import {
  parsePublicAccessBlock,
  publicAccessBlockDocument,
} from "../../../../services/lib/s3/settings/public-access-block.ts";
import {
  parseRequestPayer,
  parseRequestPayment,
  requestPaymentDocument,
} from "../../../../services/lib/s3/settings/request-payment.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

describe("encryption", () => {
  const rule = (inner: string): Uint8Array =>
    body(`<ServerSideEncryptionConfiguration>${inner}</ServerSideEncryptionConfiguration>`);
  const byDefault = (inner: string): Uint8Array =>
    rule(
      `<Rule><ApplyServerSideEncryptionByDefault>${inner}</ApplyServerSideEncryptionByDefault></Rule>`,
    );

  test("goes round", () => {
    for (const encryption of [
      {
        algorithm: "AES256",
        keyName: undefined,
        bucketKeyEnabled: false,
        blocksCustomerKeys: true,
      },
      {
        algorithm: "aws:kms",
        keyName: "arn:aws:kms:x:key/1",
        bucketKeyEnabled: true,
        blocksCustomerKeys: false,
      },
      {
        algorithm: "aws:kms",
        keyName: undefined,
        bucketKeyEnabled: false,
        blocksCustomerKeys: false,
      },
    ] as const) {
      assert.deepEqual(parseEncryption(body(encryptionDocument(encryption))), encryption);
    }
    const keyOnly = rule("<Rule><BucketKeyEnabled>true</BucketKeyEnabled></Rule>");
    assert.equal(parseEncryption(keyOnly).algorithm, "AES256");
  });

  test("refuses", () => {
    const aes = "<SSEAlgorithm>AES256</SSEAlgorithm>";
    for (const bytes of [
      rule(""),
      rule("<Rule/>"),
      rule("<Rule/><Rule/>"),
      byDefault(""),
      byDefault("<SSEAlgorithm>aes</SSEAlgorithm>"),
      rule("<Rule><BlockedEncryptionTypes/></Rule>"),
      rule(
        "<Rule><BlockedEncryptionTypes><EncryptionType>X</EncryptionType></BlockedEncryptionTypes></Rule>",
      ),
    ]) {
      expectS3Error("MalformedXML", () => parseEncryption(bytes));
    }
    const withKey = byDefault(`${aes}<KMSMasterKeyID>k</KMSMasterKeyID>`);
    expectS3Error("InvalidArgument", () => parseEncryption(withKey));
    const dual = byDefault("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm>");
    expectS3Error("NotImplemented", () => parseEncryption(dual));
  });
});

describe("request payment, ownership, public access block", () => {
  test("payer", () => {
    for (const payer of ["BucketOwner", "Requester"] as const) {
      assert.equal(parseRequestPayment(body(requestPaymentDocument(payer))), payer);
    }
    const bad = "<RequestPaymentConfiguration><Payer>Me</Payer></RequestPaymentConfiguration>";
    expectS3Error("MalformedXML", () => parseRequestPayment(body(bad)));
    const header = (value: string) => new HeaderList([["x-amz-request-payer", value]]);
    const none = QueryParameters.parse("");
    assert.equal(parseRequestPayer(header("requester"), none), true);
    assert.equal(parseRequestPayer(new HeaderList([]), none), false);
    const query = QueryParameters.parse("x-amz-request-payer=requester");
    assert.equal(parseRequestPayer(new HeaderList([]), query), true);
    expectS3Error("InvalidArgument", () => parseRequestPayer(header("me"), none));
  });

  test("ownership", () => {
    for (const ownership of ["BucketOwnerPreferred", "ObjectWriter"] as const) {
      assert.equal(parseOwnership(body(ownershipDocument(ownership))), ownership);
      const header = new HeaderList([["x-amz-object-ownership", ownership]]);
      assert.equal(parseOwnershipHeader(header), ownership);
    }
    const rule = "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>";
    for (const inner of ["", rule + rule, "<Rule/>", rule.replace("Writer", "Reader")]) {
      const bytes = body(`<OwnershipControls>${inner}</OwnershipControls>`);
      expectS3Error("MalformedXML", () => parseOwnership(bytes));
    }
    const bad = new HeaderList([["x-amz-object-ownership", "x"]]);
    expectS3Error("InvalidArgument", () => parseOwnershipHeader(bad));
  });

  test("ACLs go off only when they grant nothing to others", () => {
    const owners = { grantee: { kind: "user", id: "o" }, permission: "FULL_CONTROL" } as const;
    const others = { grantee: { kind: "user", id: "x" }, permission: "READ" } as const;
    const all = { grantee: { kind: "group", uri: ALL_USERS }, permission: "READ" } as const;
    checkOwnershipChange("BucketOwnerEnforced", [owners], "o");
    checkOwnershipChange("ObjectWriter", [owners, others], "o");
    for (const grant of [others, all]) {
      expectS3Error("InvalidBucketAclWithObjectOwnership", () =>
        checkOwnershipChange("BucketOwnerEnforced", [owners, grant], "o"),
      );
    }
  });

  test("with ACLs off only lists that change nothing are accepted", () => {
    const grant = (value: string, permission: "FULL_CONTROL" | "READ") =>
      ({ kind: "grants", grants: [{ grantee: { kind: "id", value }, permission }] }) as const;
    const canned = (name: "private" | "public-read" | "bucket-owner-full-control") =>
      ({ kind: "canned", name }) as const;
    for (const acl of [
      { kind: "none" } as const,
      canned("private"),
      canned("bucket-owner-full-control"),
      grant("o", "FULL_CONTROL"),
    ]) {
      checkAclHeadersAllowed("BucketOwnerEnforced", acl, "o");
    }
    for (const acl of [canned("public-read"), grant("x", "FULL_CONTROL"), grant("o", "READ")]) {
      checkAclHeadersAllowed("ObjectWriter", acl, "o");
      expectS3Error("AccessControlListNotSupported", () =>
        checkAclHeadersAllowed("BucketOwnerEnforced", acl, "o"),
      );
    }
    const people = { writerId: "w", bucketOwnerId: "o" };
    const handsOver = canned("bucket-owner-full-control");
    assert.equal(objectOwner("BucketOwnerEnforced", { kind: "none" }, people), "o");
    assert.equal(objectOwner("BucketOwnerPreferred", { kind: "none" }, people), "w");
    assert.equal(objectOwner("BucketOwnerPreferred", handsOver, people), "o");
    assert.equal(objectOwner("ObjectWriter", handsOver, people), "w");
  });

  test("public access block", () => {
    const block = {
      blockPublicAcls: true,
      ignorePublicAcls: false,
      blockPublicPolicy: true,
      restrictPublicBuckets: false,
    };
    assert.deepEqual(parsePublicAccessBlock(body(publicAccessBlockDocument(block))), block);
    const off = parsePublicAccessBlock(body("<PublicAccessBlockConfiguration/>"));
    assert.deepEqual(Object.values(off), [false, false, false, false]);
    for (const inner of ["<BlockPublicAcls>yes</BlockPublicAcls>", "<Other>true</Other>"]) {
      const text = `<PublicAccessBlockConfiguration>${inner}</PublicAccessBlockConfiguration>`;
      expectS3Error("MalformedXML", () => parsePublicAccessBlock(body(text)));
    }
  });
});

describe("logging", () => {
  const status = (inner: string): Uint8Array =>
    body(`<BucketLoggingStatus>${inner}</BucketLoggingStatus>`);
  const enabled = (inner: string): Uint8Array =>
    status(
      `<LoggingEnabled><TargetBucket>t</TargetBucket><TargetPrefix>p/</TargetPrefix>${inner}</LoggingEnabled>`,
    );

  test("goes round", () => {
    for (const keyFormat of [
      { kind: "simple" },
      { kind: "partitioned", dateSource: "EventTime" },
      { kind: "partitioned", dateSource: "DeliveryTime" },
    ] as const) {
      const logging = { targetBucket: "t", targetPrefix: "p/", keyFormat };
      assert.deepEqual(parseLogging(body(loggingDocument(logging))), logging);
    }
    assert.equal(parseLogging(status("")), undefined);
    assert.equal(loggingDocument(undefined), documentText("BucketLoggingStatus", ""));
    const simple = "<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat>";
    assert.deepEqual(parseLogging(enabled(simple))?.keyFormat, { kind: "simple" });
    const format = "<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>";
    const expected = { kind: "partitioned", dateSource: "EventTime" };
    assert.deepEqual(parseLogging(enabled(format))?.keyFormat, expected);
    assert.equal(parseLogging(enabled("<TargetGrants/>"))?.targetPrefix, "p/");
  });

  test("refuses", () => {
    for (const bytes of [
      status("<LoggingEnabled/>"),
      status("<LoggingEnabled><TargetBucket>t</TargetBucket></LoggingEnabled>"),
      enabled("<TargetObjectKeyFormat/>"),
      enabled("<TargetObjectKeyFormat><SimplePrefix/><PartitionedPrefix/></TargetObjectKeyFormat>"),
      enabled(
        "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>X</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>",
      ),
    ]) {
      expectS3Error("MalformedXML", () => parseLogging(bytes));
    }
    const grants = enabled("<TargetGrants><Grant/></TargetGrants>");
    expectS3Error("NotImplemented", () => parseLogging(grants));
    const long = status(
      `<LoggingEnabled><TargetBucket>t</TargetBucket><TargetPrefix>${"p".repeat(801)}</TargetPrefix></LoggingEnabled>`,
    );
    expectS3Error("InvalidArgument", () => parseLogging(long));
  });

  test("names of log objects", () => {
    const base = { targetBucket: "t", targetPrefix: "logs/" };
    const log = {
      sourceOwner: "owner",
      sourceRegion: "eu-1",
      sourceBucket: "b",
      deliveredMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      eventMs: Date.UTC(2026, 0, 1, 23, 59, 59),
      unique: "ABC123",
    };
    const keys = [
      { kind: "simple" } as const,
      { kind: "partitioned", dateSource: "DeliveryTime" } as const,
      { kind: "partitioned", dateSource: "EventTime" } as const,
    ].map((keyFormat) => logObjectKey({ ...base, keyFormat }, log));
    assert.deepEqual(keys, [
      "logs/2026-01-02-03-04-05-ABC123",
      "logs/owner/eu-1/b/2026/01/02/2026-01-02-03-04-05-ABC123",
      "logs/owner/eu-1/b/2026/01/01/2026-01-01-00-00-00-ABC123",
    ]);
  });

  const entry: AccessLogEntry = {
    bucketOwner: "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
    bucket: "amzn-s3-demo-bucket1",
    timeMs: Date.UTC(2019, 1, 6, 0, 0, 38, 999),
    remoteAddress: "192.0.2.3",
    requester: undefined,
    requestId: "3E57427F3EXAMPLE",
    operation: "REST.GET.VERSIONING",
    key: undefined,
    requestLine: "GET /amzn-s3-demo-bucket1?versioning HTTP/1.1",
    status: 200,
    errorCode: undefined,
    bytesSent: 113,
    objectSize: undefined,
    totalMs: 7,
    turnAroundMs: undefined,
    referer: undefined,
    userAgent: "S3Console/0.4",
    versionId: undefined,
    hostId: "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234=",
    signatureVersion: "SigV4",
    cipherSuite: "ECDHE-RSA-AES128-GCM-SHA256",
    authenticationType: "AuthHeader",
    hostHeader: "amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com",
    tlsVersion: "TLSV1.2",
    aclRequired: true,
  };

  test("the line of the user guide's example", () => {
    assert.equal(
      accessLogLine(entry),
      "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be amzn-s3-demo-bucket1 " +
        "[06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.VERSIONING - " +
        '"GET /amzn-s3-demo-bucket1?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" - ' +
        "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 " +
        "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader " +
        "amzn-s3-demo-bucket1.s3.us-west-1.amazonaws.com TLSV1.2 - Yes",
    );
  });

  test("what a client sends cannot break a line", () => {
    const line = accessLogLine({
      ...entry,
      key: 'a b\n"c"/é',
      userAgent: 'x" "y\r\nz',
      referer: "\u2028",
      hostHeader: "a b",
      bytesSent: 0,
      objectSize: 5,
      turnAroundMs: 1.6,
      aclRequired: false,
    });
    assert.match(line, / a%20b%0A%22c%22\/%C3%A9 "GET/);
    assert.match(line, / "%E2%80%A8" "x%22 %22y%0D%0Az" /);
    assert.match(line, / 200 - - 5 7 2 /);
    assert.match(line, / a%20b TLSV1.2 - -$/);
    assert.equal(line.split("\n").length, 1);
  });
});
