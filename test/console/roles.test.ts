// Roles with their trust policies, permissions boundaries and client certificates by the console.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { Certificates } from "../unit/host/certificates.ts";
import { consoleTest, useConsole, type Visit } from "./console-page.ts";

useConsole();

async function makeNamed({ page, go }: Visit, place: string, what: string, name: string) {
  await go(place);
  await page.getByRole("button", { name: `New ${what}` }).click();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill(name);
}

async function makePolicy(visit: Visit, name: string): Promise<void> {
  const { page } = visit;
  await makeNamed(visit, "policies", "policy", name);
  const statement = { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/*" };
  const text = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await page.getByLabel("Policy (JSON)").fill(text);
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: `Edit ${name}` }).waitFor();
}

async function makeUser(visit: Visit, name: string): Promise<void> {
  await makeNamed(visit, "users", "user", name);
  await visit.page.getByRole("button", { name: "Create" }).click();
  await visit.page.getByRole("heading", { name, level: 1 }).waitFor();
}

async function setBoundary({ page }: Visit, policy: string): Promise<void> {
  const save = page.getByRole("button", { name: "Save boundary" });
  await page.getByLabel("Managed policy", { exact: true }).selectOption({ label: policy });
  await save.click();
  await page.getByText("Boundary saved").last().waitFor();
  // What was saved is what the page shows from now on.
  await page.locator("button:disabled", { hasText: "Save boundary" }).waitFor();
}

consoleTest("a role is made, trusted, bounded, given policies and deleted", async (visit) => {
  const { page, signIn, go, check } = visit;
  await signIn();
  await makePolicy(visit, "most");
  await makeNamed(visit, "roles", "role", "visitor");
  const editor = page.getByRole("dialog").getByLabel("Trust policy (JSON)");
  const trust = await editor.inputValue();
  await editor.fill(trust.replace("Principal", "Resource"));
  await page.getByRole("dialog").getByRole("button", { name: "Check" }).click();
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await editor.fill(trust);
  await page.getByRole("dialog").getByRole("button", { name: "Check" }).click();
  await page.getByText("The server would take it.").waitFor();
  await check("new-role");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Role visitor" }).waitFor();
  await page.getByLabel("Description").fill("from elsewhere");
  await page.getByLabel("Longest session, minutes").fill("120");
  await page.getByRole("button", { name: "Save", exact: true }).first().click();
  await page.getByText("Saved").first().waitFor();
  await page.getByLabel("Attach a managed policy").fill("most");
  await page.getByRole("button", { name: "Attach", exact: true }).click();
  await page.getByRole("button", { name: "Detach most" }).waitFor();
  await setBoundary(visit, "most");
  const there = `fetch("/_admin/api/v1/roles/visitor").then((r) => r.json())`;
  const role = (await page.evaluate(there)) as Readonly<Record<string, unknown>>;
  assert.equal(role.boundary, "most");
  assert.equal(role.description, "from elsewhere");
  assert.equal(role.sessionSecondsMax, 7200);
  assert.deepEqual(role.attachedPolicies, ["most"]);
  await check("role");
  await setBoundary(visit, "none");
  await go("roles");
  await page.getByRole("row", { name: "visitor" }).getByText("from elsewhere").waitFor();
  await check("roles");
  await page.getByLabel("Name contains").fill("nobody");
  await page.getByText("No roles.").waitFor();
  await page.getByLabel("Name contains").fill("");
  await page.getByRole("link", { name: "visitor" }).click();
  await page.getByRole("button", { name: "Delete role" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete role" }).click();
  await page.getByRole("heading", { name: "Roles", level: 1 }).waitFor();
  await page.getByText("No roles.").waitFor();
});

consoleTest("a boundary takes away what the user's policies allow", async (visit) => {
  const { page, signIn, go } = visit;
  await signIn();
  await makePolicy(visit, "readers");
  await makeUser(visit, "bound_umich");
  await setBoundary(visit, "readers");
  await page.getByLabel("Attach a managed policy").fill("readers");
  await page.getByRole("button", { name: "Attach", exact: true }).click();
  await page.getByRole("button", { name: "Detach readers" }).waitFor();
  await go("policies");
  await page.getByLabel("User").fill("bound_umich");
  await page.getByLabel("Resource").fill("arn:aws:s3:::b/x");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByText("Allowed:").waitFor();
  await page.getByLabel("Action").fill("s3:PutObject");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await page.getByText("Denied:").waitFor();
});

consoleTest("a client certificate is registered from a file and removed", async (visit) => {
  const { page, signIn, check } = visit;
  await signIn();
  await makeUser(visit, "cert_umich");
  const made = await Certificates.make();
  const files = await made.selfSigned("cert_umich");
  const [certificate, key] = [files.certificate, files.key].map((path) =>
    readFileSync(path, "utf8"),
  );
  await made.remove();
  assert.ok(certificate !== undefined && key !== undefined);
  const input = page.getByLabel("Register a certificate");
  const file = (name: string, text: string | Buffer) => ({
    ...{ name, mimeType: "application/x-pem-file" },
    buffer: Buffer.from(text),
  });
  await input.setInputFiles(file("wrong.pem", key));
  await page.getByRole("alert").filter({ hasText: "no certificate in the file" }).waitFor();
  const bodies: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/certificates")) bodies.push(request.postData() ?? "");
  });
  await input.setInputFiles(file("both.pem", `${key}\n${certificate}`));
  const row = page.getByRole("row").filter({ hasText: "cert_umich" });
  await row.waitFor();
  assert.equal(bodies.length, 1);
  assert.doesNotMatch(bodies.join(), /PRIVATE/, "a key stays in the browser");
  const { fingerprint256, raw } = new X509Certificate(certificate);
  const digits = fingerprint256.replaceAll(":", "").toLowerCase().slice(0, 16);
  await row.getByText(digits).waitFor();
  await check("certificates");
  const remove = page.getByRole("button", { name: /^Remove certificate/ });
  await remove.click();
  await page.getByRole("button", { name: "Go on" }).click();
  await remove.waitFor({ state: "detached" });
  await input.setInputFiles(file("same.cer", raw));
  await row.getByText(digits).waitFor();
});
