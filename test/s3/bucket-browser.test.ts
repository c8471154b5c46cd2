// The bucket browser: GET of a bucket with `browser=true` is a page for people, in the limits of
// who may list and read, and whatever keys hold is text. Action: BrowseBucket. Client row E4.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ROOT_USER } from "../unit/gateway/memory-gateway.ts";
import { type Answer, type Caller, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { startWatchedGateway, testUser, type WatchedGateway } from "./watched-gateway.ts";

const BOB = testUser({ userId: "bob_wayne" });

let watched: WatchedGateway;
let owner: Caller;

before(async () => {
  watched = await startWatchedGateway({ users: [BOB] }, { domains: ["example.org"] });
  owner = watched.as(ROOT_USER);
});
after(() => watched.stop());

async function fill(keys: readonly string[]): Promise<string> {
  const bucket = await makeBucket(owner);
  for (const key of keys) assert.equal((await owner.put(bucket, key, `of ${key}`)).status, 200);
  return bucket;
}

async function openToAll(bucket: string, actions: readonly string[]): Promise<void> {
  await owner.call({ method: "DELETE", target: `/${bucket}?publicAccessBlock` });
  const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
  const Statement = [{ Effect: "Allow", Principal: "*", Action: actions, Resource }];
  const body = JSON.stringify({ Version: "2012-10-17", Statement });
  const set = await owner.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(set.status, 204, set.text);
}

/** Targets of the links of a page, by what they are called. */
function linksOf({ text }: Answer): ReadonlyMap<string, string> {
  const pattern = /<a href="([^"]*)"[^>]*><bdi>([^<]*)<\/bdi>/g;
  const plain = (html: string): string => html.replaceAll("&amp;", "&");
  return new Map(
    [...text.matchAll(pattern)].map(([, href = "", name = ""]) => [name, plain(href)]),
  );
}

test("a page shows folders, sizes and dates, and is closed to everything from elsewhere", async () => {
  const bucket = await fill(["readme.txt", "docs/a.txt", "docs/deep/b.txt"]);
  const page = await owner.call({ target: `/${bucket}?browser=true` });
  assert.equal(page.status, 200, page.text);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  assert.equal(page.headers.get("cache-control"), "no-store");
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+';/);
  assert.doesNotMatch(policy, /unsafe|script-src|\*/);
  assert.doesNotMatch(page.text, /<script|onerror|javascript:|src=/i);
  assert.match(page.text, /title="13 bytes">13 B</);
  assert.match(page.text, /<td class="date">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d<\/td>/);
  const links = linksOf(page);
  assert.deepEqual([...links.keys()], ["docs/", "readme.txt"]);
  const docs = await owner.call({ target: links.get("docs/") ?? "" });
  assert.deepEqual([...linksOf(docs).keys()], [`${bucket}/`, "deep/", "a.txt"]);
  const plain = await owner.call({ target: `/${bucket}` });
  assert.match(plain.text, /<ListBucketResult/);
  assert.match(
    (await owner.call({ target: `/${bucket}?browser=false` })).text,
    /<ListBucketResult/,
  );
});

test("who may not list sees no page, and anybody follows links of what is open", async () => {
  const bucket = await fill(["open/a b+c&d.txt", "top.txt"]);
  const target = `/${bucket}?browser=true`;
  assert.equal((await watched.as(BOB).call({ target })).code, "AccessDenied");
  assert.equal((await owner.call({ target, sign: false })).code, "AccessDenied");
  await openToAll(bucket, ["s3:ListBucket"]);
  const listed = await owner.call({ target, sign: false });
  const top = linksOf(listed).get("top.txt") ?? "";
  assert.equal((await owner.call({ target: top, sign: false })).code, "AccessDenied");
  await openToAll(bucket, ["s3:ListBucket", "s3:GetObject"]);
  assert.equal((await owner.call({ target: top, sign: false })).text, "of top.txt");
  const folder = linksOf(listed).get("open/") ?? "";
  const inside = linksOf(await owner.call({ target: folder, sign: false }));
  const href = inside.get("a b+c&amp;d.txt") ?? "";
  assert.equal((await owner.call({ target: href, sign: false })).text, "of open/a b+c&d.txt");
});

test("(36) names of keys are text, whatever they hold", async () => {
  const evil = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "it's & <b>bold</b>/x",
    "safe\u202egpj.exe",
    "line\nbreak\ttab",
    "../up",
    "a/./b",
    "/evil.example.org/x",
  ];
  const bucket = await fill(evil);
  const page = await owner.call({ target: `/${bucket}?browser=true` });
  assert.equal(page.status, 200);
  assert.doesNotMatch(page.text, /<script|<img|<b>|\u202e|href="javascript/i);
  assert.match(page.text, /&lt;script&gt;alert\(1\)&lt;/);
  assert.match(page.text, /safe\\u202egpj\.exe/);
  for (const [name, href] of linksOf(page)) {
    assert.ok(href.startsWith(`/${bucket}`), `${name}: ${href}`);
    assert.equal((await owner.call({ target: href })).status, 200, href);
  }
  const up = await owner.call({ target: `/${bucket}?browser=true&prefix=../` });
  assert.match(up.text, /<bdi>up<\/bdi>/);
  assert.equal(linksOf(up).has("up"), false);
  // On a host of its own, a key that begins with a slash names no other host.
  const host = `${bucket}.example.org`;
  const own = await owner.call({ target: "/?browser=true&prefix=/evil.example.org/", host });
  const href = linksOf(own).get("x") ?? "";
  assert.equal(href, "/%2Fevil.example.org/x");
  assert.equal((await owner.call({ target: href, host })).text, "of /evil.example.org/x");
});

test("a presigned page has presigned links, within its prefix and its time", async () => {
  const bucket = await fill(["team/a.txt", "team/deep/b.txt", "private/c.txt"]);
  const link = (target: string, seconds = 600): string => owner.presign({ target }, seconds);
  const target = link(`/${bucket}?browser=true&prefix=team/`, 300);
  const page = await owner.call({ target, sign: false });
  assert.equal(page.status, 200, page.text);
  const links = linksOf(page);
  // Nothing leads above the folder that was signed.
  assert.deepEqual([...links.keys()], ["deep/", "a.txt"]);
  const file = await owner.call({ target: links.get("a.txt") ?? "", sign: false });
  assert.equal(file.text, "of team/a.txt");
  assert.equal(file.headers.get("content-disposition"), "attachment");
  const expires = Number(/X-Amz-Expires=(\d+)/.exec(links.get("a.txt") ?? "")?.[1]);
  assert.ok(expires >= 1 && expires <= 300, String(expires));
  const deep = await owner.call({ target: links.get("deep/") ?? "", sign: false });
  const below = linksOf(deep);
  assert.deepEqual([...below.keys()], ["team/", "b.txt"]);
  assert.equal((await owner.call({ target: below.get("b.txt") ?? "", sign: false })).status, 200);
  assert.equal((await owner.call({ target: below.get("team/") ?? "", sign: false })).status, 200);
  // What the page was signed for cannot be widened.
  const widened = target.replace("prefix=team/", "prefix=private/");
  assert.equal((await owner.call({ target: widened, sign: false })).code, "SignatureDoesNotMatch");
  const rooted = `${target}&browser-root=`;
  assert.equal((await owner.call({ target: rooted, sign: false })).code, "SignatureDoesNotMatch");
  // A listing that was presigned is no page.
  const listing = `${link(`/${bucket}?prefix=team/`)}&browser=true`;
  assert.equal((await owner.call({ target: listing, sign: false })).code, "SignatureDoesNotMatch");
});

test("a large folder goes on on further pages", async () => {
  const keys = Array.from({ length: 1003 }, (_none, at) => `k${String(at).padStart(4, "0")}`);
  const bucket = await makeBucket(owner);
  for (let at = 0; at < keys.length; at += 16) {
    await Promise.all(keys.slice(at, at + 16).map((key) => owner.put(bucket, key, "")));
  }
  const first = linksOf(await owner.call({ target: `/${bucket}?browser=true` }));
  const second = linksOf(await owner.call({ target: first.get("More") ?? "" }));
  assert.equal(second.has("More"), false);
  const shown = [...first.keys(), ...second.keys()].filter((name) => name.startsWith("k"));
  assert.deepEqual(shown, keys);
  const bad = await owner.call({ target: `/${bucket}?browser=true&prefix=${"k".repeat(1025)}` });
  assert.equal(bad.code, "KeyTooLongError");
});

test("an object that everybody may read cannot be given other headers by everybody", async () => {
  const bucket = await fill(["page.html"]);
  await openToAll(bucket, ["s3:GetObject"]);
  const target = `${pathOf(bucket, "page.html")}?response-content-type=text/html`;
  const answer = await owner.call({ target, sign: false });
  assert.deepEqual([answer.status, answer.code], [400, "InvalidRequest"]);
  assert.equal((await owner.call({ target })).headers.get("content-type"), "text/html");
});
