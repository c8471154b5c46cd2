// Which permissions requests about objects ask for, as AWS names them: one for a version, one more
// for each thing a write brings beside its bytes. Whoever lacks one is refused.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { PolicyAuthorizer } from "../../services/gateway/plugins/authorization.ts";
import type { AuthorizationRequest, Decision } from "../../services/lib/iam/model.ts";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  ROOT_USER,
  startGatewayOver,
} from "../unit/gateway/memory-gateway.ts";
import { type Answer, type Call, Caller, pathOf } from "./caller.ts";
import { makeVersionedBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

class RecordingAuthorizer extends PolicyAuthorizer {
  readonly asked: string[] = [];
  denied: string | undefined;

  override decide(request: AuthorizationRequest): Decision {
    this.asked.push(request.action);
    if (request.action !== this.denied) return super.decide(request);
    return { allowed: false, by: { rule: "no-rule-allows" } };
  }
}

const authorizer = new RecordingAuthorizer();
let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;
let bucket: string;
let version: string;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata, {}, { clusterKey: CLUSTER_KEY, authorizer });
  const endpoint = `http://${gateway.running.address}`;
  const { accessKeyId, secret } = ROOT_USER;
  s3 = new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
  bucket = await makeVersionedBucket(s3, true);
  version = (await s3.put(bucket, "key", "x")).headers.get("x-amz-version-id") ?? "";
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

/** Permissions that `call` asks for, in order. */
async function asked(call: Call): Promise<string[]> {
  authorizer.asked.length = 0;
  await s3.call(call);
  return [...authorizer.asked];
}

function about(query = "", more: Partial<Call> = {}): Call {
  return { target: pathOf(bucket, "key") + query, ...more };
}

test("the current version and a named one need different permissions", async () => {
  const names: readonly (readonly [string, string, string, string])[] = [
    ["GET", "", "s3:GetObject", "s3:GetObjectVersion"],
    ["HEAD", "", "s3:GetObject", "s3:GetObjectVersion"],
    ["GET", "tagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"],
    ["PUT", "tagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"],
    ["DELETE", "tagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"],
    ["GET", "acl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl"],
    ["PUT", "acl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
    ["GET", "attributes", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"],
    ["GET", "retention", "s3:GetObjectRetention", "s3:GetObjectRetention"],
    ["PUT", "legal-hold", "s3:PutObjectLegalHold", "s3:PutObjectLegalHold"],
  ];
  for (const [method, query, current, named] of names) {
    assert.deepEqual(await asked(about(`?${query}`, { method })), [current]);
    const withVersion = about(`?${query}&versionId=${version}`, { method });
    assert.deepEqual(await asked(withVersion), [named]);
  }
});

test("a write needs a permission for each thing it brings", async () => {
  const headers = [
    ["x-amz-acl", "private"],
    ["x-amz-tagging", "a=b"],
    ["x-amz-object-lock-legal-hold", "OFF"],
    ["Content-MD5", createHash("md5").update("x").digest("base64")],
  ] as const;
  const put = about("", { method: "PUT", body: "x", headers });
  assert.deepEqual(await asked(put), [
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectLegalHold",
    "s3:PutObjectTagging",
  ]);
  authorizer.denied = "s3:PutObjectTagging";
  assert.equal((await s3.call(put)).code, "AccessDenied");
  authorizer.denied = undefined;
});

test("tags are copied by who may read them there and write them here", async () => {
  const tags = [["x-amz-tagging", "a=b"]] as const;
  const tagged = await s3.call({
    method: "PUT",
    target: pathOf(bucket, "tagged"),
    body: "x",
    headers: tags,
  });
  const versionId = tagged.headers.get("x-amz-version-id") ?? "";
  await s3.put(bucket, "plain", "x");
  const copy = (source: string, directive = "COPY"): Call => ({
    method: "PUT",
    target: pathOf(bucket, "copy"),
    headers: [
      ["x-amz-copy-source", `${bucket}/${source}`],
      ["x-amz-tagging-directive", directive],
    ],
  });
  const copying = ["s3:PutObject", "s3:GetObject"];
  const both = ["s3:GetObjectTagging", "s3:PutObjectTagging"];
  assert.deepEqual(await asked(copy("tagged")), [...copying, ...both]);
  assert.deepEqual(await asked(copy(`tagged?versionId=${versionId}`)), [
    "s3:PutObject",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging",
  ]);
  assert.deepEqual(await asked(copy("plain")), copying);
  assert.deepEqual(await asked(copy("tagged", "REPLACE")), copying);
  for (const denied of both) {
    authorizer.denied = denied;
    const refused = await s3.call(copy("tagged"));
    authorizer.denied = undefined;
    assert.equal(refused.code, "AccessDenied", denied);
  }
});

test("going past governance, and deleting versions for good, are rights of their own", async () => {
  const bypass = [["x-amz-bypass-governance-retention", "true"]] as const;
  const target = `?versionId=${"0".repeat(32)}`;
  assert.deepEqual(await asked(about(target, { method: "DELETE", headers: bypass })), [
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
  ]);
  const body = `<Delete><Object><Key>a</Key></Object><Object><Key>key</Key><VersionId>${version}</VersionId></Object></Delete>`;
  const md5 = createHash("md5").update(body).digest("base64");
  const headers = [["Content-MD5", md5]] as const;
  authorizer.denied = "s3:DeleteObjectVersion";
  const call = { method: "POST", target: `/${bucket}?delete`, body, headers };
  const answer: Answer = await s3.call(call);
  authorizer.denied = undefined;
  assert.deepEqual(
    answer.xml().children.map(({ name }) => name),
    ["Deleted", "Error"],
  );
});
