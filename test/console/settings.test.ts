// The settings of a bucket by the console's forms, seen from S3.
import assert from "node:assert/strict";
import {
  CreateBucketCommand,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetBucketWebsiteCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { consoleTest, useConsole } from "./console-page.ts";

useConsole();

consoleTest("the switch makes a bucket public and private again", async (visit) => {
  const { page, s3, server, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "open" }));
  await s3.send(new PutObjectCommand({ Bucket: "open", Key: "a.txt", Body: "hello" }));
  const read = async (): Promise<number> => (await fetch(`${server.endpoint}/open/a.txt`)).status;
  assert.equal(await read(), 403);
  await signIn();
  await go("settings/open/access");
  const box = page.getByLabel("Everybody may read the objects of this bucket");
  await box.check();
  await page.getByText("The bucket is public").waitFor();
  assert.equal(await read(), 200);
  await check("public");
  await box.uncheck();
  await page.getByText("The bucket is private").waitFor();
  assert.equal(await read(), 403);
});

consoleTest("a policy the server refuses is refused with its words", async (visit) => {
  const { page, s3, go, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "policed" }));
  await signIn();
  await go("settings/policed/access");
  const editor = page.getByLabel("Policy (JSON)");
  await editor.fill('{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}');
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  const statement = {
    Sid: "mine",
    Effect: "Deny",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: "arn:aws:s3:::policed/secret/*",
  };
  await editor.fill(JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  const { Policy } = await s3.send(new GetBucketPolicyCommand({ Bucket: "policed" }));
  assert.match(Policy ?? "", /"mine"/);
});

consoleTest("versioning, quota and web site", async ({ page, s3, go, signIn }) => {
  await s3.send(new CreateBucketCommand({ Bucket: "several" }));
  await signIn();
  await go("settings/several/versioning");
  await page.getByRole("button", { name: "Turn versioning on" }).click();
  await page.getByText("On: what is overwritten").waitFor();
  const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket: "several" }));
  assert.equal(Status, "Enabled");
  await go("settings/several/quota");
  await page.getByLabel("Objects", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Save quota" }).click();
  await page.getByText("0 of 1 objects").waitFor();
  await go("settings/several/website");
  await page.getByLabel("Error document").fill("404.html");
  await page.getByRole("button", { name: "Make it a web site" }).click();
  await page.getByText("Web site saved").waitFor();
  const site = await s3.send(new GetBucketWebsiteCommand({ Bucket: "several" }));
  assert.equal(site.IndexDocument?.Suffix, "index.html");
  assert.equal(site.ErrorDocument?.Key, "404.html");
});

consoleTest("lifecycle rules are added beside others and removed", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "aging" }));
  const rules = async () => {
    const asked = new GetBucketLifecycleConfigurationCommand({ Bucket: "aging" });
    return (await s3.send(asked)).Rules ?? [];
  };
  await signIn();
  await go("settings/aging/lifecycle");
  await page.getByLabel("Names beginning with (empty: all)").fill("logs/<&>/");
  await page.getByLabel("Delete objects after days").fill("30");
  await page.getByRole("button", { name: "Add rule" }).click();
  await page.getByText("objects go after 30 days").first().waitFor();
  await page.getByLabel("Give up unfinished uploads after days").fill("7");
  await page.getByRole("button", { name: "Add rule" }).click();
  await page.getByText("unfinished uploads go after 7 days").waitFor();
  await check("lifecycle");
  const found = await rules();
  assert.equal(found.length, 2);
  assert.equal(found[0]?.Filter?.Prefix, "logs/<&>/");
  assert.equal(found[0]?.Expiration?.Days, 30);
  await page.getByRole("button", { name: "Remove rule 1" }).click();
  await page.getByText("objects go after 30 days").waitFor({ state: "detached" });
  const left = await rules();
  assert.equal(left.length, 1);
  assert.equal(left[0]?.AbortIncompleteMultipartUpload?.DaysAfterInitiation, 7);
});

consoleTest("CORS rules are added and removed", async ({ page, s3, go, signIn }) => {
  await s3.send(new CreateBucketCommand({ Bucket: "crossing" }));
  await signIn();
  await go("settings/crossing/cors");
  await page.getByLabel("Origins").fill("https://a.example https://b.example");
  await page.getByLabel("PUT").check();
  await page.getByRole("button", { name: "Add rule" }).click();
  await page.getByText("may GET, PUT, HEAD").waitFor();
  const { CORSRules = [] } = await s3.send(new GetBucketCorsCommand({ Bucket: "crossing" }));
  assert.deepEqual(CORSRules[0]?.AllowedOrigins, ["https://a.example", "https://b.example"]);
  await page.getByRole("button", { name: "Remove rule 1" }).click();
  await page.getByText("No rules.").waitFor();
  await assert.rejects(s3.send(new GetBucketCorsCommand({ Bucket: "crossing" })));
});
