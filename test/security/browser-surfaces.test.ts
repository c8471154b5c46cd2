// Groups F and G: what a browser can be led to, what the admin API says to nobody, what a store
// starts without.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { requiredRootCredentials } from "../../services/cli/credentials.ts";
import { ADMIN_OPERATIONS } from "../../services/gateway/admin/operations.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { AdminCaller } from "../s3/admin-caller.ts";
import type { Answer, Caller } from "../s3/caller.ts";
import { makeBucket } from "../s3/harness.ts";
import { IdentityGateway, ROOT } from "../s3/identity-gateway.ts";
import { sendRaw } from "../s3/raw-http.ts";

const DOMAIN = "s3-website.example.org";
const SITE =
  "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>" +
  "</WebsiteConfiguration>";
const EVERYBODY = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

let cluster: IdentityGateway;
let s3: Caller;
let url: string;

before(async () => {
  cluster = await IdentityGateway.start({ admin: {}, s3: { websiteDomains: [DOMAIN] } });
  s3 = cluster.root;
  url = `http://${cluster.gateway.running.adminAddress}`;
});
after(() => cluster.stop());

/** A GET just as it is written, of nobody. */
async function plain(target: string, ...headers: HeaderField[]): Promise<Answer> {
  return s3.call({ target, sign: false, headers });
}

async function openBucket(): Promise<string> {
  const bucket = await makeBucket(s3);
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const Action = ["s3:GetObject", "s3:ListBucket"];
  const body = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: "*", Action, Resource }],
  });
  const put = await s3.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(put.status, 204, put.text);
  return bucket;
}

test("(30) CVE-2025-68926 there are no keys but those that somebody set or drew", async () => {
  assert.throws(() => requiredRootCredentials({}), /DOLIUM_ROOT_USER/);
  for (const [accessKeyId, secretAccessKey] of [
    ["minioadmin", "minioadmin"],
    ["rustfsadmin", "rustfsadmin"],
    ["admin", "admin"],
    ["root", ""],
    [ROOT.accessKeyId, ""],
    ["", ""],
  ] as const) {
    const keys = { accessKeyId, secretAccessKey };
    const answer = await cluster.caller(keys).call({ target: "/" });
    assert.ok(answer.status === 400 || answer.status === 403, `${accessKeyId}: ${answer.text}`);
    const signIn = await new AdminCaller(url).post("/session", keys);
    assert.ok(signIn.status === 400 || signIn.status === 401, signIn.text);
  }
});

test("(32) CVE-2023-28432 no call of the admin API tells nobody anything", async () => {
  const nobody = new AdminCaller(url);
  for (const { name, method, path, admission } of ADMIN_OPERATIONS) {
    // Signing in is for whoever is not; what he may ask for is tested with it.
    if (admission === "open" || admission === "anybody") continue;
    const { status, text } = await nobody.call(method, path.replaceAll(/\{[^}]+\}/g, "x"));
    assert.equal(status, 401, `${name}: ${text}`);
    for (const secret of [ROOT.accessKeyId, ROOT.secretAccessKey]) {
      assert.equal(text.includes(secret), false, name);
    }
  }
});

test("(32) health says that it is well, and nothing else", async () => {
  for (const path of ["/minio/health/live", "/minio/health/ready", "/minio/health/cluster"]) {
    const answer = await plain(path);
    assert.ok(answer.status === 200 || answer.status === 503, answer.text);
    assert.equal(answer.text.length, 0, answer.text);
  }
  for (const path of ["/metrics", "/debug/pprof/", "/minio/bootstrap/v1/verify", "/.env"]) {
    const { status } = await plain(path);
    assert.ok(status >= 400, `${path}: ${status}`);
  }
});

test("(37) no page of any origin is trusted with what the browser knows", async () => {
  const bucket = await openBucket();
  await s3.put(bucket, "a", "for all");
  const evil = ["Origin", "https://evil.example"] as const;
  const none = await plain(`/${bucket}/a`, evil);
  assert.equal(none.headers.get("access-control-allow-origin"), undefined);
  const body = `<CORSConfiguration><CORSRule>${EVERYBODY}</CORSRule></CORSConfiguration>`;
  const put = await s3.call({ method: "PUT", target: `/${bucket}?cors`, body });
  assert.equal(put.status, 200, put.text);
  for (const origin of ["https://evil.example", "null", "https://a.example,https://b.example"]) {
    const all = await plain(`/${bucket}/a`, ["Origin", origin]);
    assert.equal(all.headers.get("access-control-allow-origin"), "*");
    assert.equal(all.headers.get("access-control-allow-credentials"), undefined);
  }
  for (const path of ["/_admin/api/v1/session", "/_console/"]) {
    const { headers } = await plain(path, evil);
    assert.equal(headers.get("access-control-allow-origin"), undefined, path);
  }
  const admin = await fetch(`${url}/api/v1/session`, { headers: { origin: evil[1] } });
  assert.equal(admin.headers.get("access-control-allow-origin"), null);
});

test("(38) a web site sends nobody anywhere but where its rules say", async () => {
  const bucket = await openBucket();
  const put = await s3.call({ method: "PUT", target: `/${bucket}?website`, body: SITE });
  assert.equal(put.status, 200, put.text);
  for (const key of ["index.html", "/evil.example/index.html", "\\evil.example/index.html"]) {
    const encoded = encodeURIComponent(key);
    await s3.call({ method: "PUT", target: `/${bucket}/${encoded}`, body: key });
  }
  const { endpoint } = s3.target;
  for (const path of [
    "//evil.example",
    "/%2fevil.example",
    "/\\evil.example",
    "/%5cevil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/x%0d%0aLocation:%20https://evil.example",
    "/https://evil.example",
  ]) {
    const host = `${bucket}.${DOMAIN}`;
    const answer = await sendRaw(endpoint, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.equal(answer.headers.get("set-cookie"), undefined, path);
    const location = answer.headers.get("location");
    if (location === undefined) continue;
    const led = new URL(location, `http://${host}/`);
    assert.equal(led.hostname, host, `${path} leads to ${location}`);
  }
  const lying = `GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: ${bucket}.${DOMAIN}\r\n\r\n`;
  assert.ok((await sendRaw(endpoint, lying)).status >= 400, "another host is no web site");
  // Where an object leads is said by who wrote it: anywhere, but no script.
  const values = [
    "/a\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "//evil.example",
    "data:text/html,x",
  ];
  for (const value of values) {
    const headers = [["x-amz-website-redirect-location", value.replace("\r\n", "%0d%0a")]] as const;
    const target = `/${bucket}/pointer`;
    const pointer = await s3.call({ method: "PUT", target, headers, body: "" });
    if (pointer.status !== 200) continue;
    const request = `GET /pointer HTTP/1.1\r\nHost: ${bucket}.${DOMAIN}\r\n\r\n`;
    const shown = (await sendRaw(endpoint, request)).headers;
    assert.equal(shown.get("set-cookie"), undefined);
    assert.match(shown.get("location") ?? "/", /^(\/|https?:)/, value);
  }
});

test("(39) CVE-2020-1699 the console serves its own files and no others", async () => {
  const above = [
    "../package.json",
    "../../../../etc/passwd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "....//....//etc/passwd",
    "%00",
    "index.html%00.js",
    "/etc/passwd",
  ];
  for (const path of above) {
    for (const base of [url, s3.target.endpoint]) {
      const request = `GET /_console/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
      const { status, text } = await sendRaw(base, request);
      assert.ok(!/root:|"devDependencies"/.test(text), `${path}: ${text.slice(0, 100)}`);
      assert.ok(status >= 300 && status < 500, `${path}: ${status}`);
    }
  }
});
