// Users, groups, policies, keys and tokens by the console; what an ordinary user sees.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { eventually } from "../support/eventually.ts";
import type { TestServer } from "../support/test-server.ts";
import { consoleTest, useConsole, type Visit, WAIT_MS } from "./console-page.ts";

useConsole({ DOLIUM_IDENTITY__TOKENS: "true" });

async function makeUser({ page, go }: Visit, name: string): Promise<void> {
  await go("users");
  await page.getByRole("button", { name: "New user" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
}

interface MadeKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function makeKey({ page }: Visit): Promise<MadeKey> {
  await page.getByRole("button", { name: "New access key" }).click();
  const text = (label: string) => page.getByRole("textbox", { name: label }).inputValue();
  const accessKeyId = await text("Access key id");
  const secretAccessKey = await text("Secret access key");
  await page.getByRole("button", { name: "I have it" }).click();
  return { accessKeyId, secretAccessKey };
}

function works({ endpoint, region }: TestServer, credentials: MadeKey): Promise<boolean> {
  const s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  return s3
    .send(new ListBucketsCommand({}))
    .then(
      () => true,
      () => false,
    )
    .finally(() => s3.destroy());
}

async function stops(server: TestServer, key: MadeKey): Promise<void> {
  await eventually("the key stops working", WAIT_MS, async () =>
    (await works(server, key)) ? undefined : true,
  );
}

consoleTest("a user is made, given a key, switched off and deleted", async (visit) => {
  const { page, server, signIn, check } = visit;
  await signIn();
  await makeUser(visit, "alice_umich");
  const key = await makeKey(visit);
  assert.equal(await works(server, key), true);
  assert.doesNotMatch(await page.content(), new RegExp(key.secretAccessKey));
  await check("user");
  await page.getByRole("button", { name: `Switch off ${key.accessKeyId}` }).click();
  await page.getByRole("button", { name: `Switch on ${key.accessKeyId}` }).waitFor();
  await stops(server, key);
  await page.getByRole("button", { name: `Delete ${key.accessKeyId}` }).click();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("rowheader", { name: key.accessKeyId }).waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Delete user" }).click();
  await page.getByLabel("Type alice_umich to go on").fill("alice_umich");
  await page.getByRole("dialog").getByRole("button", { name: "Delete user" }).click();
  await page.getByRole("heading", { name: "Users", level: 1 }).waitFor();
  await page.getByRole("link", { name: "alice_umich" }).waitFor({ state: "detached" });
});

consoleTest("a token is shown once, with settings to take away", async (visit) => {
  const { page, server, signIn, check } = visit;
  await signIn();
  await makeUser(visit, "carol_umich");
  await page.getByRole("button", { name: "Generate token" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("laptop");
  await check("new-token");
  await page.getByRole("dialog").getByRole("button", { name: "Generate token" }).click();
  const token = await page.getByRole("textbox", { name: "Token", exact: true }).inputValue();
  assert.match(token, /^DT[0-9a-f]{16}[A-Z2-7]{32}$/);
  await check("token-shown-once");
  const shown = page.getByRole("textbox", { name: "Settings:" });
  for (const client of ["~/.aws/config", "Environment", "rclone", "s3cmd", "boto3"]) {
    await page.getByLabel("Settings for").selectOption(client);
    const text = await shown.inputValue();
    assert.ok(text.includes(token), client);
    assert.ok(text.includes(new URL(server.endpoint).host), client);
  }
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download ~/.aws/config" }).click();
  const config = readFileSync(await (await saving).path(), "utf8");
  assert.ok(config.includes(`aws_access_key_id = ${token}`), config);
  await page.getByRole("button", { name: "I have it" }).click();
  const asKey = { accessKeyId: token, secretAccessKey: "anything" };
  assert.equal(await works(server, asKey), true);
  await page.getByRole("button", { name: "Rotate laptop" }).click();
  const next = await page.getByRole("textbox", { name: "Token", exact: true }).inputValue();
  assert.notEqual(next, token);
  await page.getByRole("button", { name: "I have it" }).click();
  assert.equal(await works(server, { ...asKey, accessKeyId: next }), true);
  assert.equal(await works(server, asKey), true);
  assert.equal(await page.getByRole("button", { name: "Revoke laptop" }).count(), 2);
  for (let left = 2; left > 0; left -= 1) {
    await page.getByRole("button", { name: "Revoke laptop" }).first().click();
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await eventually("the token is gone from the list", WAIT_MS, async () =>
      (await page.getByRole("button", { name: "Revoke laptop" }).count()) < left ? true : undefined,
    );
  }
  await stops(server, asKey);
  await stops(server, { ...asKey, accessKeyId: next });
});

consoleTest("groups and policies give rights, and say why", async (visit) => {
  const { page, go, signIn, check } = visit;
  await signIn();
  await makeUser(visit, "dave_umich");
  await go("policies");
  await page.getByRole("button", { name: "New policy" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("readers");
  const editor = page.getByLabel("Policy (JSON)");
  await editor.fill('{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}');
  await page.getByRole("button", { name: "Check", exact: true }).last().click();
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  const statement = { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::theirs/*" };
  await editor.fill(JSON.stringify({ Version: "2012-10-17", Statement: [statement] }));
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Edit readers" }).waitFor();
  await go("groups");
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("staff_umich");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Group staff_umich" }).waitFor();
  await page.getByLabel("Add a user").fill("dave_umich");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("link", { name: "dave_umich" }).waitFor();
  await page.getByLabel("Attach a managed policy").fill("readers");
  await page.getByRole("button", { name: "Attach", exact: true }).click();
  await page.getByRole("button", { name: "Detach readers" }).waitFor();
  await check("group");
  await go("policies");
  await page.getByLabel("User").fill("dave_umich");
  await page.getByLabel("Resource").fill("arn:aws:s3:::theirs/x");
  const ask = page.getByRole("button", { name: "Check", exact: true });
  await ask.click();
  await page.getByText("Allowed:").waitFor();
  await page.getByLabel("Action").fill("s3:DeleteObject");
  await ask.click();
  await page.getByText("Denied:").waitFor();
  await check("policy-check");
});

consoleTest("an ordinary user sees his own, and nothing of the cluster", async (visit) => {
  const { page, go, signIn, check } = visit;
  await signIn();
  await makeUser(visit, "erin_umich");
  const key = await makeKey(visit);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  await signIn(key.accessKeyId, key.secretAccessKey);
  const menu = page.getByRole("navigation", { name: "Pages" });
  assert.deepEqual(await menu.getByRole("link").allInnerTexts(), ["Buckets", "My access"]);
  await page.getByRole("button", { name: "New bucket" }).click();
  await page.getByLabel("Name", { exact: true }).fill("erins-own");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "erins-own", exact: true }).click();
  const file = { name: "mine.txt", mimeType: "text/plain", buffer: Buffer.from("mine") };
  await page.locator('[data-pick="files"]').setInputFiles([file]);
  await page.getByText("1 of 1 done").waitFor();
  await page.getByRole("link", { name: "mine.txt" }).waitFor();
  await go("tokens");
  await page.getByRole("heading", { name: "Access tokens" }).waitFor();
  await check("own-access");
  await go("users");
  await page.getByRole("rowheader", { name: "erin_umich" }).waitFor();
  assert.equal(await page.getByRole("rowheader").count(), 1);
  await go("cluster");
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await go("tokens");
  await page.getByRole("button", { name: "End all my sessions" }).click();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  await page.reload();
  await page.getByLabel("Access key", { exact: true }).waitFor();
});
