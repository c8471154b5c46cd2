// The console on the admin port, whose pages are of another origin than S3; and pages of yet other
// origins, which get nothing.
import assert from "node:assert/strict";
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { consoleTest, useConsole } from "./console-page.ts";

useConsole({ DOLIUM_ADMIN__ADDRESS: "127.0.0.1:0" });

consoleTest("objects are listed and uploaded from the admin port", async (visit) => {
  const { page, s3, server, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "across" }));
  await s3.send(new PutObjectCommand({ Bucket: "across", Key: "there.txt", Body: "hello" }));
  assert.notEqual(server.adminUrl, "");
  await page.goto(`${server.adminUrl}/`);
  await page.waitForURL(/\/_console\//);
  await signIn();
  await page.getByRole("link", { name: "across", exact: true }).click();
  await page.getByRole("link", { name: "there.txt" }).click();
  await page.getByRole("dialog").getByText("hello").waitFor();
  await page.keyboard.press("Escape");
  const large = { name: "large.bin", mimeType: "", buffer: Buffer.alloc(20 * 1024 ** 2, 5) };
  const small = { name: "small.txt", mimeType: "text/plain", buffer: Buffer.from("small") };
  await page.locator('[data-pick="files"]').setInputFiles([large, small]);
  await page.getByText("2 of 2 done").waitFor();
  await page.getByRole("link", { name: "large.bin" }).waitFor();
  await page.getByLabel("Pick large.bin").check();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("1 deleted").waitFor();
});

consoleTest("another origin is told nothing by S3", async ({ server, s3 }) => {
  await s3.send(new CreateBucketCommand({ Bucket: "closed" }));
  const ask = async (origin: string): Promise<string | null> => {
    const headers = { origin, "access-control-request-method": "GET" };
    const answer = await fetch(`${server.endpoint}/closed/x`, { method: "OPTIONS", headers });
    await answer.text();
    return answer.headers.get("access-control-allow-origin");
  };
  assert.equal(await ask(new URL(server.adminUrl).origin), new URL(server.adminUrl).origin);
  assert.equal(await ask("http://evil.example"), null);
  assert.equal(await ask("null"), null);
  assert.equal(await ask(server.endpoint), null);
});
