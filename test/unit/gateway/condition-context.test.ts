// Condition keys of a request: each from its one source, none from anything else.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  legalHoldConditions,
  retentionConditions,
  taggingConditions,
} from "../../../services/gateway/data/access/body-conditions.ts";
import {
  type ConditionSource,
  conditionContext,
} from "../../../services/gateway/data/access/condition-context.ts";
import { plainPrincipal } from "../../../services/gateway/identity/principal.ts";
import type { UserIdentity } from "../../../services/gateway/plugins/authentication.ts";
import type { S3Request } from "../../../services/gateway/request.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { parseRequestTarget } from "../../../services/lib/s3/request-target.ts";

const NOW = Date.parse("2026-03-04T05:06:07.000Z");

function user(name: string, more: Partial<UserIdentity> = {}): UserIdentity {
  const principal = plainPrincipal(name, false);
  const names = { userId: name, displayName: name, userName: name };
  return { kind: "user", accessKeyId: "KEY", administrator: false, principal, ...names, ...more };
}

interface Asked {
  readonly action?: string;
  readonly target?: string;
  readonly headers?: readonly HeaderField[];
  readonly more?: Partial<ConditionSource>;
  readonly remoteAddress?: string;
}

function keysOf({ action = "s3:GetObject", target = "/bucket/key", ...asked }: Asked) {
  const headers = new HeaderList(asked.headers ?? []);
  const isBucket = !/^\/[^/?]+\//.test(target);
  const request: S3Request = {
    requestId: "R",
    method: "GET",
    target: parseRequestTarget(target),
    headers,
    address: { style: "path", bucket: "bucket", key: isBucket ? undefined : "key" },
    isWebsite: false,
    receivedMs: NOW,
    origin: {
      remoteAddress: asked.remoteAddress ?? "::ffff:192.0.2.7",
      isSecure: true,
      certificate: undefined,
    },
  };
  return conditionContext({
    identity: user("alice_umich"),
    request,
    region: "us-east-1",
    action,
    headers,
    isForm: false,
    versionId: undefined,
    viewPrefix: undefined,
    existingTags: undefined,
    fromBody: undefined,
    ...asked.more,
  });
}

function only(asked: Asked, key: string): string | undefined {
  return keysOf(asked).get(key)?.join(",");
}

test("who asks", () => {
  const keys = keysOf({});
  assert.deepEqual(keys.get("aws:username"), ["alice_umich"]);
  assert.deepEqual(keys.get("aws:userid"), ["alice_umich"]);
  assert.deepEqual(keys.get("aws:principaltype"), ["User"]);
  assert.deepEqual(keys.get("aws:principalarn"), ["arn:aws:iam:::user/alice_umich"]);
  assert.equal(keys.has("aws:tokenissuetime"), false);
  const nobody = keysOf({ more: { identity: { kind: "anonymous" } } });
  assert.deepEqual(nobody.get("aws:principaltype"), ["Anonymous"]);
  assert.equal(nobody.has("aws:username"), false);
  assert.equal(nobody.has("aws:principalarn"), false);
  assert.equal(nobody.has("s3:authtype"), false);
  const root = keysOf({ more: { identity: user("root") } });
  assert.deepEqual(root.get("aws:principaltype"), ["Account"]);
  assert.equal(root.has("aws:username"), false);
});

test("a session has its role and name, and when it began", () => {
  const arn = "arn:aws:sts:::assumed-role/reader/of-monday";
  const principal = { ...plainPrincipal("role/reader", false), arn };
  const session = { issuedMs: NOW - 1000, expiresMs: NOW + 1000, user: "alice_umich" };
  const { userName: _own, ...identity } = user("role/reader", { principal, session });
  const keys = keysOf({ more: { identity } });
  assert.deepEqual(keys.get("aws:userid"), ["reader:of-monday"]);
  assert.deepEqual(keys.get("aws:principaltype"), ["AssumedRole"]);
  assert.deepEqual(keys.get("aws:tokenissuetime"), ["2026-03-04T05:06:06.000Z"]);
  assert.equal(keys.has("aws:username"), false);
});

test("from where, how and when", () => {
  const headers = [
    ["User-Agent", "tool/1"],
    ["Referer", "https://page.example/"],
    ["X-Forwarded-For", "10.0.0.1"],
  ] as const;
  const keys = keysOf({ headers });
  assert.deepEqual(keys.get("aws:sourceip"), ["192.0.2.7"]);
  assert.deepEqual(keys.get("aws:securetransport"), ["true"]);
  assert.deepEqual(keys.get("aws:currenttime"), ["2026-03-04T05:06:07.000Z"]);
  assert.deepEqual(keys.get("aws:epochtime"), [String(NOW / 1000)]);
  assert.deepEqual(keys.get("aws:useragent"), ["tool/1"]);
  assert.deepEqual(keys.get("aws:referer"), ["https://page.example/"]);
  assert.deepEqual(keys.get("aws:requestedregion"), ["us-east-1"]);
  assert.equal(only({ remoteAddress: "fe80::1%eth0" }, "aws:sourceip"), "fe80::1");
  assert.equal(keysOf({ remoteAddress: "" }).has("aws:sourceip"), false);
});

test("how it was signed, and how long ago", () => {
  const date = ["x-amz-date", "20260304T050602Z"] as const;
  const v4 = keysOf({ headers: [["Authorization", "AWS4-HMAC-SHA256 Credential=x"], date] });
  assert.deepEqual(v4.get("s3:authtype"), ["REST-HEADER"]);
  assert.deepEqual(v4.get("s3:signatureversion"), ["AWS4-HMAC-SHA256"]);
  assert.deepEqual(v4.get("s3:signatureage"), ["5000"]);
  const old = keysOf({
    headers: [
      ["Authorization", "AWS key:signature"],
      ["Date", "Wed, 04 Mar 2026 05:06:00 GMT"],
    ],
  });
  assert.deepEqual(old.get("s3:signatureversion"), ["AWS"]);
  assert.deepEqual(old.get("s3:signatureage"), ["7000"]);
  const target = "/bucket/key?X-Amz-Signature=0&X-Amz-Date=20260304T050600Z";
  const presigned = keysOf({ target });
  assert.deepEqual(presigned.get("s3:authtype"), ["REST-QUERY-STRING"]);
  assert.deepEqual(presigned.get("s3:signatureage"), ["7000"]);
  const form = keysOf({ more: { isForm: true, headers: new HeaderList([]) } });
  assert.deepEqual(form.get("s3:authtype"), ["POST"]);
  assert.equal(keysOf({}).has("s3:authtype"), false);
});

test("headers count for the actions that have a key about them, and for no others", () => {
  const headers = [
    ["x-amz-acl", "public-read"],
    ["x-amz-grant-read", "id=a"],
    ["x-amz-copy-source", "bucket/source"],
    ["x-amz-storage-class", "STANDARD_IA"],
    ["x-amz-server-side-encryption", "AES256"],
    ["if-match", '"e"'],
    ["x-amz-object-lock-mode", "GOVERNANCE"],
    ["x-amz-object-lock-retain-until-date", "2026-03-06T05:06:07Z"],
  ] as const;
  const put = keysOf({ action: "s3:PutObject", headers });
  assert.deepEqual(put.get("s3:x-amz-acl"), ["public-read"]);
  assert.deepEqual(put.get("s3:x-amz-grant-read"), ["id=a"]);
  assert.deepEqual(put.get("s3:x-amz-copy-source"), ["bucket/source"]);
  assert.deepEqual(put.get("s3:x-amz-storage-class"), ["STANDARD_IA"]);
  assert.deepEqual(put.get("s3:x-amz-server-side-encryption"), ["AES256"]);
  assert.deepEqual(put.get("s3:if-match"), ['"e"']);
  assert.deepEqual(put.get("s3:object-lock-mode"), ["GOVERNANCE"]);
  assert.deepEqual(put.get("s3:object-lock-remaining-retention-days"), ["2"]);
  const get = keysOf({ headers });
  const own = [...get.keys()].filter((key) => key.startsWith("s3:"));
  assert.deepEqual(own, []);
});

test("a listing has its prefix, delimiter and size; in a view the whole prefix", () => {
  const target = "/bucket?prefix=a/&delimiter=/&max-keys=7";
  const keys = keysOf({ action: "s3:ListBucket", target });
  assert.deepEqual(keys.get("s3:prefix"), ["a/"]);
  assert.deepEqual(keys.get("s3:delimiter"), ["/"]);
  assert.deepEqual(keys.get("s3:max-keys"), ["7"]);
  const viewed = { action: "s3:ListBucket", target, more: { viewPrefix: "home/alice/" } };
  assert.equal(only(viewed, "s3:prefix"), "home/alice/a/");
  const whole = { action: "s3:ListBucket", target: "/bucket", more: { viewPrefix: "home/alice/" } };
  assert.equal(only(whole, "s3:prefix"), "home/alice/");
  assert.equal(keysOf({ action: "s3:ListBucket", target: "/bucket" }).has("s3:prefix"), false);
  // Whether a missing object is told is no question about a listing that was sent.
  const other = { action: "s3:ListBucket", target: "/bucket/key?prefix=a/" };
  assert.equal(keysOf(other).has("s3:prefix"), false);
});

test("tags that are there, tags that are sent", () => {
  const existingTags = [{ key: "Class", value: "open" }];
  const there = keysOf({ more: { existingTags }, headers: [["x-amz-tagging", "class=sent"]] });
  assert.deepEqual(there.get("s3:existingobjecttag/class"), ["open"]);
  assert.equal(there.has("s3:requestobjecttag/class"), false);
  const sent = keysOf({ action: "s3:PutObject", headers: [["x-amz-tagging", "Team=a&b=c"]] });
  assert.deepEqual(sent.get("s3:requestobjecttag/team"), ["a"]);
  assert.deepEqual(sent.get("s3:requestobjecttagkeys"), ["Team", "b"]);
  assert.equal(sent.has("s3:existingobjecttag/team"), false);
  const broken = keysOf({ action: "s3:PutObject", headers: [["x-amz-tagging", "a=%zz"]] });
  assert.equal(broken.has("s3:requestobjecttagkeys"), false);
});

test("bodies fill their keys, and headers do not fill them then", () => {
  const tagging = utf8(
    "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
  );
  const headers = [
    ["x-amz-tagging", "a=lie"],
    ["x-amz-object-lock-mode", "GOVERNANCE"],
  ] as const;
  const tags = { action: "s3:PutObjectTagging", headers };
  const fromTags = { ...tags, more: { fromBody: taggingConditions(tagging) } };
  assert.equal(only(fromTags, "s3:requestobjecttag/a"), "b");
  const unread = { ...tags, more: { fromBody: taggingConditions(utf8("no xml")) } };
  assert.equal(only(unread, "s3:requestobjecttag/a"), undefined);
  const hold = legalHoldConditions(utf8("<LegalHold><Status>ON</Status></LegalHold>"));
  assert.deepEqual(hold.get("s3:object-lock-legal-hold"), ["ON"]);
  const request = { receivedMs: NOW } as S3Request;
  const until = "2026-03-05T05:06:07Z";
  const body = `<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
  const retention = retentionConditions(utf8(body), request);
  assert.deepEqual(retention.get("s3:object-lock-mode"), ["COMPLIANCE"]);
  assert.deepEqual(retention.get("s3:object-lock-remaining-retention-days"), ["1"]);
  const lifted = { action: "s3:PutObjectRetention", headers };
  const fromBody = retentionConditions(utf8("<Retention/>"), request);
  assert.equal(only({ ...lifted, more: { fromBody } }, "s3:object-lock-mode"), undefined);
});

test("pieces of an upload bring no object about yet", () => {
  const isMade = (target: string): string | undefined =>
    only({ action: "s3:PutObject", target }, "s3:objectcreationoperation");
  assert.equal(isMade("/bucket/key"), "true");
  assert.equal(isMade("/bucket/key?uploads"), "false");
  assert.equal(isMade("/bucket/key?partNumber=1&uploadId=0"), "false");
  assert.equal(isMade("/bucket/key?uploadId=0"), "true");
});
