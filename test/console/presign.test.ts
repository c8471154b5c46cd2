// Signed addresses for the console: what they allow, who is given them, and what ends them. Over
// HTTP, without a browser.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { eventually } from "../support/eventually.ts";
import { startServer, type TestServer } from "../support/test-server.ts";

const WAIT_MS = 60_000;
let server: TestServer;

before(
  async () => {
    server = await startServer();
  },
  { timeout: 300_000 },
);
after(() => server.stop(), { timeout: 120_000 });

interface Caller {
  readonly call: (method: string, path: string, body?: unknown) => Promise<Response>;
}

async function signIn(accessKeyId: string, secretAccessKey: string): Promise<Caller> {
  const base = `${server.endpoint}/_admin/api/v1`;
  const answer = await fetch(`${base}/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ accessKeyId, secretAccessKey }),
  });
  assert.equal(answer.status, 200);
  const cookie = answer.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
  // The contract of the admin API.
  const { csrf } = (await answer.json()) as { readonly csrf: string };
  const headers = { cookie, "x-dolium-csrf": csrf, "content-type": "application/json" };
  return {
    call: (method, path, body) =>
      fetch(`${base}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
  };
}

function asRoot(): Promise<Caller> {
  return signIn(server.accessKeyId, server.secretAccessKey);
}

async function urlOf(caller: Caller, wanted: unknown): Promise<string> {
  const answer = await caller.call("POST", "/presign", wanted);
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  // The contract of the admin API.
  return (JSON.parse(text) as { readonly url: string }).url;
}

async function status(url: string, method = "GET", body?: string): Promise<number> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
  await answer.arrayBuffer();
  return answer.status;
}

test("an address does what it was signed for, and nothing else", async () => {
  const root = await asRoot();
  assert.equal((await root.call("POST", "/buckets", { name: "signed" })).status, 201);
  const place = { bucket: "signed", key: "dir/ä b+c.txt" };
  const put = await urlOf(root, { method: "PUT", ...place });
  assert.equal(await status(put, "PUT", "hello"), 200);
  const get = await urlOf(root, { method: "GET", ...place, expires: 60 });
  assert.equal(await (await fetch(get)).text(), "hello");
  assert.equal(await status(get, "DELETE"), 403);
  assert.equal(await status(get.replace("dir/", "other/")), 403);
  assert.equal(await status(`${get}&versionId=null`), 403);
  assert.equal(await status(get.replace("X-Amz-Expires=60", "X-Amz-Expires=600")), 403);
  const listed = await urlOf(root, {
    method: "GET",
    bucket: "signed",
    query: { "list-type": "2" },
  });
  assert.match(await (await fetch(listed)).text(), /<KeyCount>1</);
  const headers = { "x-amz-copy-source": "/signed/dir/%C3%A4%20b%2Bc.txt" };
  const copy = await urlOf(root, { method: "PUT", bucket: "signed", key: "copy", headers });
  assert.equal(await status(copy, "PUT"), 403);
  assert.equal((await fetch(copy, { method: "PUT", headers })).status, 200);
});

test("what may not be signed is refused", async () => {
  const root = await asRoot();
  const refused = [
    { method: "PATCH", bucket: "signed" },
    { method: "GET", bucket: "../x" },
    { method: "GET", bucket: "signed", expires: 604_801 },
    { method: "GET", bucket: "signed", expires: 0 },
    { method: "GET", bucket: "signed", query: { "X-Amz-Expires": "9" } },
    { method: "GET", bucket: "signed", headers: { host: "evil.example" } },
    { method: "GET", bucket: "signed", headers: { "x-a": "1\r\nx-b: 2" } },
    { method: "GET", bucket: "signed", key: "" },
  ];
  for (const wanted of refused) {
    const answer = await root.call("POST", "/presign", wanted);
    assert.equal(answer.status, 400, JSON.stringify(wanted));
  }
});

test("nobody without a session of the console is given addresses", async () => {
  const target = "/_admin/api/v1/presign";
  const body = JSON.stringify({ method: "GET", bucket: "signed" });
  const type = { "content-type": "application/json" };
  const bare = await fetch(server.endpoint + target, { method: "POST", headers: type, body });
  assert.ok([401, 403].includes(bare.status), String(bare.status));
  const host = new URL(server.endpoint).host;
  const { headers } = signHeaders(
    { method: "POST", target, headers: [["host", host]] },
    {
      accessKeyId: server.accessKeyId,
      secret: server.secretAccessKey,
      region: server.region,
      nowMs: Date.now(),
    },
    createHash("sha256").update(body).digest("hex"),
  );
  const own = headers.filter(([name]) => name !== "host");
  const init = { method: "POST", headers: { ...Object.fromEntries(own), ...type }, body };
  assert.equal((await fetch(server.endpoint + target, init)).status, 403);
});

test("an address ends with the sessions of its user, and allows no more than he may", async () => {
  const root = await asRoot();
  const keys = { accessKeyId: "DKPRESIGNER", secretAccessKey: "a-secret-of-some-length" };
  const made = await root.call("POST", "/users", { name: "frank_umich", ...keys });
  assert.equal(made.status, 201);
  const frank = await signIn(keys.accessKeyId, keys.secretAccessKey);
  const foreign = await urlOf(frank, { method: "GET", bucket: "signed", key: "copy" });
  assert.equal(await status(foreign), 403);
  assert.equal((await frank.call("POST", "/buckets", { name: "franks" })).status, 201);
  const put = await urlOf(frank, { method: "PUT", bucket: "franks", key: "x", expires: 3600 });
  assert.equal(await status(put, "PUT", "mine"), 200);
  const ended = await root.call("POST", "/users/frank_umich/sessions/revoke");
  assert.equal(ended.ok, true);
  await eventually("the address has ended", WAIT_MS, async () =>
    (await status(put, "PUT", "late")) === 200 ? undefined : true,
  );
});
