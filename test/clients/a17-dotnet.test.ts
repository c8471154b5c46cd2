// AWSSDK.S3 for .NET with SignatureVersion s3, replayed: its requests over HttpWebRequest, signed
// with Version 2 by x-amz-date. The SDK leaves `:'()!*[]$` in keys unencoded, on the wire and in
// what it signs. Path style with ServiceURL, virtual hosts, presigned URLs, errors.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type RawResponse, sendRaw } from "../s3/raw-http.ts";
import { seededBytes } from "../support/seeded-bytes.ts";
import { startServer, type TestServer } from "../support/test-server.ts";
import {
  fields,
  md5Base64,
  query,
  ReplayConnection,
  SIGNATURE,
  signatureV2,
  signV2,
  type User,
} from "./replay.ts";
import { replayed, rowTest } from "./row-test.ts";

const MIB = 1024 * 1024;
const HOST = "s3.dolium.test";
const AGENT =
  "aws-sdk-dotnet-45/3.3.31.12 aws-sdk-dotnet-core/3.3.29.13 .NET_Runtime/4.0 .NET_Framework/4.0 " +
  "OS/Microsoft_Windows_NT_6.2.9200.0 ClientSync";

const dotnet = replayed("AWSSDK.S3 for .NET", "3.3.31");
let server: TestServer;

before(async () => {
  server = await startServer({ DOLIUM_S3__DOMAINS: HOST });
});

after(async () => {
  await server.stop();
});

interface Call {
  readonly method: string;
  /** Undefined: the bucket itself. */
  readonly key?: string;
  /** Parameters that are not signed. */
  readonly parameters?: readonly (readonly [string, string])[];
  /** Sub-resources and response headers, which are; a value of null has no equals sign. */
  readonly resources?: readonly (readonly [string, string | null])[];
  readonly lines?: readonly HeaderField[];
  readonly body?: Uint8Array | string;
}

interface Style {
  readonly host: string;
  /** Before the key on the request line. */
  readonly path: string;
  /** Before the key in what is signed. */
  readonly signedPath: string;
}

type Send = (call: Call) => Promise<RawResponse>;

/** The SDK's UrlEncode of a path. */
function encodePath(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[A-Za-z0-9\-_.~/:'()!*[\]$]/.test(character)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

function pathStyle(bucket: string): Style {
  return { host: new URL(server.endpoint).host, path: `/${bucket}`, signedPath: `/${bucket}` };
}

function hostStyle(bucket: string): Style {
  return { host: `${bucket}.${HOST}`, path: "", signedPath: `/${bucket}` };
}

/** A bucket alone is `/bucket` in path style; a virtual host asks for `/` and signs `/bucket/`. */
function paths(style: Style, key: string | undefined): { target: string; signed: string } {
  const rest = key === undefined ? "" : `/${encodePath(key)}`;
  const end = style.path === "" && rest === "" ? "/" : rest;
  return { target: `${style.path}${end}`, signed: `${style.signedPath}${end}` };
}

function sender(connection: ReplayConnection, user: User, style: Style): Send {
  return (call) => {
    const { method, parameters = [], resources = [] } = call;
    const body = typeof call.body === "string" ? Buffer.from(call.body) : call.body;
    const { target, signed } = paths(style, call.key);
    const sub = resources.map(([name, value]) => (value === null ? name : query([[name, value]])));
    const sent = [...sub, ...parameters.map((pair) => query([pair]))].join("&");
    const own = resources
      .toSorted(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
      .map(([name, value]) => (value === null ? name : `${name}=${value}`))
      .join("&");
    const withBody = method === "PUT" || method === "POST";
    const lines: HeaderField[] = [
      ["User-Agent", AGENT],
      ["amz-sdk-invocation-id", randomUUID()],
      ["amz-sdk-request", "attempt=1; max=5"],
      ...(call.lines ?? []),
      ["X-Amz-Date", new Date().toUTCString()],
      ["Authorization", SIGNATURE],
      ["Host", style.host],
      ...(withBody ? ([["Content-Length", String(body?.byteLength ?? 0)]] as const) : []),
      ...(body === undefined ? [] : ([["Expect", "100-continue"]] as const)),
      ["Connection", "Keep-Alive"],
    ];
    const draft = { method, target: sent === "" ? target : `${target}?${sent}`, lines };
    const resource = own === "" ? signed : `${signed}?${own}`;
    return connection.send(signV2(user, body === undefined ? draft : { ...draft, body }, resource));
  };
}

async function withSender(
  style: Style,
  body: (send: Send) => Promise<void>,
  user: User = server,
): Promise<void> {
  const connection = await ReplayConnection.open(server.endpoint);
  try {
    await body(sender(connection, user, style));
  } finally {
    connection.close();
  }
}

const KEY = "it's [a] (test): 100% *ü* + $1!.txt";
const XML_TYPE: HeaderField = ["Content-Type", "application/xml"];

async function objects(send: Send, bucket: string): Promise<void> {
  const lines = [
    ["Content-Type", "text/plain"],
    ["x-amz-meta-title", "the title"],
  ] as const;
  const put = await send({ method: "PUT", key: KEY, lines, body: "content body" });
  assert.deepEqual([put.status, put.interim], [200, [100]], put.text);
  assert.match(put.headers.get("etag") ?? "", /^"[0-9a-f]{32}"$/);
  const got = await send({ method: "GET", key: KEY, lines: [["Range", "bytes=8-11"]] });
  assert.deepEqual([got.status, got.text], [206, "body"]);
  const resources = [["response-content-type", "application/x-own; charset=utf-8"]] as const;
  const typed = await send({ method: "GET", key: KEY, resources });
  assert.equal(typed.headers.get("content-type"), "application/x-own; charset=utf-8", typed.text);
  const head = await send({ method: "HEAD", key: KEY });
  assert.deepEqual(
    [head.status, head.headers.get("x-amz-meta-title"), head.headers.get("content-length")],
    [200, "the title", "12"],
  );
  const copyLines = [
    ["x-amz-copy-source", `/${bucket}/${encodePath(KEY)}`],
    ["x-amz-metadata-directive", "COPY"],
  ] as const;
  const copied = await send({ method: "PUT", key: "copy/of it", lines: copyLines });
  assert.equal(copied.status, 200, copied.text);
  assert.equal((await send({ method: "GET", key: "copy/of it" })).text, "content body");
  const none = await send({ method: "GET", key: "none" });
  assert.deepEqual([none.status, fields(none.text, "Code")], [404, ["NoSuchKey"]]);
}

async function parts(send: Send): Promise<void> {
  const key = "large (1).bin";
  const created = await send({ method: "POST", key, resources: [["uploads", null]] });
  const [id = ""] = fields(created.text, "UploadId");
  const bodies = [seededBytes("dotnet", 5 * MIB), seededBytes("dotnet end", 11)];
  const listed: string[] = [];
  for (const [at, body] of bodies.entries()) {
    const number = String(at + 1);
    const resources = [
      ["partNumber", number],
      ["uploadId", id],
    ] as const;
    const answer = await send({ method: "PUT", key, resources, body });
    assert.equal(answer.status, 200, answer.text);
    const etag = answer.headers.get("etag") ?? "";
    listed.push(`<Part><ETag>${etag}</ETag><PartNumber>${number}</PartNumber></Part>`);
  }
  const root = "CompleteMultipartUpload";
  const body = `<${root}>${listed.join("")}</${root}>`;
  const resources = [["uploadId", id]] as const;
  const done = await send({ method: "POST", key, resources, lines: [XML_TYPE], body });
  assert.equal(done.status, 200, done.text);
  const got = await send({ method: "GET", key });
  assert.ok(got.body.equals(Buffer.concat(bodies)));
}

async function listings(send: Send): Promise<void> {
  const first = await send({ method: "GET", parameters: [["max-keys", "1"]] });
  assert.deepEqual(fields(first.text, "Key"), ["copy/of it"], first.text);
  const parameters = [
    ["delimiter", "/"],
    ["list-type", "2"],
  ] as const;
  const second = await send({ method: "GET", parameters });
  assert.deepEqual(fields(second.text, "Key"), [KEY, "large (1).bin"], second.text);
  assert.deepEqual(fields(second.text, "Prefix").slice(-1), ["copy/"]);
}

async function remove(send: Send): Promise<void> {
  const keys = [KEY, "copy/of it", "large (1).bin"];
  const entries = keys.map((key) => `<Object><Key>${key}</Key></Object>`);
  const body = `<Delete>${entries.join("")}<Quiet>false</Quiet></Delete>`;
  const lines: HeaderField[] = [XML_TYPE, ["Content-MD5", md5Base64(Buffer.from(body))]];
  const deleted = await send({ method: "POST", resources: [["delete", null]], lines, body });
  assert.deepEqual(fields(deleted.text, "Key"), keys, deleted.text);
  assert.equal((await send({ method: "DELETE" })).status, 204);
}

for (const [name, styleOf] of [
  ["path style", pathStyle],
  ["virtual hosts", hostStyle],
] as const) {
  rowTest(dotnet, ["A17"], `objects, parts, listings, deletes; ${name}`, async () => {
    const bucket = `dotnet-${name.replace(" ", "-")}`;
    await withSender(styleOf(bucket), async (send) => {
      assert.equal((await send({ method: "PUT" })).status, 200);
      await objects(send, bucket);
      await parts(send);
      await listings(send);
      await remove(send);
    });
  });
}

rowTest(dotnet, ["A17"], "a wrong secret is refused before the body is sent", async () => {
  const wrong = { ...server, secretAccessKey: "wrong" };
  const large = seededBytes("dotnet", MIB);
  const refused = async (send: Send): Promise<void> => {
    const answer = await send({ method: "PUT", key: "large", body: large });
    assert.deepEqual([answer.status, answer.interim], [403, []]);
    assert.deepEqual(fields(answer.text, "Code"), ["SignatureDoesNotMatch"]);
  };
  await withSender(pathStyle("dotnet-wrong"), refused, wrong);
});

rowTest(dotnet, ["A17"], "GetPreSignedURL: parameters that are signed, and the time", async () => {
  const bucket = "dotnet-presigned";
  const style = pathStyle(bucket);
  await withSender(style, async (send) => {
    assert.equal((await send({ method: "PUT" })).status, 200);
    assert.equal((await send({ method: "PUT", key: KEY, body: "by url" })).status, 200);
  });
  const disposition = 'attachment; filename="a b.txt"';
  const get = async (expires: number, signed: string): Promise<RawResponse> => {
    const path = `/${bucket}/${encodePath(KEY)}`;
    const text = `GET\n\n\n${expires}\n${path}?response-content-disposition=${signed}`;
    const pairs = query([
      ["AWSAccessKeyId", server.accessKeyId],
      ["Expires", String(expires)],
      ["response-content-disposition", disposition],
      ["Signature", signatureV2(server, text)],
    ]);
    return sendRaw(server.endpoint, `GET ${path}?${pairs} HTTP/1.1\r\nHost: ${style.host}\r\n\r\n`);
  };
  const now = Math.floor(Date.now() / 1000);
  const good = await get(now + 300, disposition);
  assert.deepEqual([good.status, good.text], [200, "by url"]);
  assert.equal(good.headers.get("content-disposition"), disposition);
  assert.equal((await get(now + 300, "inline")).status, 403);
  const late = await get(now - 5, disposition);
  assert.deepEqual([late.status, fields(late.text, "Code")], [403, ["AccessDenied"]]);
});
