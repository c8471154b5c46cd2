// Groups A, B and E on the wire: signatures that are broken in every way, addresses that were
// signed for something else, headers of the store's own, names that mean something to JavaScript,
// and bytes that are no text. Each is refused or harmless, and the gateway goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Answer, type Call, pathOf } from "../s3/caller.ts";
import { sendRaw } from "../s3/raw-http.ts";
import { ALICE, type Stage, startStage } from "./watched-rows.ts";

const NAMES = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

let stage: Stage;
let bucket: string;

before(async () => {
  stage = await startStage();
  bucket = await stage.bucket();
});
after(() => stage.stop());

/** Refused as somebody's mistake, and nothing behind the gateway was asked. */
function assertRefused(what: string, { status, text }: Answer): void {
  const shown = `${what}: ${status} ${text.slice(0, 200)}`;
  assert.ok(status === 400 || status === 403, shown);
  assert.deepEqual(stage.watched.reached(), [], shown);
}

/** Sends a signed GET of the object with a changed head. */
async function changed(change: (head: string) => string): Promise<Answer> {
  const head = stage.owner.requestBytes({ target: pathOf(bucket, "key") }).toString("latin1");
  const other = change(head);
  assert.notEqual(other, head, "nothing was changed");
  stage.watched.reached();
  return stage.owner.send(Buffer.from(other, "latin1"));
}

test("(2) a signature that is missing, cut, doubled or of another scope opens nothing", async () => {
  assert.equal((await stage.owner.get(bucket, "key")).text, "content");
  const cases: readonly (readonly [string, (head: string) => string])[] = [
    ["no signature", (head) => head.replace(/, ?Signature=[0-9a-f]+/, "")],
    ["an empty one", (head) => head.replace(/Signature=[0-9a-f]+/, "Signature=")],
    ["63 digits", (head) => head.replace(/(Signature=[0-9a-f]{63})[0-9a-f]/, "$1")],
    ["65 digits", (head) => head.replace(/(Signature=[0-9a-f]{64})/, "$10")],
    ["zeros", (head) => head.replace(/Signature=[0-9a-f]+/, `Signature=${"0".repeat(64)}`)],
    ["two", (head) => head.replace(/(Signature=[0-9a-f]+)/, "$1, $1")],
    ["two headers", (head) => head.replace(/(Authorization: [^\r]+\r\n)/i, "$1$1")],
    ["another region", (head) => head.replace(/\/us-east-1\/s3\//, "/eu-west-1/s3/")],
    ["another service", (head) => head.replace(/\/s3\/aws4_request/, "/iam/aws4_request")],
    ["another end", (head) => head.replace(/aws4_request/, "aws5_request")],
    ["another day", (head) => head.replace(/(Credential=[^/]+\/)\d{8}/, "$120200101")],
    ["a host that is not signed", (head) => head.replace(/SignedHeaders=host;/, "SignedHeaders=")],
    ["a header that is not signed", (head) => `${head.slice(0, -2)}x-amz-meta-more: 1\r\n\r\n`],
    ["the query as well", (head) => head.replace(" HTTP/1.1", "?X-Amz-Signature=00 HTTP/1.1")],
  ];
  for (const [what, change] of cases) assertRefused(what, await changed(change));
});

test("(4) a presigned address lives as long as it says, for what it was signed for", async () => {
  const call: Call = { target: pathOf(bucket, "key") };
  const target = stage.owner.presign(call, 600);
  assert.equal((await stage.owner.call({ target, sign: false })).text, "content");
  const lives = ["0", "604801", "-1", "abc", "1e3", "0x10", "", "+60", " 60", "9007199254740993"];
  for (const life of lives) {
    const said = `X-Amz-Expires=${encodeURIComponent(life)}`;
    const other = target.replace(/X-Amz-Expires=\d+/, said);
    stage.watched.reached();
    assertRefused(`a life of "${life}"`, await stage.owner.call({ target: other, sign: false }));
  }
  const minute = 60_000;
  const cases: readonly (readonly [string, Call])[] = [
    ["over", { target: stage.owner.presign({ ...call, nowMs: Date.now() - 11 * minute }) }],
    [
      "of the future",
      { target: stage.owner.presign({ ...call, nowMs: Date.now() + 16 * minute }) },
    ],
    ["another method", { target, method: "DELETE" }],
    ["another key", { target: target.replace("/key?", "/kez?") }],
    ["one parameter more", { target: `${target}&versionId=null` }],
    ["an override of a header", { target: `${target}&response-content-type=text%2Fhtml` }],
    ["its signature twice", { target: `${target}&X-Amz-Signature=${"0".repeat(64)}` }],
  ];
  for (const [what, one] of cases) {
    stage.watched.reached();
    assertRefused(what, await stage.owner.call({ ...one, sign: false }));
  }
});

test("(15) CVE-2026-34204 headers of the store's own are no client's", async () => {
  const name = await stage.bucket([{ Action: ["s3:PutObject", "s3:GetObject"] }]);
  const alice = stage.as(ALICE);
  const headers: HeaderField[] = [
    ["x-internal-owner", "root"],
    ["x-dolium-replica", "1"],
    ["x-amz-meta-x-amz-version-id", "1"],
    ["x-minio-internal-server-side-encryption", "none"],
  ];
  const target = pathOf(name, "plain");
  const put = await alice.call({ method: "PUT", target, body: "x", headers });
  assert.equal(put.status, 200, put.text);
  const head = await alice.call({ method: "HEAD", target });
  for (const [field] of headers) {
    if (field.startsWith("x-amz-meta-")) continue;
    assert.equal(head.headers.get(field), undefined, field);
  }
  // What keepers write: a replica is nobody's to make who may only put objects.
  const replica = ["x-amz-replication-status", "REPLICA"] as const;
  const posing = await alice.call({
    method: "PUT",
    target: pathOf(name, "replica"),
    body: "x",
    headers: [replica],
  });
  const stored = await alice.call({ method: "HEAD", target: pathOf(name, "replica") });
  assert.ok(posing.status >= 400 || stored.headers.get(replica[0]) === undefined, posing.text);
});

test("(26) names that every JavaScript object has are names like others", async () => {
  for (const name of NAMES) {
    const headers: HeaderField[] = [
      [`x-amz-meta-${name}`, `meta of ${name}`],
      ["x-amz-tagging", `${name}=tag`],
    ];
    const target = pathOf(bucket, name);
    const put = await stage.owner.call({ method: "PUT", target, body: name, headers });
    assert.equal(put.status, 200, put.text);
    const got = await stage.owner.call({ target: `${target}?${name}=1` });
    assert.equal(got.text, name);
    assert.equal(got.headers.get(`x-amz-meta-${name}`.toLowerCase()), `meta of ${name}`);
    const tags = await stage.owner.call({ target: `${target}?tagging` });
    assert.ok(tags.text.includes(`<Key>${name}</Key>`), tags.text);
    const header = await stage.owner.call({ target, headers: [[name, "x"]] });
    assert.equal(header.text, name, "a header of that name is one like others");
  }
  const listed = await stage.owner.call({ target: `/${bucket}?list-type=2&prefix=__proto__` });
  assert.ok(listed.text.includes("<Key>__proto__</Key>"), listed.text);
  const made = await stage.owner.call({ method: "PUT", target: "/constructor" });
  assert.equal(made.status, 200, made.text);
  assert.equal((await stage.owner.call({ target: "/tostring?list-type=2" })).status, 404);
  const policy = '{"Version":"2012-10-17","__proto__":{"Statement":[]},"Statement":[]}';
  const put = await stage.owner.call({ method: "PUT", target: `/${bucket}?policy`, body: policy });
  assert.equal(put.status, 400, put.text);
  assert.equal(Reflect.get({}, "Statement"), undefined, "nothing reached the prototype");
});

test("(28) thousands of names in a query or a head cost little", async () => {
  const names = Array.from({ length: 4000 }, (_, at) => `a${at}=`).join("&");
  const beganMs = performance.now();
  for (const target of [`/${bucket}?${names}`, `/${bucket}?${"&".repeat(15_000)}`]) {
    const { status } = await sendRaw(
      stage.owner.target.endpoint,
      `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`,
    );
    assert.ok(status >= 400 && status < 500, String(status));
  }
  // Patience for a slow machine: one that is quadratic takes minutes.
  assert.ok(performance.now() - beganMs < 20_000);
});

test("(29) what is no percent-encoded UTF-8 is a bad request, everywhere", async () => {
  const targets = [
    `/${bucket}/%ff`,
    `/${bucket}/%`,
    `/${bucket}/%2`,
    `/${bucket}/%zz`,
    `/${bucket}/%c0%ae%c0%ae`,
    `/${bucket}/%ed%a0%80`,
    `/%ff/key`,
    `/${bucket}?prefix=%ff`,
    `/${bucket}?list-type=2&continuation-token=%ff%fe`,
    `/${bucket}/key?versionId=%ff`,
    `/${bucket}/key?%ff=1`,
  ];
  for (const target of targets) {
    const request = `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    const anonymous = await sendRaw(stage.owner.target.endpoint, request);
    const signed = await stage.owner.call({ target }).catch((error: unknown) => {
      // The client's own encoder may refuse to sign it.
      assert.ok(error instanceof Error);
      return anonymous;
    });
    for (const { status, text } of [anonymous, signed]) {
      assert.ok(status >= 400 && status < 500, `${target}: ${status} ${text}`);
    }
  }
  assert.equal((await stage.owner.get(bucket, "key")).text, "content");
});
