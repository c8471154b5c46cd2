// Objects: looked at, shared, renamed, copied, deleted and brought back; names that would be markup
// or orders to the screen stay names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { mapBounded } from "../../services/lib/base/bounded.ts";
import { consoleTest, useConsole } from "./console-page.ts";

useConsole();

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const HOSTILE = [
  "<script>document.title='hit'</script>.html",
  "\"'><img src=x onerror=\"document.title='hit'\">.svg",
  "javascript:document.title='hit'",
  "photo\u202Egpj.exe",
  "a&b=c?d#e%2f+ .txt",
  "back\\slash/../up.txt",
  "__proto__",
];

async function bucketWith(
  s3: S3Client,
  bucket: string,
  objects: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const [Key, Body] of Object.entries(objects)) {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  }
}

async function keysOf(s3: S3Client, bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = "" }) => Key);
}

async function textOf(s3: S3Client, bucket: string, key: string): Promise<string> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? "";
}

consoleTest(
  "(36) CVE-2016-9579 hostile names are shown, and do nothing",
  async ({ page, s3, go, signIn, check }) => {
    await s3.send(new CreateBucketCommand({ Bucket: "hostile" }));
    for (const Key of HOSTILE) {
      const Body = "<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title='hit'\"/>";
      const ContentType = Key.endsWith(".svg") ? "image/svg+xml" : "text/html";
      await s3.send(new PutObjectCommand({ Bucket: "hostile", Key, Body, ContentType }));
    }
    await signIn();
    await go("b/hostile");
    await page.getByText("__proto__").waitFor();
    await page.getByText("photo‹202e›gpj.exe").waitFor();
    await check("hostile");
    await page.getByRole("link", { name: "__proto__" }).click();
    await page
      .getByRole("dialog")
      .getByText("HTML", { exact: false })
      .or(page.getByRole("dialog").getByText("<svg xmlns"))
      .first()
      .waitFor();
    assert.equal(await page.locator("dialog svg[onload], dialog script").count(), 0);
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "a&b=c" }).click();
    await page.getByRole("dialog").getByText("<svg xmlns").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "back\\slash" }).click();
    await page.getByRole("link", { name: ".." }).click();
    await page.getByRole("link", { name: "up.txt" }).waitFor();
    assert.equal(await page.title(), "Dolium");
  },
);

consoleTest(
  "(36) CVE-2020-1760 a page among the objects has an origin of its own",
  async (visit) => {
    const { page, s3, go, signIn, until } = visit;
    const body =
      "<!doctype html><title>p</title><script>document.title = String(self.origin)</script>";
    await s3.send(new CreateBucketCommand({ Bucket: "pages" }));
    const object = { Bucket: "pages", Key: "p.html", Body: body, ContentType: "text/html" };
    await s3.send(new PutObjectCommand(object));
    await signIn();
    await go("b/pages");
    await page.getByRole("button", { name: "Actions for p.html" }).click();
    await page.getByRole("button", { name: "Share" }).click();
    await page.getByRole("button", { name: "Make link" }).click();
    const link = await page.getByLabel("Link", { exact: true }).inputValue();
    await page.goto(link);
    await until("document.title !== 'p'");
    assert.equal(await page.title(), "null");
  },
);

consoleTest("pictures and PDF are shown as what they are", async (visit) => {
  const { page, s3, go, signIn, until } = visit;
  await bucketWith(s3, "looks", {
    "one.png": PIXEL,
    "two.pdf": "%PDF-1.4\n%%EOF",
    "three.bin": "x",
  });
  await signIn();
  await go("b/looks");
  await page.getByRole("link", { name: "one.png" }).click();
  await until("document.querySelector('dialog img')?.naturalWidth === 1");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "two.pdf" }).click();
  await page.locator("dialog iframe[src^='blob:']").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "three.bin" }).click();
  await page.getByText("There is no preview of this kind.").waitFor();
});

consoleTest("a link works without signing in, and only for its object", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await bucketWith(s3, "shared", { "note.txt": "for you", "other.txt": "not for you" });
  await signIn();
  await go("b/shared");
  await page.getByRole("link", { name: "note.txt" }).click();
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByLabel("Works for").selectOption("3600");
  await page.getByRole("button", { name: "Make link" }).click();
  await page.getByRole("img", { name: "QR code of the link" }).waitFor();
  await check("share");
  const link = await page.getByLabel("Link", { exact: true }).inputValue();
  assert.match(link, /X-Amz-Expires=3600/);
  const curl = await page.getByRole("textbox", { name: "With curl" }).inputValue();
  assert.ok(curl.startsWith("curl -o 'note.txt' 'http"), curl);
  const answer = await fetch(link);
  assert.equal(await answer.text(), "for you");
  assert.equal((await fetch(link.replace("note.txt", "other.txt"))).status, 403);
  assert.equal((await fetch(link, { method: "DELETE" })).status, 403);
});

consoleTest("an upload link takes files of its size into its folder only", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await bucketWith(s3, "drop", { "in/x": "x" });
  await signIn();
  await go("b/drop?prefix=in/");
  await page.getByRole("button", { name: "Upload link" }).click();
  await page.getByLabel("Largest file, MiB").fill("1");
  await page.getByRole("button", { name: "Make upload link" }).click();
  const line = await page.getByRole("textbox", { name: "With curl" }).inputValue();
  await check("upload-link");
  const fields = [...line.matchAll(/--form-string '([^=]+)=([^']*)'/g)];
  const url = /'(https?:[^']+)'\s*$/.exec(line)?.[1] ?? "";
  const send = async (name: string, body: string, key?: string): Promise<number> => {
    const form = new FormData();
    for (const [, field = "", value = ""] of fields) {
      form.set(field, field === "key" && key !== undefined ? key : value);
    }
    form.set("file", new Blob([body]), name);
    return (await fetch(url, { method: "POST", body: form })).status;
  };
  assert.equal(await send("mine.txt", "hello"), 204);
  assert.equal(await textOf(s3, "drop", "in/mine.txt"), "hello");
  assert.equal(await send("big.txt", "x".repeat(1024 * 1024 + 1)), 400);
  assert.equal(await send("out.txt", "hello", "elsewhere.txt"), 403);
  assert.deepEqual(await keysOf(s3, "drop"), ["in/mine.txt", "in/x"]);
});

consoleTest("renamed, copied and deleted", async ({ page, s3, go, signIn }) => {
  await bucketWith(s3, "change", {
    "old.txt": "one",
    "keep.txt": "two",
    "dir/a": "3",
    "dir/b": "4",
  });
  await signIn();
  await go("b/change");
  await page.getByRole("button", { name: "Actions for old.txt" }).click();
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "New name" }).fill("new name.txt");
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await page.getByRole("link", { name: "new name.txt" }).waitFor();
  assert.deepEqual(await keysOf(s3, "change"), ["dir/a", "dir/b", "keep.txt", "new name.txt"]);
  await page.getByRole("button", { name: "Actions for keep.txt" }).click();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("textbox", { name: "New name" }).fill("copies/kept.txt");
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("link", { name: "copies/" }).waitFor();
  assert.equal(await textOf(s3, "change", "copies/kept.txt"), "two");
  await page.getByLabel("Pick dir/").check();
  await page.getByLabel("Pick keep.txt").check();
  await page.getByRole("button", { name: "Delete 2" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("3 deleted").waitFor();
  assert.deepEqual(await keysOf(s3, "change"), ["copies/kept.txt", "new name.txt"]);
});

consoleTest("versions are listed, and a deleted object comes back", async (visit) => {
  const { page, s3, go, signIn, check } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "past" }));
  const on = { Bucket: "past", VersioningConfiguration: { Status: "Enabled" } } as const;
  await s3.send(new PutBucketVersioningCommand(on));
  for (const Body of ["first", "second"]) {
    await s3.send(new PutObjectCommand({ Bucket: "past", Key: "doc.txt", Body }));
  }
  await signIn();
  await go("b/past");
  await page.getByLabel("Pick doc.txt").check();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Nothing here.").waitFor();
  await page.getByLabel("Versions").check();
  await page.getByText("delete marker").waitFor();
  assert.equal(await page.getByRole("link", { name: "doc.txt" }).count(), 3);
  await check("versions");
  await page.getByRole("button", { name: "Actions for doc.txt" }).first().click();
  await page.getByRole("button", { name: "Remove delete marker" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("delete marker").waitFor({ state: "detached" });
  assert.equal(await textOf(s3, "past", "doc.txt"), "second");
  await page.getByRole("button", { name: "Actions for doc.txt" }).last().click();
  await page.getByRole("button", { name: "Restore" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByText("doc.txt is there").waitFor();
  assert.equal(await textOf(s3, "past", "doc.txt"), "first");
});

consoleTest("long lists come in pages, and only seen rows exist", async (visit) => {
  const { page, s3, go, signIn } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "many" }));
  const keys = Array.from({ length: 1203 }, (_, at) => `n${String(at).padStart(5, "0")}`);
  await mapBounded(keys, 16, async (Key) => {
    await s3.send(new PutObjectCommand({ Bucket: "many", Key, Body: "x" }));
  });
  await signIn();
  await go("b/many");
  await page.getByText("1,000 loaded, more below").waitFor();
  assert.ok((await page.locator(".list-row").count()) < 100);
  await page.getByRole("row", { name: "n00000" }).focus();
  await page.keyboard.press("End");
  await page.getByText("1,203 loaded").waitFor();
  await page.getByRole("row").last().focus();
  await page.keyboard.press("End");
  await page.getByRole("link", { name: "n01202" }).waitFor();
  await page.getByLabel("Name begins with").fill("n0010");
  await page.keyboard.press("Enter");
  await page.getByText("10 loaded").waitFor();
});

consoleTest("picked objects and folders come as one archive", async ({ page, s3, go, signIn }) => {
  await bucketWith(s3, "packed", { "a.txt": "alpha", "dir/b.txt": "beta", "dir/c/d.txt": "delta" });
  // A page that may write to a file of its own asks where; there is nobody here to answer.
  await page.addInitScript("delete window.showSaveFilePicker");
  await signIn();
  await go("b/packed");
  await page.getByLabel("Pick dir/").check();
  await page.getByLabel("Pick a.txt").check();
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download ZIP" }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), "packed.zip");
  const bytes = readFileSync(await saved.path());
  for (const text of ["a.txtalpha", "dir/b.txt", "beta", "dir/c/d.txt", "delta"]) {
    assert.ok(bytes.includes(text.replace("a.txtalpha", "alpha")), text);
  }
  assert.equal(bytes.readUInt16LE(bytes.length - 22 + 10), 3);
});

consoleTest("one object is downloaded under its own name", async ({ page, s3, go, signIn }) => {
  await bucketWith(s3, "single", { "dir/naïve file.html": "<b>x</b>" });
  await signIn();
  await go("b/single?prefix=dir/");
  await page.getByRole("link", { name: "naïve file.html" }).click();
  const saving = page.waitForEvent("download");
  await page.getByRole("dialog").getByRole("button", { name: "Download" }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), "naïve file.html");
  assert.equal(readFileSync(await saved.path(), "utf8"), "<b>x</b>");
});

consoleTest("folders and buckets are made and removed", async ({ page, s3, go, signIn, check }) => {
  await signIn();
  await page.getByRole("button", { name: "New bucket" }).click();
  await check("new-bucket");
  await page.getByLabel("Name", { exact: true }).fill("No_Good");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel("Name", { exact: true }).fill("made-here");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "made-here", exact: true }).click();
  await page.getByRole("button", { name: "New folder" }).click();
  await page.getByLabel("Name", { exact: true }).fill("sub");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "sub/" }).waitFor();
  assert.equal(
    (await s3.send(new HeadObjectCommand({ Bucket: "made-here", Key: "sub/" }))).ContentLength,
    0,
  );
  await go("buckets");
  await page.getByRole("button", { name: "Delete made-here" }).click();
  await page.getByLabel("Type made-here to go on").fill("made-here");
  await page.getByRole("button", { name: "Delete bucket" }).click();
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "empty" }).waitFor();
  await page.keyboard.press("Escape");
  await go("b/made-here");
  await page.getByLabel("Pick sub/").check();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("Nothing here.").waitFor();
  await go("buckets");
  await page.getByRole("button", { name: "Delete made-here" }).click();
  await page.getByLabel("Type made-here to go on").fill("made-here");
  await page.getByRole("button", { name: "Delete bucket" }).click();
  await page.getByRole("link", { name: "made-here", exact: true }).waitFor({ state: "detached" });
});
