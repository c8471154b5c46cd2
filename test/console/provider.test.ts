// Signing in at an identity provider, in a browser: there and back over another site, into groups
// that the provider tells, what is refused on the way and how people learn of it, and out again.
import assert from "node:assert/strict";
import { after } from "node:test";
import { CLIENT, OidcServer } from "../unit/gateway/identity/oidc-server.ts";
import { consoleTest, useConsole, type Visit, WAIT_MS } from "./console-page.ts";

/** Started before the server, which is told of it by its settings. */
const provider = await OidcServer.start("localhost");
const settings = {
  name: "campus",
  issuer: provider.issuer,
  clientId: CLIENT.id,
  clientSecret: CLIENT.secret,
  organisation: "umich",
  groupsClaim: "groups",
  createUsers: true,
};

useConsole({ DOLIUM_IDENTITY__OIDC: JSON.stringify([settings]) });
after(() => provider.stop());

let count = 0;

/** Another person each time. */
function newPerson(claims: Readonly<Record<string, unknown>> = {}): string {
  count += 1;
  provider.nonce = undefined;
  provider.state = undefined;
  const name = `person${count}`;
  provider.claims = { sub: `sub-${count}`, preferred_username: name, name: "Pat", ...claims };
  return `${name}_umich`;
}

function allowProvider({ expected }: Visit): void {
  expected.push(`request to ${provider.issuer}`);
}

async function askProvider({ page }: Visit, answer = "It is me"): Promise<void> {
  await page.getByRole("link", { name: "Sign in with campus" }).click();
  await page.getByRole("heading", { name: "Campus sign-in" }).waitFor();
  await page.getByRole("link", { name: answer, exact: true }).click();
}

async function isIn({ page }: Visit, user: string): Promise<void> {
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
  await page.getByText(`Signed in as ${user}`).waitFor();
}

async function isRefused({ page, context }: Visit, reason: RegExp): Promise<void> {
  await page.getByRole("alert").filter({ hasText: reason }).waitFor();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  assert.deepEqual(await context.cookies(), [], "nothing is left of the attempt");
}

consoleTest("there and back, signed in, out again, and in as the same", async (visit) => {
  const { page, context, url, check } = visit;
  allowProvider(visit);
  const user = newPerson();
  await page.goto(url);
  await page.getByRole("link", { name: "Sign in with campus" }).waitFor();
  await check("sign-in-provider");
  await askProvider(visit);
  await isIn(visit, user);
  assert.equal(page.url(), url, "no code or state stays in the address");
  const [cookie, ...others] = await context.cookies();
  assert.deepEqual(others, []);
  assert.equal(cookie?.name, "dolium_session");
  assert.equal(cookie?.httpOnly, true);
  assert.equal(cookie?.sameSite, "Strict");
  await page.reload();
  await isIn(visit, user);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await askProvider(visit);
  await isIn(visit, user);
});

consoleTest(
  "whoever came to a page lands there, after a refusal too, and nowhere else",
  async (visit) => {
    const { page, url } = visit;
    allowProvider(visit);
    const user = newPerson();
    const asked = `${url}#/tokens`;
    await page.goto(asked);
    await askProvider(visit, "No");
    await isRefused(visit, /access_denied/);
    assert.equal(page.url(), url);
    await askProvider(visit);
    await isIn(visit, user);
    await page.waitForURL(asked);
    await page.getByRole("heading", { name: "My access" }).waitFor();
    // Gone there once; an address that names a place goes before what was kept.
    await page.getByRole("link", { name: "Buckets", exact: true }).click();
    await page.reload();
    await isIn(visit, user);
    assert.equal(new URL(page.url()).hash, "#/buckets");
    await page.getByRole("button", { name: "Sign out" }).click();
    // What does not look like a place of the console is not kept, and not believed where it is.
    for (const hash of ["#//other.example/", "https://other.example/", "#javascript:1"]) {
      await page.goto(url);
      await page.getByLabel("Access key", { exact: true }).waitFor();
      const kept = JSON.stringify(JSON.stringify({ hash, atMs: Date.now() }));
      await page.evaluate(`sessionStorage.setItem("dolium-return", ${kept})`);
      newPerson();
      await askProvider(visit);
      await page.getByRole("navigation", { name: "Pages" }).waitFor();
      assert.equal(page.url(), url);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Access key", { exact: true }).waitFor();
    }
  },
);

consoleTest("groups come from the claims, as far as there are such groups", async (visit) => {
  const { page, signIn, go } = visit;
  allowProvider(visit);
  await signIn();
  await go("groups");
  await page.getByRole("button", { name: "New group" }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("staff_umich");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "Group staff_umich" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  const user = newPerson({ groups: ["staff_umich", "strangers_umich"] });
  await askProvider(visit);
  await isIn(visit, user);
  const ask = `fetch("/_admin/api/v1/users/${user}").then((r) => r.json())`;
  const own = (await page.evaluate(ask)) as { readonly groups: readonly string[] };
  assert.deepEqual(own.groups, ["staff_umich"]);
});

consoleTest("what was sent for another sign-in is refused, and the page says so", async (visit) => {
  const { page, url, check } = visit;
  allowProvider(visit);
  newPerson();
  provider.state = "another-state";
  await page.goto(url);
  await askProvider(visit);
  await isRefused(visit, /belongs to another sign-in/);
  await check("sign-in-provider-refused");
  await page.reload();
  await page.getByLabel("Access key", { exact: true }).waitFor();
  assert.equal(await page.getByRole("alert").filter({ hasText: /\w/ }).count(), 0, "said once");
  newPerson();
  provider.nonce = "another-nonce";
  await askProvider(visit);
  await isRefused(visit, /nonce/);
  const user = newPerson();
  await askProvider(visit);
  await isIn(visit, user);
});

consoleTest("who says no at the provider, or may not come in, is told", async (visit) => {
  const { page, url } = visit;
  allowProvider(visit);
  newPerson();
  await page.goto(url);
  await askProvider(visit, "No");
  await isRefused(visit, /access_denied/);
  newPerson({ preferred_username: "not a name" });
  await askProvider(visit);
  await isRefused(visit, /cannot be the name of a user/);
});

consoleTest("an answer that this browser never asked for is refused", async (visit) => {
  const { page, server } = visit;
  newPerson();
  const path = "/_admin/api/v1/session/oidc/campus/callback";
  const back = `${server.endpoint}${path}`;
  const query = provider.authorize(
    `${provider.issuer}/authorize?${new URLSearchParams({ redirect_uri: back, state: "s" })}`,
  );
  await page.goto(`${back}?${query}`);
  await isRefused(visit, /not begun here/);
  const plain = await fetch(`${back}?${query}`, { redirect: "manual" });
  assert.equal(plain.status, 403, "scripts are told by the status");
});

consoleTest("a session that ended comes back to the sign-in page, and in again", async (visit) => {
  const { page, context, url, server } = visit;
  allowProvider(visit);
  const user = newPerson();
  await page.goto(url);
  await askProvider(visit);
  await isIn(visit, user);
  // What the page asks for while it opens must be over, or that finds the session ended.
  const isQuiet = page.getByText("No buckets yet.");
  await isQuiet.waitFor();
  // As the browser does after twelve hours.
  await context.clearCookies();
  await page.getByRole("link", { name: "My access" }).click();
  await page.getByRole("alert").filter({ hasText: "has ended" }).waitFor();
  await askProvider(visit);
  await isIn(visit, user);
  await page.getByRole("heading", { name: "My access" }).waitFor();
  await page.getByRole("link", { name: "Buckets", exact: true }).click();
  await isQuiet.waitFor();
  // As an administrator does.
  const other = await context.browser()?.newContext();
  assert.ok(other !== undefined);
  try {
    const desk = await other.newPage();
    await desk.goto(url);
    await desk.getByLabel("Access key", { exact: true }).fill(server.accessKeyId);
    await desk.getByLabel("Secret key").fill(server.secretAccessKey);
    await desk.getByRole("button", { name: "Sign in", exact: true }).click();
    await desk.getByRole("navigation", { name: "Pages" }).waitFor({ timeout: WAIT_MS });
    await desk.goto(`${url}#/user/${user}`);
    await desk.getByRole("button", { name: "End sessions" }).click();
    await desk.getByText("All sessions have ended").waitFor({ timeout: WAIT_MS });
  } finally {
    await other.close();
  }
  await page.getByRole("link", { name: "My access" }).click();
  await page.getByRole("alert").filter({ hasText: "has ended" }).waitFor();
  await page.getByRole("link", { name: "Sign in with campus" }).waitFor();
});
