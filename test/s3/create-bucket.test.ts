// CreateBucket: location constraints and placement policies, strict regions, and what happens when
// the bucket is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { S3Settings } from "../../services/gateway/config.ts";
import {
  type MemoryGateway,
  ROOT_USER,
  startMemoryGateway,
} from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller } from "./caller.ts";
import { newBucketName } from "./harness.ts";

async function withGateway(
  settings: Partial<S3Settings>,
  work: (s3: Caller, gateway: MemoryGateway) => Promise<void>,
): Promise<void> {
  const gateway = await startMemoryGateway(settings);
  try {
    const { accessKeyId, secret: secretAccessKey } = ROOT_USER;
    const endpoint = `http://${gateway.running.address}`;
    const region = settings.region ?? "us-east-1";
    await work(new Caller({ endpoint, accessKeyId, secretAccessKey, region }), gateway);
  } finally {
    await gateway.stop();
  }
}

function create(s3: Caller, bucket: string, location?: string): Promise<Answer> {
  const body =
    location === undefined
      ? ""
      : `<CreateBucketConfiguration><LocationConstraint>${location}</LocationConstraint></CreateBucketConfiguration>`;
  return s3.call({ method: "PUT", target: `/${bucket}`, body });
}

test("a location constraint chooses the placement policy it is set up for", async () => {
  const locations = { "archive:cold": "wide", "us-east-1": "fast", toString: "odd" };
  await withGateway({ locations }, async (s3, { metadata }) => {
    for (const [location, region, policy] of [
      ["archive:cold", "archive:cold", "wide"],
      ["us-east-1", "us-east-1", "fast"],
      ["eu-west-1", "eu-west-1", "standard"],
      [undefined, "us-east-1", "standard"],
    ] as const) {
      const bucket = newBucketName();
      const answer = await create(s3, bucket, location);
      assert.equal(answer.status, 200, answer.text);
      const record = metadata.buckets.get(bucket);
      assert.equal(record?.region, region);
      assert.equal(record?.policy, policy);
    }
    const odd = await create(s3, newBucketName(), "no such:place");
    assert.equal(odd.code, "InvalidLocationConstraint");
  });
});

test("names of JavaScript are no locations", async () => {
  await withGateway({ locations: { archive: "wide" } }, async (s3, { metadata }) => {
    for (const location of ["constructor", "toString", "hasOwnProperty"]) {
      const bucket = newBucketName();
      await create(s3, bucket, location);
      assert.equal(metadata.buckets.get(bucket)?.policy, "standard", location);
    }
  });
});

test("a strict gateway takes its own region and its locations only", async () => {
  const settings = { strictRegion: true, locations: { archive: "wide" } };
  await withGateway(settings, async (s3) => {
    const refused = await create(s3, newBucketName(), "eu-west-1");
    assert.equal(refused.code, "IllegalLocationConstraintException");
    for (const location of [undefined, "us-east-1", "archive"]) {
      assert.equal((await create(s3, newBucketName(), location)).status, 200, String(location));
    }
  });
});

test("outside of us-east-1 a bucket is not made twice", async () => {
  await withGateway({ region: "eu-west-1" }, async (s3) => {
    const bucket = newBucketName();
    assert.equal((await create(s3, bucket)).status, 200);
    const again = await create(s3, bucket);
    assert.equal(again.status, 409);
    assert.equal(again.code, "BucketAlreadyOwnedByYou");
  });
});

test("making a bucket again with object lock does not pretend that it has one", async () => {
  await withGateway({}, async (s3) => {
    const target = `/${newBucketName()}`;
    assert.equal((await s3.call({ method: "PUT", target })).status, 200);
    assert.equal((await s3.call({ method: "PUT", target })).status, 200);
    const headers = [["x-amz-bucket-object-lock-enabled", "true"]] as const;
    const locked = await s3.call({ method: "PUT", target, headers });
    assert.equal(locked.code, "BucketAlreadyOwnedByYou");
  });
});

test("by setting, new buckets have ACLs and are not blocked", async () => {
  const settings = { objectOwnership: "ObjectWriter", blockPublicAccess: false } as const;
  await withGateway(settings, async (s3) => {
    const target = `/${newBucketName()}`;
    const headers = [["x-amz-acl", "public-read"]] as const;
    const made = await s3.call({ method: "PUT", target, headers });
    assert.equal(made.status, 200, made.text);
    const block = await s3.call({ target: `${target}?publicAccessBlock` });
    assert.equal(block.code, "NoSuchPublicAccessBlockConfiguration");
    assert.match((await s3.call({ target: `${target}?acl` })).text, /AllUsers/);
  });
});
