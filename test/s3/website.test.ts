// Web sites out of buckets, over hosts of their own: only what everybody may read is served.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type MemoryGateway, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Answer, type Caller, pathOf } from "./caller.ts";
import { callerOf, makeBucket, newBucketName } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

const DOMAIN = "s3-website.example.org";
const PAGES =
  "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>" +
  "<ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>";

let metadata: StateMetadata;
let gateway: Omit<MemoryGateway, "metadata">;
let s3: Caller;

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata, {
    domains: ["example.org"],
    websiteDomains: [DOMAIN],
  });
  s3 = callerOf(gateway);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

interface SiteOptions {
  readonly website?: string;
  /** Actions that everybody is allowed; none: the site stays private. */
  readonly open?: readonly string[];
}

/** A bucket with a web site of a few pages. */
async function makeSite({ website = PAGES, open = ["s3:GetObject"] }: SiteOptions = {}) {
  const bucket = await makeBucket(s3);
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  const put = await s3.call({ method: "PUT", target: `/${bucket}?website`, body: website });
  assert.equal(put.status, 200, put.text);
  if (open.length > 0) await allow(bucket, open);
  const html = [["Content-Type", "text/html"]] as const;
  for (const key of ["index.html", "docs/index.html", "error.html", "page.html"]) {
    const target = pathOf(bucket, key);
    await s3.call({ method: "PUT", target, body: `body of ${key}`, headers: html });
  }
  return bucket;
}

async function allow(bucket: string, actions: readonly string[]): Promise<void> {
  const body = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: "*",
        Action: actions,
        Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
      },
    ],
  });
  const answer = await s3.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(answer.status, 204, answer.text);
}

async function visit(
  bucket: string,
  target: string,
  headers: readonly HeaderField[] = [],
  method = "GET",
): Promise<Answer> {
  return s3.call({ method, target, headers, host: `${bucket}.${DOMAIN}`, sign: false });
}

test("serves index documents of the root and of folders, and pages", async () => {
  const bucket = await makeSite();
  for (const [target, key] of [
    ["/", "index.html"],
    ["/docs/", "docs/index.html"],
    ["/page.html", "page.html"],
    ["/page.html?acl&versionId=x", "page.html"],
  ] as const) {
    const answer = await visit(bucket, target);
    assert.equal(answer.status, 200, target);
    assert.equal(answer.text, `body of ${key}`);
    assert.equal(answer.headers.get("content-type"), "text/html");
  }
  const head = await visit(bucket, "/page.html", [], "HEAD");
  assert.equal(head.status, 200);
  assert.equal(head.body.byteLength, 0);
  assert.equal(head.headers.get("content-length"), "17");
});

test("ranges and conditions work as in the API", async () => {
  const bucket = await makeSite();
  const part = await visit(bucket, "/page.html", [["Range", "bytes=8-"]]);
  assert.equal(part.status, 206);
  assert.equal(part.text, "page.html");
  const etag = (await visit(bucket, "/page.html")).headers.get("etag") ?? "";
  const same = await visit(bucket, "/page.html", [["If-None-Match", etag]]);
  assert.equal(same.status, 304);
});

test("sends a folder without slash on to the one with", async () => {
  const bucket = await makeSite();
  const answer = await visit(bucket, "/docs");
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.get("location"), "/docs/");
});

test("serves nothing that is not public, and does not tell it from what is missing", async () => {
  const bucket = await makeSite({ open: [] });
  for (const target of ["/", "/page.html", "/missing", "/docs"]) {
    const answer = await visit(bucket, target);
    assert.equal(answer.status, 403, target);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/html/);
    assert.match(answer.text, /Code: AccessDenied/);
    assert.ok(!answer.text.includes("body of"));
  }
});

test("a missing page is 404 where everybody may list, else 403", async () => {
  const closed = await makeSite();
  assert.equal((await visit(closed, "/missing")).status, 403);
  const open = await makeSite({ open: ["s3:GetObject", "s3:ListBucket"] });
  const answer = await visit(open, "/missing", [["Range", "bytes=0-3"]]);
  assert.equal(answer.status, 404);
  assert.equal(answer.text, "body of error.html");
  assert.equal(answer.headers.get("x-amz-error-code"), "NoSuchKey");
  const head = await visit(open, "/missing", [], "HEAD");
  assert.equal(head.status, 404);
  assert.equal(head.body.byteLength, 0);
});

test("an ACL that lets everybody read opens one object", async () => {
  const bucket = newBucketName();
  const headers = [["x-amz-object-ownership", "ObjectWriter"]] as const;
  await s3.call({ method: "PUT", target: `/${bucket}`, headers });
  await s3.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  await s3.call({ method: "PUT", target: `/${bucket}?website`, body: PAGES });
  const acl = [["x-amz-acl", "public-read"]] as const;
  const target = pathOf(bucket, "open.html");
  const put = await s3.call({ method: "PUT", target, body: "open", headers: acl });
  assert.equal(put.status, 200, put.text);
  await s3.put(bucket, "closed.html", "closed");
  assert.equal((await visit(bucket, "/open.html")).text, "open");
  assert.equal((await visit(bucket, "/closed.html")).status, 403);
  const block =
    "<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls>" +
    "</PublicAccessBlockConfiguration>";
  await s3.call({ method: "PUT", target: `/${bucket}?publicAccessBlock`, body: block });
  assert.equal((await visit(bucket, "/open.html")).status, 403);
});

test("a statement that denies wins, whomever it denies", async () => {
  const bucket = await makeSite();
  const statement = { Effect: "Allow", Principal: "*", Action: "s3:*" };
  const denied = {
    Effect: "Deny",
    Principal: "*",
    Action: "s3:GetObject",
    Resource: `arn:aws:s3:::${bucket}/docs/*`,
  };
  const body = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ ...statement, Resource: `arn:aws:s3:::${bucket}/*` }, denied],
  });
  const put = await s3.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(put.status, 204, put.text);
  assert.equal((await visit(bucket, "/page.html")).status, 200);
  assert.equal((await visit(bucket, "/docs/")).status, 403);
});

test("redirects: of objects, by rules before and after the look, and of everything", async () => {
  const rules =
    "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>" +
    "<RoutingRules><RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition>" +
    "<Redirect><ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith></Redirect></RoutingRule>" +
    "<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>" +
    "</Condition><Redirect><HostName>other.example.net</HostName>" +
    "<HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule></RoutingRules>" +
    "</WebsiteConfiguration>";
  const bucket = await makeSite({ website: rules, open: ["s3:GetObject", "s3:ListBucket"] });
  const moved = await visit(bucket, "/old/a%20b");
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get("location"), `http://${bucket}.${DOMAIN}/new/a%20b`);
  const missing = await visit(bucket, "/missing");
  assert.equal(missing.status, 302);
  assert.equal(missing.headers.get("location"), "http://other.example.net/missing");
  const headers = [["x-amz-website-redirect-location", "/page.html"]] as const;
  const target = pathOf(bucket, "pointer");
  const put = await s3.call({ method: "PUT", target, headers, body: "" });
  assert.equal(put.status, 200, put.text);
  const pointer = await visit(bucket, "/pointer");
  assert.equal(pointer.status, 301);
  assert.equal(pointer.headers.get("location"), "/page.html");
  const all =
    "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>www.example.net</HostName>" +
    "<Protocol>https</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>";
  const elsewhere = await visit(await makeSite({ website: all, open: [] }), "/any/page");
  assert.equal(elsewhere.status, 301);
  assert.equal(elsewhere.headers.get("location"), "https://www.example.net/any/page");
});

test("a bucket without a web site, a missing one, and other methods get pages of errors", async () => {
  const bucket = await makeBucket(s3);
  const none = await visit(bucket, "/");
  assert.equal(none.status, 404);
  assert.match(none.text, /NoSuchWebsiteConfiguration/);
  const missing = await visit(newBucketName(), "/");
  assert.equal(missing.status, 404);
  assert.match(missing.text, /NoSuchBucket/);
  const site = await makeSite();
  for (const method of ["PUT", "POST", "DELETE"]) {
    const answer = await visit(site, "/page.html", [], method);
    assert.equal(answer.status, 405, method);
  }
  assert.equal((await visit(site, "/page.html")).text, "body of page.html");
});

test("(36) text of the client cannot become markup of the error page", async () => {
  const site = await makeSite({ website: PAGES.replace(/<ErrorDocument>.*<\/ErrorDocument>/, "") });
  await allow(site, ["s3:GetObject", "s3:ListBucket"]);
  const answer = await visit(site, "/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
  assert.equal(answer.status, 404);
  assert.ok(!answer.text.includes("<script"), answer.text);
});

test("a policy may let in those who come from certain pages only", async () => {
  const bucket = await makeSite({ open: [] });
  const Condition = { StringLike: { "aws:Referer": "https://own.example/*" } };
  const Resource = `arn:aws:s3:::${bucket}/*`;
  const fields = { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource, Condition };
  const body = JSON.stringify({ Version: "2012-10-17", Statement: [fields] });
  const put = await s3.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(put.status, 204, put.text);
  const from = async (...headers: HeaderField[]): Promise<number> =>
    (await visit(bucket, "/page.html", headers)).status;
  assert.equal(await from(["Referer", "https://own.example/index"]), 200);
  assert.equal(await from(["Referer", "https://other.example/"]), 403);
  assert.equal(await from(), 403);
});

test("the API stays on its own hosts", async () => {
  const bucket = await makeSite();
  const host = `${bucket}.example.org`;
  assert.equal((await s3.call({ target: "/page.html", host })).text, "body of page.html");
  const anonymous = await s3.call({ target: "/page.html", host, sign: false });
  assert.equal(anonymous.text, "body of page.html");
  const closed = await s3.call({ target: "/?location", host, sign: false });
  assert.equal(closed.code, "AccessDenied");
});

test("CORS works on web sites", async () => {
  const bucket = await makeSite();
  const rules =
    "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>" +
    "</CORSRule></CORSConfiguration>";
  await s3.call({ method: "PUT", target: `/${bucket}?cors`, body: rules });
  const origin = [["Origin", "https://app.example.com"]] as const;
  const answer = await visit(bucket, "/page.html", origin);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  const asked = [...origin, ["Access-Control-Request-Method", "GET"]] as const;
  assert.equal((await visit(bucket, "/page.html", asked, "OPTIONS")).status, 200);
});
