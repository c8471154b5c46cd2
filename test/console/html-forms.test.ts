// A plain HTML form in a real browser, posted to a bucket: signed as the AWS pages say, by Version
// 4 and by Version 2, and one whose policy does not let the key through.
// Source: Amazon S3 API reference, "Browser-Based Uploads Using POST".
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { consoleTest, useConsole, type Visit } from "./console-page.ts";

useConsole();

/** What S3 puts the name of the picked file in place of. */
const FILE_NAME = "\u0024{filename}";

type Fields = Readonly<Record<string, string>>;

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function policyOf(bucket: string, conditions: readonly unknown[]): string {
  const expiration = new Date(Date.now() + 600_000).toISOString();
  const all = [{ bucket }, ["starts-with", "$key", "up/"], ...conditions];
  return Buffer.from(JSON.stringify({ expiration, conditions: all })).toString("base64");
}

function version4({ server }: Visit, bucket: string): Fields {
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const day = now.slice(0, 8);
  const credential = `${server.accessKeyId}/${day}/${server.region}/s3/aws4_request`;
  const signed = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": credential,
    "x-amz-date": now,
    success_action_status: "201",
  };
  const conditions = Object.entries(signed).map(([name, value]) => ({ [name]: value }));
  const policy = policyOf(bucket, conditions);
  const parts = [day, server.region, "s3", "aws4_request"];
  const key = parts.reduce<string | Buffer>(hmac, `AWS4${server.secretAccessKey}`);
  return { ...signed, policy, "x-amz-signature": hmac(key, policy).toString("hex") };
}

function version2({ server }: Visit, bucket: string): Fields {
  const policy = policyOf(bucket, [{ success_action_status: "201" }]);
  const signature = createHmac("sha1", server.secretAccessKey).update(policy).digest("base64");
  return {
    AWSAccessKeyId: server.accessKeyId,
    success_action_status: "201",
    policy,
    signature,
  };
}

/** Shows the form, picks a file and presses the button; resolves with the status of the answer. */
async function submit({ page, server }: Visit, bucket: string, fields: Fields): Promise<number> {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
  );
  await page.setContent(
    `<!doctype html><title>Upload</title>
     <form action="${server.endpoint}/${bucket}" method="post" enctype="multipart/form-data">
     ${inputs.join("\n")}
     <input type="file" name="file"><button>Upload</button></form>`,
  );
  const buffer = Buffer.from(`posted to ${bucket}`);
  const file = { name: "ünï cödé.txt", mimeType: "text/plain", buffer };
  await page.locator("input[type=file]").setInputFiles(file);
  const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
  await page.getByRole("button", { name: "Upload" }).click();
  return (await answered).status();
}

for (const [name, sign] of [
  ["form-v4", version4],
  ["form-v2", version2],
] as const) {
  consoleTest(`an HTML form uploads a file (${name})`, async (visit) => {
    const { s3 } = visit;
    await s3.send(new CreateBucketCommand({ Bucket: name }));
    const fields = { key: `up/${FILE_NAME}`, ...sign(visit, name) };
    assert.equal(await submit(visit, name, fields), 201);
    const Key = "up/ünï cödé.txt";
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key }));
    assert.equal(await Body?.transformToString(), `posted to ${name}`);
  });
}

consoleTest("a form whose policy does not let the key through stores nothing", async (visit) => {
  const { s3, expected } = visit;
  expected.push("403");
  await s3.send(new CreateBucketCommand({ Bucket: "form-refused" }));
  const fields = { key: `elsewhere/${FILE_NAME}`, ...version4(visit, "form-refused") };
  assert.equal(await submit(visit, "form-refused", fields), 403);
  const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: "form-refused" }));
  assert.equal(KeyCount, 0);
});
