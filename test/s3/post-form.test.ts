// Uploads by HTML forms: who signed them, what their policy allows, what becomes of their fields,
// and what they are answered. Action: PostObject.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { deriveSigningKey } from "../../services/lib/s3/sigv4/signing-key.ts";
import { type Answer, Caller, textAt } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const BOUNDARY = "----formBoundary7MA4YWxkTrZu0gW";
/** What a form writes for the name of its file. */
const FILE_NAME = `$${"{filename}"}`;
const MIB = 1024 * 1024;

let cluster: TestCluster;
let s3: Caller;
let bucket: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  bucket = await makeBucket(s3);
});
after(() => cluster.stop());

type Field = readonly [name: string, value: string];
type Condition = Readonly<Record<string, string>> | readonly (string | number)[];

interface FormFileInit {
  readonly name: string;
  readonly type?: string;
  readonly body: Uint8Array | string;
}

/** The body of a form; `after` come behind the file. */
function formBody(
  fields: readonly Field[],
  file: FormFileInit | undefined,
  after: readonly Field[] = [],
): Buffer {
  const fieldPart = ([name, value]: Field): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const pieces: Buffer[] = [Buffer.from(fields.map(fieldPart).join(""))];
  if (file !== undefined) {
    const type = file.type === undefined ? "" : `Content-Type: ${file.type}\r\n`;
    const disposition = `Content-Disposition: form-data; name="file"; filename="${file.name}"`;
    pieces.push(Buffer.from(`--${BOUNDARY}\r\n${disposition}\r\n${type}\r\n`));
    pieces.push(Buffer.from(file.body), Buffer.from("\r\n"));
  }
  pieces.push(Buffer.from(`${after.map(fieldPart).join("")}--${BOUNDARY}--\r\n`));
  return Buffer.concat(pieces);
}

function post(body: Uint8Array, contentType?: string): Promise<Answer> {
  const type = contentType ?? `multipart/form-data; boundary=${BOUNDARY}`;
  return s3.call({
    method: "POST",
    target: `/${bucket}`,
    sign: false,
    body,
    headers: [["Content-Type", type]],
  });
}

function policyText(conditions: readonly Condition[], expiresInMs = 600_000): string {
  const expiration = new Date(Date.now() + expiresInMs).toISOString();
  return Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
}

/** Fields of a form signed with version 4, every field covered by a condition. */
function signedFields(
  fields: readonly Field[],
  options: {
    readonly conditions?: readonly Condition[];
    readonly secret?: string;
    readonly expiresInMs?: number;
  } = {},
): Field[] {
  const { accessKeyId, secretAccessKey, region } = cluster;
  const amzDate = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const scope = { date: amzDate.slice(0, 8), region, service: "s3" };
  const credential = [accessKeyId, scope.date, region, "s3", "aws4_request"].join("/");
  const own: Field[] = [
    ...fields,
    ["X-Amz-Algorithm", "AWS4-HMAC-SHA256"],
    ["X-Amz-Credential", credential],
    ["X-Amz-Date", amzDate],
  ];
  const conditions = [
    { bucket },
    ...own.map(([name]) => ["starts-with", `$${name}`, ""]),
    ...(options.conditions ?? []),
  ];
  const policy = policyText(conditions, options.expiresInMs);
  const key = deriveSigningKey(options.secret ?? secretAccessKey, scope);
  const signature = createHmac("sha256", key).update(policy).digest("hex");
  return [...own, ["Policy", policy], ["X-Amz-Signature", signature]];
}

test("a signed form becomes an object with its headers, tags and metadata", async () => {
  const tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
  const fields = signedFields([
    ["key", `forms/${FILE_NAME}`],
    ["acl", "private"],
    ["Content-Type", "text/plain"],
    ["Cache-Control", "max-age=1"],
    ["x-amz-meta-of", "form"],
    ["tagging", tagging],
  ]);
  const file = { name: "C:\\files\\photo.txt", body: "content of the form" };
  const answer = await post(formBody(fields, file, [["submit", "Upload"]]));
  assert.equal(answer.status, 204, answer.text);
  const got = await s3.get(bucket, "forms/photo.txt");
  assert.equal(got.text, "content of the form");
  assert.equal(got.headers.get("content-type"), "text/plain");
  assert.equal(got.headers.get("cache-control"), "max-age=1");
  assert.equal(got.headers.get("x-amz-meta-of"), "form");
  assert.equal(got.headers.get("x-amz-tagging-count"), "1");
  assert.equal(answer.headers.get("etag"), got.headers.get("etag"));
  assert.ok(answer.headers.get("location")?.endsWith("/forms/photo.txt"));
});

test("version 2 signatures are taken too", async () => {
  const policy = policyText([{ bucket }, { key: "v2" }]);
  const signature = createHmac("sha1", cluster.secretAccessKey).update(policy).digest("base64");
  const fields: Field[] = [
    ["key", "v2"],
    ["AWSAccessKeyId", cluster.accessKeyId],
    ["policy", policy],
    ["signature", signature],
  ];
  assert.equal((await post(formBody(fields, { name: "f", body: "two" }))).status, 204);
  assert.equal((await s3.get(bucket, "v2")).text, "two");
  const forged = fields.map(
    ([name, value]): Field => [name, name === "signature" ? "AAAA" : value],
  );
  const refused = await post(formBody(forged, { name: "f", body: "x" }));
  assert.equal(refused.code, "SignatureDoesNotMatch");
});

test("answers as the form asks: status, document, redirect", async () => {
  const file = { name: "f", body: "x" };
  const of = (more: readonly Field[]): Promise<Answer> =>
    post(formBody(signedFields([["key", "answers"], ...more]), file));
  assert.equal((await of([["success_action_status", "200"]])).status, 200);
  const created = await of([["success_action_status", "201"]]);
  assert.equal(created.status, 201);
  assert.equal(created.xml().name, "PostResponse");
  assert.equal(textAt(created.xml(), "Key"), "answers");
  assert.equal((await of([["success_action_status", "500"]])).status, 204);
  const moved = await of([["success_action_redirect", "http://example.org/done?a=b"]]);
  assert.equal(moved.status, 303);
  assert.match(moved.headers.get("location") ?? "", /^http:\/\/example\.org\/done\?a=b&bucket=/);
});

test("files of any size are stored, small, large, and of a whole number of pieces", async () => {
  for (const size of [0, 1, 20_000, 8 * MIB, 8 * MIB + 1, 20 * MIB]) {
    const body = randomBytes(size);
    const key = `sizes/${size}`;
    const answer = await post(formBody(signedFields([["key", key]]), { name: "f", body }));
    assert.equal(answer.status, 204, answer.text);
    const got = await s3.get(bucket, key);
    assert.ok(got.body.equals(body), key);
    assert.match(got.headers.get("etag") ?? "", /^"[0-9a-f]{32}"$/);
  }
  const uploads = await s3.call({ target: `/${bucket}?uploads` });
  assert.equal(textAt(uploads.xml(), "Upload"), undefined);
});

test("a form as the platform's own client writes it is understood", async () => {
  const form = new FormData();
  const conditions = [["content-length-range", 1, 100]] as const;
  for (const [name, value] of signedFields([["key", `client/${FILE_NAME}`]], { conditions })) {
    form.set(name, value);
  }
  form.set("file", new Blob(["from a client"]), "näme.txt");
  const answer = await fetch(`${cluster.endpoint}/${bucket}`, { method: "POST", body: form });
  assert.equal(answer.status, 204, await answer.text());
  assert.equal((await s3.get(bucket, "client/näme.txt")).text, "from a client");
});

test("refuses who is not known, and what the policy does not allow", async () => {
  const file = { name: "f", body: "0123456789" };
  const refusal = async (fields: readonly Field[], body = file): Promise<string | undefined> =>
    (await post(formBody(fields, body))).code;
  assert.equal(await refusal([["key", "no"]]), "AccessDenied");
  const wrong = signedFields([["key", "no"]], { secret: "wrong" });
  assert.equal(await refusal(wrong), "SignatureDoesNotMatch");
  const late = signedFields([["key", "no"]], { expiresInMs: -1000 });
  assert.equal(await refusal(late), "AccessDenied");
  const another = signedFields([["key", "no"]], { conditions: [{ key: "yes" }] });
  assert.equal(await refusal(another), "AccessDenied");
  const extra: Field[] = [...signedFields([["key", "no"]]), ["x-amz-meta-a", "b"]];
  assert.equal(await refusal(extra), "AccessDenied");
  const short = signedFields([["key", "no"]], { conditions: [["content-length-range", 11, 20]] });
  assert.equal(await refusal(short), "EntityTooSmall");
  const long = signedFields([["key", "no"]], { conditions: [["content-length-range", 0, 9]] });
  assert.equal(await refusal(long), "EntityTooLarge");
  const stranger = signedFields([["key", "no"]]).map(
    ([name, value]): Field => [
      name,
      name === "X-Amz-Credential" ? value.replace(cluster.accessKeyId, "NOSUCHKEY") : value,
    ],
  );
  assert.equal(await refusal(stranger), "InvalidAccessKeyId");
  const storage = signedFields([
    ["key", "no"],
    ["x-amz-storage-class", "NONE"],
  ]);
  assert.equal(await refusal(storage), "InvalidStorageClass");
  const digest = signedFields([
    ["key", "no"],
    ["x-amz-checksum-crc32", "AAAAAA=="],
  ]);
  assert.equal(await refusal(digest), "BadDigest");
  assert.equal((await s3.get(bucket, "no")).status, 404);
});

test("(5) CVE-2023-28434 CVE-2023-43040 a form opens what its policy names, and no other bucket", async () => {
  const other = await makeBucket(s3);
  const conditions: Condition[] = [
    ["starts-with", "$key", "in/"],
    ["content-length-range", 1, 10],
  ];
  const sendTo = (to: string, key: string, body: string): Promise<Answer> =>
    s3.call({
      method: "POST",
      target: `/${to}`,
      sign: false,
      body: formBody(signedFields([["key", key]], { conditions }), { name: "f", body }),
      headers: [["Content-Type", `multipart/form-data; boundary=${BOUNDARY}`]],
    });
  const outcomes = [
    [await sendTo(bucket, "in/a", "0123456789"), 204, "within"],
    [await sendTo(other, "in/a", "x"), 403, "another bucket"],
    [await sendTo(bucket, "out/a", "x"), 403, "another prefix"],
    [await sendTo(bucket, "in/b", "0123456789x"), 400, "too long"],
    [await sendTo(bucket, "in/c", ""), 400, "too short"],
  ] as const;
  for (const [answer, status, what] of outcomes) {
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
  }
  for (const [to, key] of [
    [other, "in/a"],
    [bucket, "out/a"],
    [bucket, "in/b"],
    [bucket, "in/c"],
  ] as const) {
    assert.equal((await s3.get(to, key)).status, 404, `${to}/${key}`);
  }
});

test("refuses forms that are none", async () => {
  const file = { name: "f", body: "x" };
  const fields = signedFields([["key", "odd"]]);
  const whole = formBody(fields, file);
  assert.equal((await post(whole, "text/plain")).code, "RequestIsNotMultiPartContent");
  assert.equal((await post(whole.subarray(0, -10))).code, "MalformedPOSTRequest");
  const noFile = await post(formBody(fields, undefined));
  assert.equal(noFile.code, "IncorrectNumberOfFilesInPostRequest");
  const noKey = await post(formBody(signedFields([]), file));
  assert.equal(noKey.code, "UserKeyMustBeSpecified");
  const large = await post(formBody([["key", "x".repeat(30_000)], ...fields.slice(1)], file));
  assert.equal(large.code, "MaxPostPreDataLengthExceededError");
  assert.equal((await s3.get(bucket, "odd")).status, 404);
});

test("a large file that is cut short leaves nothing behind", async () => {
  const fields = signedFields([["key", "cut"]]);
  const whole = formBody(fields, { name: "f", body: randomBytes(20 * MIB) });
  const refused = await post(whole.subarray(0, -10));
  assert.equal(refused.code, "MalformedPOSTRequest");
  assert.equal((await s3.get(bucket, "cut")).status, 404);
  const uploads = await s3.call({ target: `/${bucket}?uploads` });
  assert.equal(textAt(uploads.xml(), "Upload"), undefined);
});
