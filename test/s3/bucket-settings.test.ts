// Settings of buckets that are a document put, got and deleted: lifecycle, website, encryption,
// logging, notification, payer. Actions: PutBucketLifecycleConfiguration,
// GetBucketLifecycleConfiguration, DeleteBucketLifecycle, PutBucketWebsite, GetBucketWebsite,
// DeleteBucketWebsite, PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption,
// PutBucketLogging, GetBucketLogging, PutBucketNotificationConfiguration,
// GetBucketNotificationConfiguration, PutBucketRequestPayment, GetBucketRequestPayment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  startGatewayOver,
} from "../unit/gateway/memory-gateway.ts";
import { type Caller, textAt } from "./caller.ts";
import { callerOf, makeBucket, newBucketName } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;

before(async () => {
  metadata = await StateMetadata.open();
  const options = { clusterKey: CLUSTER_KEY, notificationTargets: ["orders"] };
  gateway = await startGatewayOver(metadata, {}, options);
  s3 = callerOf(gateway);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

interface Case {
  readonly query: string;
  readonly document: string;
  /** Element of the document that comes back, and its text. */
  readonly shows: readonly [path: readonly string[], text: string];
  /** Error without the setting, or root element of the empty document. */
  readonly missing: { readonly code: string } | { readonly root: string };
  /** False where AWS has no DELETE. */
  readonly deletable: boolean;
  readonly refused: readonly (readonly [document: string, code: string])[];
}

function rule(inner: string): string {
  return `<LifecycleConfiguration><Rule>${inner}</Rule></LifecycleConfiguration>`;
}

function queue(arn: string, event = "s3:ObjectCreated:*"): string {
  return (
    `<NotificationConfiguration><QueueConfiguration><Queue>${arn}</Queue><Event>${event}</Event>` +
    "</QueueConfiguration></NotificationConfiguration>"
  );
}

function encryption(algorithm: string): string {
  return (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>" +
    `<SSEAlgorithm>${algorithm}</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>` +
    "</ServerSideEncryptionConfiguration>"
  );
}

const CASES: readonly Case[] = [
  {
    query: "lifecycle",
    document: rule(
      "<ID>old</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>" +
        "<Expiration><Days>30</Days></Expiration>",
    ),
    shows: [["Rule", "Expiration", "Days"], "30"],
    missing: { code: "NoSuchLifecycleConfiguration" },
    deletable: true,
    refused: [
      [rule("<Status>Enabled</Status><Filter/>"), "InvalidRequest"],
      [rule("<Prefix/><Status>On</Status><Expiration><Days>1</Days></Expiration>"), "MalformedXML"],
      [
        rule("<Prefix/><Status>Enabled</Status><Expiration><Days>0</Days></Expiration>"),
        "InvalidArgument",
      ],
    ],
  },
  {
    query: "website",
    document:
      "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>" +
      "<ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>",
    shows: [["IndexDocument", "Suffix"], "index.html"],
    missing: { code: "NoSuchWebsiteConfiguration" },
    deletable: true,
    refused: [
      ["<WebsiteConfiguration/>", "InvalidArgument"],
      [
        "<WebsiteConfiguration><IndexDocument><Suffix>a/b</Suffix></IndexDocument></WebsiteConfiguration>",
        "InvalidArgument",
      ],
    ],
  },
  {
    query: "encryption",
    document: encryption("AES256"),
    shows: [["Rule", "ApplyServerSideEncryptionByDefault", "SSEAlgorithm"], "AES256"],
    missing: { code: "ServerSideEncryptionConfigurationNotFoundError" },
    deletable: true,
    refused: [[encryption("ROT13"), "MalformedXML"]],
  },
  {
    query: "requestPayment",
    document: "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    shows: [["Payer"], "Requester"],
    missing: { root: "RequestPaymentConfiguration" },
    deletable: false,
    refused: [
      [
        "<RequestPaymentConfiguration><Payer>Nobody</Payer></RequestPaymentConfiguration>",
        "MalformedXML",
      ],
    ],
  },
  {
    query: "notification",
    document: queue("arn:dolium:sqs::orders:webhook"),
    shows: [["QueueConfiguration", "Queue"], "arn:dolium:sqs::orders:webhook"],
    missing: { root: "NotificationConfiguration" },
    deletable: false,
    refused: [
      [queue("arn:dolium:sqs::elsewhere:webhook"), "InvalidArgument"],
      [queue("arn:dolium:sqs::orders:kafka"), "InvalidArgument"],
      [queue("arn:aws:sqs:us-east-1:123456789012:queue"), "InvalidArgument"],
      [queue("arn:dolium:sqs::orders:webhook", "s3:ObjectEaten:*"), "InvalidArgument"],
    ],
  },
];

for (const { query, document, shows, missing, deletable, refused } of CASES) {
  test(`${query}: is absent, put, read, replaced and taken away`, async () => {
    const target = `/${await makeBucket(s3)}?${query}`;
    const expectMissing = async (): Promise<void> => {
      const answer = await s3.call({ target });
      if ("code" in missing) assert.equal(answer.code, missing.code);
      else assert.equal(answer.xml().name, missing.root);
      assert.equal(answer.status, "code" in missing ? 404 : 200);
    };
    await expectMissing();
    for (let turn = 0; turn < 2; turn += 1) {
      const put = await s3.call({ method: "PUT", target, body: document });
      assert.equal(put.status, 200, put.text);
      assert.equal(put.body.byteLength, 0);
      assert.equal(textAt((await s3.call({ target })).xml(), ...shows[0]), shows[1]);
    }
    const deleted = await s3.call({ method: "DELETE", target });
    assert.equal(deleted.status, deletable ? 204 : 405);
    if (deletable) await expectMissing();
  });

  test(`${query}: refuses what breaks its rules, and keeps what is there`, async () => {
    const target = `/${await makeBucket(s3)}?${query}`;
    await s3.call({ method: "PUT", target, body: document });
    for (const [body, code] of [
      ...refused,
      ["<a>", "MalformedXML"],
      ["", "MalformedXML"],
    ] as const) {
      const answer = await s3.call({ method: "PUT", target, body });
      assert.equal(answer.code, code, body);
    }
    assert.equal(textAt((await s3.call({ target })).xml(), ...shows[0]), shows[1]);
  });

  test(`${query}: a bucket that is not there says so`, async () => {
    const target = `/${newBucketName()}?${query}`;
    assert.equal((await s3.call({ target })).code, "NoSuchBucket");
    assert.equal((await s3.call({ method: "PUT", target, body: document })).code, "NoSuchBucket");
  });
}

test("a notification configuration has its targets tested, each time it is written", async () => {
  const bucket = await makeBucket(s3);
  const { bucket: record } = await metadata.query(1, {
    case: "getBucket",
    value: { name: bucket },
  });
  const groupId = record?.ranges[0]?.groupId ?? 0;
  const eventsOf = async (): Promise<string[]> => {
    const value = { afterSequence: 0n, limit: 1000 };
    const { entries } = await metadata.query(groupId, { case: "listOutbox", value });
    return entries
      .filter(({ bucketId }) => bucketId === record?.bucketId)
      .map(({ kind }) => (kind.case === "event" ? kind.value.name : ""));
  };
  const target = `/${bucket}?notification`;
  const queue =
    "<QueueConfiguration><Queue>arn:dolium:sqs::orders:webhook</Queue>" +
    "<Event>s3:ObjectCreated:*</Event></QueueConfiguration>";
  for (const [inner, events] of [
    ["", []],
    [queue, ["TestEvent"]],
    [queue, ["TestEvent", "TestEvent"]],
    ["", ["TestEvent", "TestEvent"]],
  ] as const) {
    const body = `<NotificationConfiguration>${inner}</NotificationConfiguration>`;
    const put = await s3.call({ method: "PUT", target, body });
    assert.equal(put.status, 200, put.text);
    assert.deepEqual(await eventsOf(), events);
  }
});

test("rules and notifications without an id get one", async () => {
  const bucket = await makeBucket(s3);
  const lifecycle = `/${bucket}?lifecycle`;
  const body = rule(
    "<Prefix>a</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>",
  );
  assert.equal((await s3.call({ method: "PUT", target: lifecycle, body })).status, 200);
  const id = textAt((await s3.call({ target: lifecycle })).xml(), "Rule", "ID");
  assert.match(id ?? "", /^[0-9a-f]{24}$/);
  const notification = `/${bucket}?notification`;
  await s3.call({
    method: "PUT",
    target: notification,
    body: queue("arn:minio:sqs::orders:webhook"),
  });
  const entry = (await s3.call({ target: notification })).xml();
  assert.match(textAt(entry, "QueueConfiguration", "Id") ?? "", /^[0-9a-f]{24}$/);
});

function logging(target: string): string {
  return (
    `<BucketLoggingStatus><LoggingEnabled><TargetBucket>${target}</TargetBucket>` +
    "<TargetPrefix>logs/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"
  );
}

test("logging: is turned on for a target bucket of the owner, read, and turned off", async () => {
  const bucket = await makeBucket(s3);
  const target = `/${bucket}?logging`;
  const off = (await s3.call({ target })).xml();
  assert.equal(off.name, "BucketLoggingStatus");
  assert.equal(off.children.length, 0);
  const sink = await makeBucket(s3);
  const put = await s3.call({ method: "PUT", target, body: logging(sink) });
  assert.equal(put.status, 200, put.text);
  const on = (await s3.call({ target })).xml();
  assert.equal(textAt(on, "LoggingEnabled", "TargetBucket"), sink);
  assert.equal(textAt(on, "LoggingEnabled", "TargetPrefix"), "logs/");
  await s3.call({ method: "PUT", target, body: "<BucketLoggingStatus/>" });
  assert.equal((await s3.call({ target })).xml().children.length, 0);
});

test("logging: refuses a target that is not there or not the owner's", async () => {
  const target = `/${await makeBucket(s3)}?logging`;
  const missing = await s3.call({ method: "PUT", target, body: logging(newBucketName()) });
  assert.equal(missing.code, "InvalidTargetBucketForLogging");
  assert.equal((await s3.call({ target })).xml().children.length, 0);
});

test("settings of one bucket do not touch another, and go with their bucket", async () => {
  const [first, second] = [await makeBucket(s3), await makeBucket(s3)];
  const body = encryption("AES256");
  await s3.call({ method: "PUT", target: `/${first}?encryption`, body });
  const other = await s3.call({ target: `/${second}?encryption` });
  assert.equal(other.code, "ServerSideEncryptionConfigurationNotFoundError");
  assert.equal((await s3.call({ method: "DELETE", target: `/${first}` })).status, 204);
  assert.equal((await s3.call({ method: "PUT", target: `/${first}` })).status, 200);
  const anew = await s3.call({ target: `/${first}?encryption` });
  assert.equal(anew.code, "ServerSideEncryptionConfigurationNotFoundError");
});
