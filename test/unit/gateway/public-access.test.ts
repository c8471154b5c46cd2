// What everybody may read, by the facts of a bucket and a version: policies and lists together.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { bucketFacts, subjectOf } from "../../../services/gateway/data/access/bucket-facts.ts";
import { BucketSettings } from "../../../services/gateway/data/bucket-settings.ts";
import { utf8 } from "../../../services/lib/base/bytes.ts";
import {
  type BucketRecord,
  BucketRecordSchema,
} from "../../../services/lib/gen/dolium/record/v1/cluster_pb.ts";
import {
  type Version,
  VersionSchema,
} from "../../../services/lib/gen/dolium/record/v1/object_pb.ts";
import { evaluate } from "../../../services/lib/iam/evaluate.ts";
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  aclDocument,
} from "../../../services/lib/s3/settings/acl.ts";
import { toAclRecord } from "../../../services/lib/s3/settings/acl-record.ts";
import { ownershipDocument } from "../../../services/lib/s3/settings/ownership.ts";

let revision = 0n;

function bucketOf(settings: Readonly<Record<string, string>>): BucketRecord {
  revision += 1n;
  const list = Object.entries(settings).map(([name, text]) => ({ name, document: utf8(text) }));
  const names = { bucketId: 1, name: "site", owner: "owner_org" };
  return create(BucketRecordSchema, { ...names, revision, settings: list });
}

const OPEN = {
  Effect: "Allow",
  Principal: "*",
  Action: "s3:GetObject",
  Resource: "arn:aws:s3:::site/*",
};

function policy(...statements: readonly Readonly<Record<string, unknown>>[]): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: statements });
}

function block(name: string): string {
  return `<PublicAccessBlockConfiguration><${name}>true</${name}></PublicAccessBlockConfiguration>`;
}

function versionOf(group?: string): Version {
  const acl =
    group === undefined
      ? undefined
      : toAclRecord([{ grantee: { kind: "group", uri: group }, permission: "READ" }]);
  return create(VersionSchema, { owner: "owner_org", ...(acl === undefined ? {} : { acl }) });
}

const gateway = { bucketSettings: new BucketSettings() };
const context = new Map([
  ["aws:sourceip", ["192.0.2.7"]],
  ["aws:securetransport", ["false"]],
]);

function mayRead(settings: Readonly<Record<string, string>>, version = versionOf()): boolean {
  const bucket = bucketOf(settings);
  return evaluate({
    principal: { kind: "anonymous" },
    action: "s3:GetObject",
    resource: "arn:aws:s3:::site/folder/page.html",
    bucket: bucketFacts(gateway, bucket),
    object: subjectOf(gateway, bucket, version).facts,
    context,
  }).allowed;
}

function mayList(settings: Readonly<Record<string, string>>): boolean {
  return evaluate({
    principal: { kind: "anonymous" },
    action: "s3:ListBucket",
    resource: "arn:aws:s3:::site",
    bucket: bucketFacts(gateway, bucketOf(settings)),
    object: undefined,
    context,
  }).allowed;
}

test("without settings nobody reads and nobody lists", () => {
  assert.equal(mayRead({}), false);
  assert.equal(mayList({}), false);
});

const { Principal: _everybody, ...noPrincipal } = OPEN;
const { Action: _get, ...noAction } = OPEN;
const { Resource: _site, ...noResource } = OPEN;

for (const [what, statement, allowed] of [
  ["everybody", OPEN, true],
  ["everybody as an account", { ...OPEN, Principal: { AWS: "*" } }, true],
  ["all actions", { ...OPEN, Action: "s3:*" }, true],
  ["another case of the action", { ...OPEN, Action: "s3:getobject" }, true],
  ["a pattern of keys", { ...OPEN, Resource: "arn:aws:s3:::site/fold*/page.htm?" }, true],
  ["our partition", { ...OPEN, Resource: "arn:dolium:s3:::site/*" }, true],
  ["everything but another key", { ...noResource, NotResource: "arn:aws:s3:::site/x" }, true],
  ["everything but writing", { ...noAction, NotAction: "s3:PutObject" }, true],
  ["one user", { ...OPEN, Principal: { AWS: "arn:aws:iam::123456789012:user/x" } }, false],
  ["everybody but one", { ...noPrincipal, NotPrincipal: { AWS: "*" } }, false],
  ["another action", { ...OPEN, Action: "s3:PutObject" }, false],
  ["another key", { ...OPEN, Resource: "arn:aws:s3:::site/other/*" }, false],
  ["everything but this key", { ...noResource, NotResource: "arn:aws:s3:::site/fold*" }, false],
  ["everything but reading", { ...noAction, NotAction: "s3:Get*" }, false],
  [
    "other networks",
    { ...OPEN, Condition: { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } } },
    false,
  ],
  ["this network", { ...OPEN, Condition: { IpAddress: { "aws:SourceIp": "192.0.2.0/24" } } }, true],
] as const) {
  test(`a statement for ${what} ${allowed ? "opens" : "does not open"} an object`, () => {
    assert.equal(mayRead({ policy: policy(statement) }), allowed);
  });
}

test("a denial wins, under a condition that holds too", () => {
  for (const denial of [
    { ...OPEN, Effect: "Deny" },
    { ...OPEN, Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } },
    { ...OPEN, Effect: "Deny", Action: "s3:*", Resource: "arn:aws:s3:::site/folder/*" },
  ]) {
    const settings = { policy: policy(OPEN, denial) };
    assert.equal(mayRead(settings), false);
    assert.equal(mayRead(settings, versionOf(ALL_USERS)), false);
  }
  for (const harmless of [
    { ...OPEN, Effect: "Deny", Principal: { AWS: "arn:aws:iam::123456789012:user/x" } },
    { ...OPEN, Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "true" } } },
  ]) {
    assert.equal(mayRead({ policy: policy(OPEN, harmless) }), true);
  }
  const elsewhere = { ...OPEN, Effect: "Deny", Resource: "arn:aws:s3:::site/secret/*" };
  assert.equal(mayRead({ policy: policy(OPEN, elsewhere) }), true);
});

test("the public access block overrules policies and lists, each its own", () => {
  const settings = { policy: policy(OPEN) };
  assert.equal(
    mayRead({ ...settings, "public-access-block": block("RestrictPublicBuckets") }),
    false,
  );
  assert.equal(mayRead({ ...settings, "public-access-block": block("IgnorePublicAcls") }), true);
  const listed = versionOf(ALL_USERS);
  assert.equal(mayRead({ "public-access-block": block("RestrictPublicBuckets") }, listed), true);
  assert.equal(mayRead({ "public-access-block": block("IgnorePublicAcls") }, listed), false);
});

test("a list opens an object to everybody only where it says everybody and lists count", () => {
  assert.equal(mayRead({}, versionOf(ALL_USERS)), true);
  assert.equal(mayRead({}, versionOf(AUTHENTICATED_USERS)), false);
  const ownership = ownershipDocument("BucketOwnerEnforced");
  assert.equal(mayRead({ ownership }, versionOf(ALL_USERS)), false);
});

test("the bucket's own list lets everybody list, and read nothing", () => {
  const acl = aclDocument({
    ownerId: "owner_org",
    grants: [{ grantee: { kind: "group", uri: ALL_USERS }, permission: "READ" }],
  });
  assert.equal(mayList({ acl }), true);
  assert.equal(mayRead({ acl }), false);
  const listing = { ...OPEN, Action: "s3:ListBucket", Resource: "arn:aws:s3:::site" };
  assert.equal(mayList({ policy: policy(listing) }), true);
  assert.equal(mayRead({ policy: policy(listing) }), false);
});
