// Sealed objects beyond put and get: forms make them, bytes are added, they get another name, older
// versions are read. All of it stays sealed, and readable with the key it was put with.
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import { ROOT_USER } from "../unit/gateway/memory-gateway.ts";
import { type Answer, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import {
  AES256,
  CLIENT,
  clientKey,
  type Headers,
  KINDS,
  METHOD,
  md5Hex,
  OTHER_KEY,
  refused,
  SealedGateway,
} from "./sealed-gateway.ts";

let on: SealedGateway;
before(async () => {
  on = await SealedGateway.start();
});
after(() => on.stop());

function append(
  key: string,
  offset: number,
  body: Uint8Array,
  headers: Headers = [],
): Promise<Answer> {
  return on.call("PUT", key, [["x-amz-write-offset-bytes", String(offset)], ...headers], body);
}

for (const [name, write, read] of KINDS) {
  for (const first of [10, 100_000]) {
    test(`bytes added to ${first} bytes with ${name} are sealed as the object is`, async () => {
      const key = `grows ${name} ${first}`;
      const pieces = [first, 20, 70_000, 1].map((size) => randomBytes(size));
      await on.put(key, pieces[0] ?? "", write);
      let size = first;
      for (const piece of pieces.slice(1)) {
        const added = await append(key, size, piece, read);
        assert.equal(added.status, 200, added.text);
        size += piece.byteLength;
        assert.equal(added.headers.get("x-amz-object-size"), String(size));
        assert.equal(added.headers.get(METHOD), write.find(([header]) => header === METHOD)?.[1]);
      }
      const whole = Buffer.concat(pieces);
      const got = await on.call("GET", key, read);
      assert.equal(got.status, 200, got.text);
      assert.equal(Buffer.compare(got.body, whole), 0);
      const from = first + 15;
      const ranged = await on.call("GET", key, [["Range", `bytes=${from}-`], ...read]);
      assert.equal(Buffer.compare(ranged.body, whole.subarray(from)), 0);
      for (const piece of pieces.filter(({ byteLength }) => byteLength > 16)) {
        assert.ok(!on.isStored(piece.subarray(0, 20)), "plain bytes are stored");
      }
    });
  }

  test(`an object that begins by adding is sealed with ${name} when it says so`, async () => {
    const key = `begins ${name}`;
    const body = randomBytes(50_000);
    const begun = await append(key, 0, body, write);
    assert.equal(begun.status, 200, begun.text);
    const isMd5 = begun.headers.get("etag") === `"${md5Hex(body)}"`;
    assert.equal(isMd5, name === "AES256");
    const got = await on.call("GET", key, read);
    assert.equal(Buffer.compare(got.body, body), 0);
    assert.ok(!on.isStored(body.subarray(0, 20)));
  });

  test(`an object with ${name} keeps its seal under another name`, async () => {
    const [from, to] = [`renamed ${name}`, `named anew ${name}`];
    await on.put(from, "moves in one step", write);
    const source: Headers = [["x-amz-rename-source", uriEncode(from, false)]];
    const target = `${pathOf(on.bucket, to)}?renameObject`;
    const moved = await on.s3.call({ method: "PUT", target, headers: source });
    assert.equal(moved.status, 200, moved.text);
    const got = await on.call("GET", to, read);
    assert.equal(got.text, "moves in one step");
    await refused(on.call("GET", from, read), 404, "NoSuchKey");
  });
}

test("equal bodies of one object are sealed to other bytes each time", async () => {
  const body = randomBytes(70_000);
  const known = new Set(on.gateway.bodies.bodies.keys());
  await on.put("twice", body, AES256);
  assert.equal((await append("twice", body.byteLength, body)).status, 200);
  const stored = [...on.gateway.bodies.bodies].filter(([id]) => !known.has(id));
  const [first, second] = stored.map(([, bytes]) => Buffer.from(bytes));
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(first.byteLength, second.byteLength);
  assert.ok(!second.includes(first.subarray(0, 16)), "one key sealed two bodies");
});

test("bytes are added with the object's key only", async () => {
  for (const size of [10, 100_000]) {
    await on.put("closed", randomBytes(size), CLIENT);
    const more = randomBytes(10);
    await refused(append("closed", size, more), 400, "InvalidRequest");
    await refused(append("closed", size, more, clientKey(OTHER_KEY)), 400, "InvalidRequest");
    await refused(append("closed", size, more, AES256), 400, "InvalidArgument");
    const head = await on.call("HEAD", "closed", CLIENT);
    assert.equal(head.headers.get("content-length"), String(size));
  }
});

test("every version opens with the key that it was put with", async () => {
  const own = await makeBucket(on.s3);
  const status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
  const target = `/${own}?versioning`;
  assert.equal((await on.s3.call({ method: "PUT", target, body: status })).status, 200);
  const versions: (readonly [string, Headers, string])[] = [];
  for (const [name, write, read] of [...KINDS, ["plain", [], []] as const]) {
    const put = await on.s3.call({
      method: "PUT",
      target: pathOf(own, "k"),
      headers: write,
      body: name,
    });
    assert.equal(put.status, 200, put.text);
    versions.push([put.headers.get("x-amz-version-id") ?? "", read, name]);
  }
  for (const [versionId, read, name] of versions) {
    const at = `${pathOf(own, "k")}?versionId=${versionId}`;
    assert.equal((await on.s3.call({ target: at, headers: read })).text, name);
  }
});

/** Uploads by a form whose fields are `headers`, signed with version 2. */
async function form(key: string, body: Uint8Array, headers: Headers): Promise<Answer> {
  const { accessKeyId, secret } = ROOT_USER;
  const fields = [["key", key], ...headers] as const;
  const conditions = [
    { bucket: on.bucket },
    ...fields.map(([name]) => ["starts-with", `$${name}`, ""]),
  ];
  const expiration = new Date(Date.now() + 600_000).toISOString();
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const signature = createHmac("sha1", secret).update(policy).digest("base64");
  const data = new FormData();
  const signed = [...fields, ["AWSAccessKeyId", accessKeyId], ["policy", policy]] as const;
  for (const [name, value] of [...signed, ["signature", signature] as const]) {
    data.append(name, value);
  }
  data.append("file", new Blob([new Uint8Array(body)]), "f");
  const request = new Response(data);
  return on.s3.call({
    method: "POST",
    target: `/${on.bucket}`,
    sign: false,
    body: Buffer.from(await request.arrayBuffer()),
    headers: [["Content-Type", request.headers.get("content-type") ?? ""]],
  });
}

for (const [name, write, read] of KINDS) {
  test(`a form seals its file with ${name}, in one body or in parts`, async () => {
    for (const size of [10, 100_000, 9 * 1024 * 1024]) {
      const body = randomBytes(size);
      const sent = await form("formed", body, write);
      assert.equal(sent.status, 204, sent.text);
      assert.equal(sent.headers.get(METHOD), write.find(([header]) => header === METHOD)?.[1]);
      const got = await on.call("GET", "formed", read);
      assert.equal(got.status, 200, got.text);
      assert.equal(Buffer.compare(got.body, body), 0);
      assert.ok(size < 20 || !on.isStored(body.subarray(0, 20)), "plain bytes are stored");
    }
  });
}

test("attributes are told to who has the key", async () => {
  await on.put("attributes", "x", CLIENT);
  const target = `${pathOf(on.bucket, "attributes")}?attributes`;
  const wanted: Headers = [["x-amz-object-attributes", "ObjectSize"]];
  await refused(on.s3.call({ target, headers: wanted }), 400, "InvalidRequest");
  const told = await on.s3.call({ target, headers: [...wanted, ...CLIENT] });
  assert.equal(told.status, 200, told.text);
  assert.match(told.text, /<ObjectSize>1</);
});
