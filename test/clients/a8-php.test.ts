// External storage of Nextcloud and ownCloud, path style: what their S3 back ends send through the
// AWS SDK for PHP 3 (SigV4, Guzzle 6) and 2 (SigV2, Guzzle 3), replayed: folders as objects, upload
// small and in parts, listing, renaming by copy and delete, deleting a folder's keys at once.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { after, before } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import type { RawResponse } from "../s3/raw-http.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import {
  DATE,
  fields,
  HASH,
  md5Base64,
  query,
  ReplayConnection,
  SIGNATURE,
  signV2,
  signV4,
  type User,
} from "./replay.ts";
import { replayed, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
/** Guzzle asks for 100 from this size on. */
const EXPECT_BYTES = MIB;
const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
const XML = '<?xml version="1.0" encoding="UTF-8"?>\n';
/** SignatureV4 of the SDK leaves these out: proxies and cURL may change them. */
const UNSIGNED = ["content-type", "content-length", "expect", "user-agent", "range", "if-match"];
const AGENT_3 = "aws-sdk-php/3.112.4 GuzzleHttp/6.3.3 curl/7.68.0 PHP/7.4.3";
const AGENT_2 = "aws-sdk-php2/2.8.31 Guzzle/3.9.3 curl/7.38.0 PHP/5.6.40";

const nextcloud = replayed("Nextcloud, AWS SDK for PHP 3", "3.112.4");
const owncloud = replayed("ownCloud, AWS SDK for PHP 2", "2.8.31");
let server: TestServer;

before(async () => {
  server = await startServer();
});

after(async () => {
  await server.stop();
});

interface Call {
  readonly method: string;
  readonly key?: string;
  /** Query string as sent, without its mark. */
  readonly query?: string;
  readonly lines?: readonly HeaderField[];
  readonly body?: Uint8Array | string;
}

type Send = (call: Call) => Promise<RawResponse>;

function bytesOf(body: Uint8Array | string | undefined): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array(0));
}

function bodyLines({ method }: Call, body: Uint8Array): readonly HeaderField[] {
  if (method !== "PUT" && method !== "POST") return [];
  const length: HeaderField = ["Content-Length", String(body.byteLength)];
  return body.byteLength > EXPECT_BYTES ? [length, ["Expect", "100-Continue"]] : [length];
}

function targetOf(bucket: string, call: Call): string {
  const path = call.key === undefined ? `/${bucket}` : `/${bucket}/${uriEncode(call.key, true)}`;
  return call.query === undefined ? path : `${path}?${call.query}`;
}

function version3(connection: ReplayConnection, user: User, bucket: string): Send {
  return (call) => {
    const body = bytesOf(call.body);
    const lines: HeaderField[] = [
      ["Host", new URL(server.endpoint).host],
      ...(call.lines ?? []),
      ["aws-sdk-invocation-id", createHash("md5").update(randomUUID()).digest("hex")],
      ["aws-sdk-retry", "0/0"],
      ["x-amz-content-sha256", HASH],
      ["X-Amz-Date", DATE],
      ["Authorization", SIGNATURE],
      ["User-Agent", AGENT_3],
      ...bodyLines(call, body),
    ];
    const draft = { method: call.method, target: targetOf(bucket, call), lines, body };
    return connection.send(signV4(user, draft, { unsigned: UNSIGNED }));
  };
}

/** RFC 2822, as PHP's gmdate writes it: `+0000`, not `GMT`. */
function phpDate(): string {
  return new Date().toUTCString().replace("GMT", "+0000");
}

function version2(connection: ReplayConnection, user: User, bucket: string): Send {
  const signed = ["acl", "delete", "location", "partNumber", "uploadId", "uploads"];
  return (call) => {
    const body = bytesOf(call.body);
    const lines: HeaderField[] = [
      ["Host", new URL(server.endpoint).host],
      ["User-Agent", AGENT_2],
      ...(call.lines ?? []),
      ["Date", phpDate()],
      ["Authorization", SIGNATURE],
      ...bodyLines(call, body),
    ];
    // A bucket alone is signed with a slash behind it that the request line does not have.
    const path = `/${bucket}/${uriEncode(call.key ?? "", true)}`;
    const pairs = (call.query ?? "").split("&").map((pair) => pair.split("="));
    const resources = signed.flatMap((name) => {
      const found = pairs.find(([key]) => key === name);
      if (found === undefined) return [];
      return found[1] === undefined ? [name] : [`${name}=${decodeURIComponent(found[1])}`];
    });
    const resource = resources.length === 0 ? path : `${path}?${resources.join("&")}`;
    const draft = { method: call.method, target: targetOf(bucket, call), lines, body };
    return connection.send(signV2(user, draft, resource));
  };
}

function list(prefix: string, more: readonly (readonly [string, string])[]): Call {
  return { method: "GET", query: query([["prefix", prefix], ...more, ["encoding-type", "url"]]) };
}

function names(answer: RawResponse, element: string): string[] {
  assert.equal(answer.status, 200, answer.text);
  return fields(answer.text, element).map(urldecode);
}

/** As PHP does it: a plus is a space. */
function urldecode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** HeadObject fails, then a listing of one key: how both tell a folder from nothing. */
async function isFolder(send: Send, path: string): Promise<boolean> {
  const head = await send({ method: "HEAD", key: path });
  assert.deepEqual([head.status, head.body.byteLength], [404, 0]);
  return names(await send(list(`${path}/`, [["max-keys", "1"]])), "Key").length > 0;
}

async function makeBucket(send: Send): Promise<void> {
  assert.equal((await send({ method: "HEAD" })).status, 404);
  assert.equal((await send({ method: "PUT" })).status, 200);
  assert.equal((await send({ method: "HEAD" })).status, 200);
  // The root is the key "." to them, which must not become the bucket on the way.
  assert.equal((await send({ method: "HEAD", key: "." })).status, 404);
}

async function makeFolder(send: Send): Promise<void> {
  assert.equal(await isFolder(send, "Photos"), false);
  const lines = [["Content-Type", "httpd/unix-directory"]] as const;
  const made = await send({ method: "PUT", key: "Photos/", lines, body: "" });
  assert.equal(made.status, 200, made.text);
  assert.equal(await isFolder(send, "Photos"), true);
}

async function upload(send: Send, key: string, body: Uint8Array): Promise<void> {
  const lines = [
    ["x-amz-acl", "private"],
    ["Content-Type", "image/jpeg"],
  ] as const;
  const put = await send({ method: "PUT", key, lines, body });
  assert.equal(put.status, 200, put.text);
  assert.deepEqual(put.interim, body.byteLength > EXPECT_BYTES ? [100] : []);
  const got = await send({ method: "GET", key });
  assert.deepEqual([got.status, got.headers.get("content-type")], [200, "image/jpeg"]);
  assert.ok(got.body.equals(body));
}

async function uploadParts(send: Send, key: string, parts: readonly Buffer[]): Promise<void> {
  const lines = [["Content-Type", "video/mp4"]] as const;
  const created = await send({ method: "POST", key, query: "uploads", lines });
  const [id = ""] = fields(created.text, "UploadId");
  const listed: string[] = [];
  for (const [at, body] of parts.entries()) {
    const number = String(at + 1);
    const where = query([
      ["partNumber", number],
      ["uploadId", id],
    ]);
    const answer = await send({ method: "PUT", key, query: where, body });
    assert.equal(answer.status, 200, answer.text);
    const etag = answer.headers.get("etag") ?? "";
    listed.push(`<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  const root = "CompleteMultipartUpload";
  const body = `${XML}<${root} xmlns="${NAMESPACE}">${listed.join("")}</${root}>\n`;
  const type = [["Content-Type", "application/xml"]] as const;
  const done = await send({ method: "POST", key, query: `uploadId=${id}`, lines: type, body });
  assert.equal(done.status, 200, done.text);
  assert.match(done.text, /<CompleteMultipartUploadResult/);
  const got = await send({ method: "GET", key });
  assert.ok(got.body.equals(Buffer.concat(parts)));
}

async function rename(send: Send, bucket: string, from: string, to: string): Promise<void> {
  const source = `${bucket}/${uriEncode(from, true)}`;
  const copied = await send({ method: "PUT", key: to, lines: [["x-amz-copy-source", source]] });
  assert.equal(copied.status, 200, copied.text);
  assert.match(copied.text, /<CopyObjectResult/);
  assert.equal((await send({ method: "DELETE", key: from })).status, 204);
  assert.equal((await send({ method: "HEAD", key: from })).status, 404);
}

/** A copy onto itself with new metadata; the source is not encoded here. */
async function touch(send: Send, bucket: string, key: string): Promise<void> {
  const modified = new Date(0).toUTCString();
  const lines = [
    ["x-amz-copy-source", `${bucket}/${key}`],
    ["x-amz-metadata-directive", "REPLACE"],
    ["x-amz-meta-lastmodified", modified],
  ] as const;
  const touched = await send({ method: "PUT", key, lines });
  assert.equal(touched.status, 200, touched.text);
  const head = await send({ method: "HEAD", key });
  assert.equal(head.headers.get("x-amz-meta-lastmodified"), modified);
}

/** All keys below a folder by one call; `inner` is what stands in an Object beside its key. */
async function removeFolder(send: Send, inner: (entry: string) => string): Promise<void> {
  const listed = await send(list("Photos/", []));
  assert.ok(fields(listed.text, "Key").length > 2, listed.text);
  const objects = [...listed.text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(
    ([, entry = ""]) => {
      const key = urldecode(fields(entry, "Key")[0] ?? "");
      return `<Object><Key>${key}</Key>${inner(entry)}</Object>`;
    },
  );
  const body = `${XML}<Delete xmlns="${NAMESPACE}">${objects.join("")}</Delete>\n`;
  const lines = [
    ["Content-Type", "application/xml"],
    ["Content-MD5", md5Base64(Buffer.from(body))],
  ] as const;
  const deleted = await send({ method: "POST", query: "delete", lines, body });
  assert.equal(deleted.status, 200, deleted.text);
  assert.equal(fields(deleted.text, "Key").length, objects.length);
  assert.equal(await isFolder(send, "Photos"), false);
}

async function walk(send: Send, bucket: string, inner: (entry: string) => string): Promise<void> {
  await makeBucket(send);
  await makeFolder(send);
  await upload(send, "Photos/zoë's (1) & 50% +.jpg", seededBytes("small", 1234));
  await upload(send, "Photos/large.jpg", seededBytes("large", 3 * MIB));
  const parts = [seededBytes("one", 5 * MIB), seededBytes("two", 77)];
  await uploadParts(send, "Photos/film.mp4", parts);
  await send({ method: "PUT", key: "Photos/deep/", body: "" });
  const opened = await send(list("Photos/", [["delimiter", "/"]]));
  assert.deepEqual(names(opened, "Key"), [
    "Photos/",
    "Photos/film.mp4",
    "Photos/large.jpg",
    "Photos/zoë's (1) & 50% +.jpg",
  ]);
  // The prefix of the listing itself comes first.
  assert.deepEqual(names(opened, "Prefix"), ["Photos/", "Photos/deep/"]);
  await rename(send, bucket, "Photos/zoë's (1) & 50% +.jpg", "Photos/zoë ü.jpg");
  await touch(send, bucket, "Photos/large.jpg");
  const range = await send({
    method: "GET",
    key: "Photos/film.mp4",
    lines: [["Range", "bytes=5-9"]],
  });
  assert.equal(range.status, 206);
  assert.ok(range.body.equals(parts[0]?.subarray(5, 10) ?? Buffer.alloc(0)));
  await removeFolder(send, inner);
  assert.equal((await send({ method: "DELETE" })).status, 204);
}

type Version = typeof version3;

async function storage(
  version: Version,
  bucket: string,
  inner: (entry: string) => string,
): Promise<void> {
  const connection = await ReplayConnection.open(server.endpoint);
  const other = await ReplayConnection.open(server.endpoint);
  try {
    await walk(version(connection, server, bucket), bucket, inner);
    const wrong = version(other, { ...server, secretAccessKey: "wrong" }, bucket);
    const large = seededBytes("refused", 2 * MIB);
    const refused = await wrong({ method: "PUT", key: "large", body: large });
    assert.deepEqual([refused.status, refused.interim], [403, []]);
    assert.match(refused.text, /<Code>SignatureDoesNotMatch<\/Code>/);
  } finally {
    connection.close();
    other.close();
  }
}

rowTest(nextcloud, ["A8"], "folders, upload, list, rename, delete; path style", async () => {
  // Newer SDKs hand on what the listing said of a key as conditions of its deletion.
  const conditions = (entry: string): string =>
    `<ETag>${fields(entry, "ETag")[0] ?? ""}</ETag><Size>${fields(entry, "Size")[0] ?? ""}</Size>`;
  await storage(version3, "nextcloud", conditions);
});

rowTest(owncloud, ["A8", "A20"], "folders, upload, list, rename, delete; SigV2", async () => {
  await storage(version2, "owncloud", () => "");
});
