// Notifications: documents, which entries an event is for, and the message.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  eventMessage,
  sequencer,
  testEventMessage,
} from "../../../../services/lib/s3/settings/event-message.ts";
import {
  entriesFor,
  type NotificationEntry,
  notificationDocument,
  parseNotification,
  parseStoredNotification,
  parseTargetArn,
  targetArn,
} from "../../../../services/lib/s3/settings/notification.ts";
import { expectS3Error } from "../expect-s3-error.ts";
import { body, documentText } from "./bodies.ts";

const ARN = "arn:dolium:sqs::orders:webhook";

function parse(inner: string): readonly NotificationEntry[] {
  return parseNotification(
    body(`<NotificationConfiguration>${inner}</NotificationConfiguration>`),
    { makeId: (index) => `n${index}`, isTarget: ({ name }) => name !== "gone" },
  );
}

function queue(event: string, filter = "", arn = ARN): string {
  const events = event
    .split(" ")
    .map((name) => `<Event>${name}</Event>`)
    .join("");
  return `<QueueConfiguration><Queue>${arn}</Queue>${events}${filter}</QueueConfiguration>`;
}

function filter(...rules: (readonly [name: string, value: string])[]): string {
  const inner = rules.map(
    ([name, value]) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`,
  );
  return `<Filter><S3Key>${inner.join("")}</S3Key></Filter>`;
}

describe("documents", () => {
  test("go round, of all three kinds", () => {
    const entries = parse(
      queue(
        "s3:ObjectCreated:* s3:ObjectTagging:Put",
        filter(["Prefix", "a/"], ["suffix", ".jpg"]),
      ) +
        `<TopicConfiguration><Id>t</Id><Topic>arn:minio:sqs::1:webhook</Topic><Event>s3:ObjectRemoved:Delete</Event></TopicConfiguration>` +
        `<CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:eu-1:f:x</CloudFunction><Event>s3:ObjectRemoved:DeleteMarkerCreated</Event></CloudFunctionConfiguration>`,
    );
    assert.deepEqual(parseStoredNotification(body(notificationDocument(entries))), entries);
    assert.deepEqual(
      entries.map(({ kind, id, target }) => [kind, id, target.name, target.type]),
      [
        ["queue", "n0", "orders", "webhook"],
        ["topic", "t", "1", "webhook"],
        ["function", "n2", "f", "x"],
      ],
    );
    for (const rules of ["", filter(["suffix", "x"]), filter(["prefix", "x"]), "<Filter/>"]) {
      const [one] = parse(queue("s3:ObjectRemoved:*", rules));
      assert.ok(one !== undefined);
      assert.deepEqual(parseStoredNotification(body(notificationDocument([one]))), [one]);
    }
    const longest = queue("s3:ObjectRemoved:*").replace(
      "<Queue>",
      `<Id>${"i".repeat(255)}</Id><Queue>`,
    );
    assert.equal(parse(longest).length, 1);
    expectS3Error("MalformedXML", () => parse(longest.replace("<Id>", "<Id>i")));
    assert.deepEqual(parse(""), []);
    assert.equal(notificationDocument([]), documentText("NotificationConfiguration", ""));
  });

  test("targets and their names", () => {
    assert.deepEqual(parseTargetArn(ARN), { type: "webhook", name: "orders" });
    assert.equal(targetArn({ type: "webhook", name: "orders" }), ARN);
    for (const arn of ["", "x", "arn:dolium:s3::a:b", "arn:dolium:sqs:::webhook", `${ARN}:x`]) {
      assert.equal(parseTargetArn(arn), undefined, arn);
    }
  });

  test("refuses", () => {
    for (const inner of [
      "<Other/>",
      "<QueueConfiguration/>",
      `<QueueConfiguration><Queue>${ARN}</Queue></QueueConfiguration>`,
      `<QueueConfiguration><Topic>${ARN}</Topic><Event>s3:ObjectCreated:*</Event></QueueConfiguration>`,
      queue("s3:ObjectCreated:*", "<Filter><Key/></Filter>"),
    ]) {
      expectS3Error("MalformedXML", () => parse(inner));
    }
    const same = "<Id>x</Id>";
    const removed = queue("s3:ObjectRemoved:*").replace("<Queue>", `${same}<Queue>`);
    for (const inner of [
      queue("s3:ObjectCreated"),
      queue("ObjectCreated:Put"),
      queue("s3:ObjectCreated:Nothing"),
      queue("s3:ObjectCreated:*", "", "arn:x"),
      queue("s3:ObjectCreated:*", "", "arn:dolium:sqs::gone:webhook"),
      queue("s3:ObjectCreated:*", filter(["middle", "x"])),
      queue("s3:ObjectCreated:*", filter(["prefix", "x"], ["Prefix", "y"])),
      queue("s3:ObjectCreated:*", filter(["prefix", "x".repeat(1025)])),
      removed + queue("s3:ObjectCreated:*").replace("<Queue>", `${same}<Queue>`),
      queue("s3:ObjectRemoved:Delete").repeat(101),
    ]) {
      expectS3Error("InvalidArgument", () => parse(inner));
    }
    expectS3Error("NotImplemented", () => parse("<EventBridgeConfiguration/>"));
  });

  test("overlaps: the same event on the same key may go to one entry only", () => {
    const put = "s3:ObjectCreated:Put";
    for (const inner of [
      queue(put) + queue("s3:ObjectCreated:*"),
      queue("s3:ObjectCreated:*") + queue(put),
      queue(put) + queue(put, filter(["prefix", "a"])),
      queue(put, filter(["prefix", "a"])) + queue(put, filter(["prefix", "ab"])),
      queue(put, filter(["prefix", "a"], ["suffix", "x"])) + queue(put, filter(["suffix", "yx"])),
    ]) {
      expectS3Error("InvalidArgument", () => parse(inner));
    }
    for (const inner of [
      queue(put) + queue("s3:ObjectRemoved:*"),
      queue(put, filter(["prefix", "a"])) + queue(put, filter(["prefix", "b"])),
      queue(put, filter(["prefix", "a"], ["suffix", "x"])) +
        queue(put, filter(["prefix", "a"], ["suffix", "y"])),
    ]) {
      assert.equal(parse(inner).length, 2);
    }
  });
});

describe("events", () => {
  const entries = parse(
    queue("s3:ObjectCreated:*", filter(["prefix", "a/"], ["suffix", ".jpg"])) +
      queue("s3:ObjectRemoved:Delete"),
  );
  const ids = (event: string, key: string) => entriesFor(entries, event, key).map(({ id }) => id);

  test("go to the entries that ask for them", () => {
    assert.deepEqual(ids("ObjectCreated:Put", "a/b.jpg"), ["n0"]);
    assert.deepEqual(ids("ObjectCreated:CompleteMultipartUpload", "a/.jpg"), ["n0"]);
    assert.deepEqual(ids("ObjectCreated:Put", "b/b.jpg"), []);
    assert.deepEqual(ids("ObjectCreated:Put", "a/b.png"), []);
    assert.deepEqual(ids("ObjectRemoved:Delete", "x"), ["n1"]);
    assert.deepEqual(ids("ObjectRemoved:DeleteMarkerCreated", "x"), []);
    assert.deepEqual(ids("ObjectTagging:Put", "a/b.jpg"), []);
  });

  const event = {
    name: "ObjectCreated:Put",
    timeMs: 0,
    region: "us-west-2",
    bucket: "amzn-s3-demo-bucket",
    bucketOwner: "A3NL1KOZZKExample",
    key: "My HappyFace+é.jpg",
    size: 1024,
    etag: "d41d8cd98f00b204e9800998ecf8427e",
    versionId: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
    sequence: 0x55aed6dcd90281e5n,
    configurationId: "testConfigRule",
    principal: "AIDAJDPLRKLG7UEXAMPLE",
    remoteAddress: "172.16.0.1",
    requestId: "C3D13FE58DE4C810",
    hostId: "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
  };

  test("the message has the form of the user guide's example", () => {
    assert.deepEqual(JSON.parse(eventMessage(event)), {
      Records: [
        {
          eventVersion: "2.1",
          eventSource: "aws:s3",
          awsRegion: "us-west-2",
          eventTime: "1970-01-01T00:00:00.000Z",
          eventName: "ObjectCreated:Put",
          userIdentity: { principalId: "AIDAJDPLRKLG7UEXAMPLE" },
          requestParameters: { sourceIPAddress: "172.16.0.1" },
          responseElements: {
            "x-amz-request-id": "C3D13FE58DE4C810",
            "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
          },
          s3: {
            s3SchemaVersion: "1.0",
            configurationId: "testConfigRule",
            bucket: {
              name: "amzn-s3-demo-bucket",
              ownerIdentity: { principalId: "A3NL1KOZZKExample" },
              arn: "arn:aws:s3:::amzn-s3-demo-bucket",
            },
            object: {
              key: "My+HappyFace%2B%C3%A9.jpg",
              size: 1024,
              eTag: "d41d8cd98f00b204e9800998ecf8427e",
              versionId: "096fKKXTRTtl3on89fVO.nfljtsv6qko",
              sequencer: "55AED6DCD90281E5",
            },
          },
        },
      ],
    });
  });

  test("removed objects have no size, later families another version", () => {
    const gone = { ...event, name: "ObjectRemoved:Delete", size: undefined, etag: undefined };
    const object = JSON.parse(eventMessage(gone)).Records[0].s3.object;
    assert.deepEqual(Object.keys(object), ["key", "versionId", "sequencer"]);
    for (const name of ["ObjectTagging:Put", "ObjectAcl:Put", "LifecycleExpiration:Delete"]) {
      assert.match(eventMessage({ ...event, name }), /"eventVersion":"2.3"/);
    }
  });

  test("sequencers sort as text; the test event", () => {
    assert.equal(sequencer(0n), "0000000000000000");
    assert.ok(sequencer(255n) < sequencer(256n));
    assert.equal(sequencer((1n << 64n) - 1n), "FFFFFFFFFFFFFFFF");
    assert.throws(() => sequencer(1n << 64n));
    assert.deepEqual(
      JSON.parse(testEventMessage({ bucket: "b", timeMs: 0, requestId: "r", hostId: "h" })),
      {
        Service: "Amazon S3",
        Event: "s3:TestEvent",
        Time: "1970-01-01T00:00:00.000Z",
        Bucket: "b",
        RequestId: "r",
        HostId: "h",
      },
    );
  });
});
