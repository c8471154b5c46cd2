// Uploads: files and folders, large ones in parts; paused, broken off, tried again, and taken up
// after the page was loaded anew. What arrives is compared byte by byte.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import { consoleTest, useConsole, WAIT_MS } from "./console-page.ts";

useConsole();

const MEBI = 1024 ** 2;
const LARGE_MIB = process.env.DOLIUM_TEST_FULL === "1" ? 2048 : 32;
/** A busy machine takes two MiB in a second. */
const LARGE_WAIT_MS = Math.max(WAIT_MS * 5, LARGE_MIB * 1000);
const folder = mkdtempSync(join(tmpdir(), "dolium-uploads-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A file whose every MiB differs; its path and SHA-256. */
async function makeFile(name: string, mebibytes: number): Promise<{ path: string; sha: string }> {
  const path = join(folder, name);
  const file = await open(path, "w");
  const hash = createHash("sha256");
  const piece = Buffer.alloc(MEBI);
  for (let at = 0; at < mebibytes; at += 1) {
    piece.fill(`${name} ${at} `);
    hash.update(piece);
    await file.write(piece);
  }
  await file.close();
  return { path, sha: hash.digest("hex") };
}

async function shaOf(s3: S3Client, bucket: string, key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const hash = createHash("sha256");
  // In Node the SDK gives a stream.
  for await (const piece of Body as AsyncIterable<Uint8Array>) hash.update(piece);
  return hash.digest("hex");
}

async function keysOf(s3: S3Client, bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = "" }) => Key);
}

async function openUploads(s3: S3Client, bucket: string): Promise<number> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
  return Uploads.length;
}

consoleTest("files and folders arrive under their paths", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "arrive" }));
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "deep/er"), { recursive: true });
  writeFileSync(join(tree, "top.txt"), "top");
  writeFileSync(join(tree, "deep/er/low.txt"), "low");
  writeFileSync(join(tree, "empty"), "");
  await signIn();
  await go("b/arrive?prefix=in/");
  await page.locator('[data-pick="folder"]').setInputFiles(tree);
  await page.getByText("3 of 3 done").waitFor();
  const one = { name: "one.txt", mimeType: "text/plain", buffer: Buffer.from("one") };
  await page.locator('[data-pick="files"]').setInputFiles([one]);
  await page.getByText("4 of 4 done").waitFor();
  await page.getByRole("link", { name: "one.txt" }).waitFor();
  await check("uploads");
  const found = await keysOf(s3, "arrive");
  const wanted = ["in/one.txt", "in/tree/deep/er/low.txt", "in/tree/empty", "in/tree/top.txt"];
  assert.deepEqual(found, wanted);
  const { Body, ContentType } = await s3.send(
    new GetObjectCommand({ Bucket: "arrive", Key: "in/one.txt" }),
  );
  assert.equal(await Body?.transformToString(), "one");
  assert.equal(ContentType, "text/plain");
});

consoleTest("dropped files are uploaded", async ({ page, s3, go, signIn }) => {
  await s3.send(new CreateBucketCommand({ Bucket: "dropped" }));
  await signIn();
  await go("b/dropped");
  await page.getByText("Nothing here.").waitFor();
  await page.evaluate(`(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["dropped"], "drop.txt", { type: "text/plain" }));
    const area = document.querySelector("section[aria-label=Objects]");
    for (const type of ["dragover", "drop"]) {
      const init = { bubbles: true, cancelable: true, dataTransfer: transfer };
      area.dispatchEvent(new DragEvent(type, init));
    }
  })()`);
  await page.getByText("1 of 1 done").waitFor();
  assert.deepEqual(await keysOf(s3, "dropped"), ["drop.txt"]);
});

consoleTest("a large upload goes on where it was after the page was loaded anew", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "large" }));
  const file = await makeFile("large.bin", LARGE_MIB);
  await signIn();
  await go("b/large");
  await page.getByText("Nothing here.").waitFor();
  // Two parts arrive, however often they are sent; the others wait until the page is gone.
  const seen: string[] = [];
  const isPart = /[?&]partNumber=(\d+)/;
  await page.route(isPart, async (route) => {
    const number = Number(isPart.exec(route.request().url())?.[1]);
    if (number <= 2) await route.continue();
  });
  await page.locator('[data-pick="files"]').setInputFiles(file.path);
  await eventually("two parts are kept", WAIT_MS * 2, async () => {
    const Bucket = "large";
    const [upload] = (await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];
    const { Key, UploadId } = upload ?? {};
    const { Parts = [] } = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }));
    return Parts.length >= 2 ? true : undefined;
  });
  await page.unrouteAll({ behavior: "ignoreErrors" });
  const kept = String(await page.evaluate("JSON.stringify(localStorage)"));
  assert.match(kept, /large\.bin/);
  assert.doesNotMatch(kept, /secret|signature|token/i);
  await page.reload();
  await page.getByText("interrupted: pick the file again to go on").waitFor();
  await check("upload-interrupted");
  page.on("request", (request) => {
    const part = isPart.exec(request.url());
    if (part !== null && request.method() === "PUT") seen.push(part[0]);
  });
  await page.locator('[data-pick="again"]').setInputFiles(file.path);
  await page.getByText("1 of 1 done").waitFor({ timeout: LARGE_WAIT_MS });
  const count = LARGE_MIB / 8;
  assert.ok(seen.length > 0 && seen.length < count, `${seen.length} of ${count} parts sent again`);
  assert.equal(await shaOf(s3, "large", "large.bin"), file.sha);
  assert.equal(await openUploads(s3, "large"), 0);
  assert.equal(await page.evaluate("localStorage.length"), 0);
});

consoleTest("another file of that name does not take an upload up", async (visit) => {
  const { page, s3, go, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "other" }));
  const file = await makeFile("same.bin", 17);
  await signIn();
  await go("b/other");
  await page.getByText("Nothing here.").waitFor();
  await page.route(/[?&]partNumber=\d+/, () => undefined);
  await page.locator('[data-pick="files"]').setInputFiles(file.path);
  await eventually("the upload is open", WAIT_MS, async () =>
    (await openUploads(s3, "other")) === 1 ? true : undefined,
  );
  await eventually("it is remembered", WAIT_MS, async () =>
    (await page.evaluate("localStorage.length")) === 1 ? true : undefined,
  );
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.reload();
  await page.getByText("interrupted: pick the file again to go on").waitFor();
  const changed = await makeFile("changed.bin", 18);
  await page.locator('[data-pick="again"]').setInputFiles(changed.path);
  await page.getByText("This is not the same file").waitFor();
  await page.getByRole("button", { name: "Remove same.bin" }).click();
  await eventually("its parts are given up", WAIT_MS, async () =>
    (await openUploads(s3, "other")) === 0 ? true : undefined,
  );
});

consoleTest("an upload is paused and goes on", async ({ page, s3, go, signIn }) => {
  await s3.send(new CreateBucketCommand({ Bucket: "paused" }));
  const file = await makeFile("paused.bin", 17);
  await signIn();
  await go("b/paused");
  await page.getByText("Nothing here.").waitFor();
  await page.route(/[?&]partNumber=\d+/, () => undefined);
  await page.locator('[data-pick="files"]').setInputFiles(file.path);
  await page.getByRole("button", { name: "Pause paused.bin" }).click();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await page.getByText("1 of 1 done").waitFor();
  assert.equal(await shaOf(s3, "paused", "paused.bin"), file.sha);
});

consoleTest("an upload is paused while the addresses of its parts are signed", async (visit) => {
  const { page, s3, go, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "signing" }));
  const file = await makeFile("signing.bin", 17);
  await signIn();
  await go("b/signing");
  await page.getByText("Nothing here.").waitFor();
  let isHeld = false;
  const gate = Promise.withResolvers<undefined>();
  await page.route(/\/presign$/, async (route) => {
    if (route.request().postData()?.includes("partNumber") === true) {
      isHeld = true;
      await gate.promise;
    }
    await route.continue();
  });
  await page.route(/[?&]partNumber=\d+/, () => undefined);
  await page.locator('[data-pick="files"]').setInputFiles(file.path);
  await eventually("a part waits for its address", WAIT_MS, async () => isHeld || undefined);
  await page.getByRole("button", { name: "Pause signing.bin" }).click();
  gate.resolve(undefined);
  await page.getByRole("button", { name: "Resume", exact: true }).waitFor();
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await page.getByText("1 of 1 done").waitFor();
  assert.equal(await shaOf(s3, "signing", "signing.bin"), file.sha);
});

consoleTest("what fails is listed with the reason, and tried again", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "failing" }));
  await signIn();
  await go("b/failing");
  await page.getByText("Nothing here.").waitFor();
  const refusal = "<Error><Code>AccessDenied</Code><Message>Not for you.</Message></Error>";
  await page.route(/\/failing\/bad\.txt\?/, (route) =>
    route.fulfill({ status: 403, contentType: "application/xml", body: refusal }),
  );
  const files = ["good.txt", "bad.txt"].map((name) => ({
    name,
    mimeType: "text/plain",
    buffer: Buffer.from(name),
  }));
  await page.locator('[data-pick="files"]').setInputFiles(files);
  await page.getByText("1 of 2 done, 1 failed").waitFor();
  await page.getByText("Not for you.").waitFor();
  await check("upload-failed");
  assert.deepEqual(await keysOf(s3, "failing"), ["good.txt"]);
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await page.getByRole("button", { name: "Retry all" }).click();
  await page.getByText("2 of 2 done").waitFor();
  assert.deepEqual(await keysOf(s3, "failing"), ["bad.txt", "good.txt"]);
});

consoleTest("a connection that breaks is tried again by itself", async (visit) => {
  const { page, s3, go, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "shaky" }));
  await signIn();
  await go("b/shaky");
  await page.getByText("Nothing here.").waitFor();
  let breaks = 2;
  await page.route(/\/shaky\/file\.txt\?/, async (route) => {
    breaks -= 1;
    if (breaks >= 0) await route.abort("connectionreset");
    else await route.continue();
  });
  const file = { name: "file.txt", mimeType: "text/plain", buffer: Buffer.from("there") };
  await page.locator('[data-pick="files"]').setInputFiles([file]);
  await page.getByText("1 of 1 done").waitFor();
  assert.deepEqual(await keysOf(s3, "shaky"), ["file.txt"]);
});
