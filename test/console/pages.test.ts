// Every page: reached from the navigation, readable with assistive technology, in light and dark,
// with nothing but its own files.
import assert from "node:assert/strict";
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { Page } from "playwright-core";
import { consoleTest, useConsole } from "./console-page.ts";

useConsole();

const PAGES = [
  ["buckets", "Buckets"],
  ["tokens", "My access"],
  ["users", "Users"],
  ["groups", "Groups"],
  ["roles", "Roles"],
  ["policies", "Policies"],
  ["cluster", "Cluster"],
  ["live", "Live"],
] as const;
const TABS = ["access", "versioning", "quota", "lifecycle", "cors", "website"];

/** Nothing stands out of a narrow screen sideways; wide tables scroll in themselves. */
async function fitsPhone(page: Page, name: string): Promise<void> {
  const wide = page.viewportSize();
  assert.ok(wide !== null);
  await page.setViewportSize({ width: 390, height: 800 });
  const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  assert.ok(Number(over) <= 0, `${name} is ${over} too wide`);
  await page.setViewportSize(wide);
}

consoleTest(
  "a wrong secret is refused and the page says so",
  async ({ page, url, server, check }) => {
    await page.goto(url);
    await check("sign-in");
    await page.getByLabel("Access key", { exact: true }).fill(server.accessKeyId);
    await page.getByLabel("Secret key").fill("wrong-secret-of-some-length");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
    assert.equal(await page.getByLabel("Secret key").inputValue(), "");
    await check("sign-in-refused");
  },
);

consoleTest("signing in and out", async ({ page, context, url, signIn }) => {
  await page.goto(url);
  await signIn();
  const [cookie, ...others] = await context.cookies();
  assert.ok(cookie !== undefined);
  assert.deepEqual(others, []);
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, "Strict");
  await page.reload();
  await page.getByRole("heading", { name: "Buckets" }).waitFor();
  assert.equal(await page.evaluate("JSON.stringify(localStorage)"), "{}");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  await page.reload();
  await page.getByLabel("Access key", { exact: true }).waitFor();
});

consoleTest("(39) the page comes with the headers that guard it", async ({ page, url }) => {
  const answer = await page.goto(url);
  const headers = answer?.headers() ?? {};
  const policy = headers["content-security-policy"] ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe-(?:inline|eval)/);
  assert.equal(headers["x-frame-options"], "DENY");
  assert.equal(headers["x-content-type-options"], "nosniff");
});

consoleTest("(39) what another page sends in the session's name is refused", async (visit) => {
  const { page, server, signIn } = visit;
  await signIn();
  const ask = `fetch("/_admin/api/v1/buckets", { method: "POST", body: '{"name":"forged"}',
    headers: { "content-type": "application/json" } }).then((r) => r.status)`;
  assert.equal(await page.evaluate(ask), 403);
  const list = await page.evaluate(`fetch("/_admin/api/v1/buckets").then((r) => r.json())`);
  assert.doesNotMatch(JSON.stringify(list), /forged/);
  assert.notEqual(server.endpoint, "");
});

for (const theme of ["light", "dark"] as const) {
  consoleTest(`every page in ${theme}`, async ({ page, s3, go, signIn, check }) => {
    const bucket = `pages-${theme}`;
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "a/b.txt", Body: "hello" }));
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "c.txt", Body: "hello" }));
    await signIn();
    await page.getByLabel("Appearance").selectOption(theme);
    assert.equal(await page.evaluate("document.documentElement.dataset.theme"), theme);
    for (const [place, heading] of PAGES) {
      await page.getByRole("navigation", { name: "Pages" }).getByText(heading).click();
      await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
      await page.getByText("Loading…").waitFor({ state: "detached" });
      await check(`${theme}-${place}`);
      await fitsPhone(page, place);
    }
    await go(`b/${bucket}`);
    await page.getByRole("link", { name: "c.txt" }).waitFor();
    await check(`${theme}-objects`);
    await fitsPhone(page, "objects");
    await page.getByRole("link", { name: "c.txt" }).click();
    await page.getByRole("dialog").getByText("hello").waitFor();
    await check(`${theme}-preview`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    for (const tab of TABS) {
      await go(`settings/${bucket}/${tab}`);
      await page.getByRole("heading", { name: `Settings of ${bucket}` }).waitFor();
      await page.getByText("Loading…").first().waitFor({ state: "detached" });
      await check(`${theme}-settings-${tab}`);
      await fitsPhone(page, tab);
    }
  });
}

consoleTest("the keyboard alone opens a bucket and an object", async (visit) => {
  const { page, s3, go, signIn, until } = visit;
  await s3.send(new CreateBucketCommand({ Bucket: "keyboard" }));
  for (const key of ["a.txt", "b.txt", "c.txt"]) {
    await s3.send(new PutObjectCommand({ Bucket: "keyboard", Key: key, Body: `body of ${key}` }));
  }
  await signIn();
  await go("b/keyboard");
  await page.getByRole("row", { name: "a.txt" }).focus();
  await page.keyboard.press("ArrowDown");
  await until("document.activeElement?.textContent.includes('b.txt')");
  await page.keyboard.press("Space");
  await page.getByRole("button", { name: "Delete 1" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("body of b.txt").waitFor();
});
