// Server-side encryption with the store's own key, with named keys and with keys of clients: what
// is stored is sealed, what comes back is what was put, and nobody reads without the key.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import { CLUSTER_KEY, ROOT_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Answer, pathOf, textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import {
  AES256,
  BLOCK,
  CLIENT,
  callerOf,
  clientKey,
  type Headers,
  KEY,
  KEY_ARN,
  KINDS,
  KMS,
  METHOD,
  md5Hex,
  OTHER_KEY,
  refused,
  SealedGateway,
  sourceKey,
} from "./sealed-gateway.ts";

let on: SealedGateway;
before(async () => {
  on = await SealedGateway.start();
});
after(() => on.stop());

for (const [name, write, read] of KINDS) {
  test(`what is put with ${name} comes back, whole and in ranges, and is sealed`, async () => {
    const body = randomBytes(3 * BLOCK + 777);
    await on.put("long", body, write);
    assert.ok(!on.isStored(body.subarray(1000, 1032)), "plain bytes are stored");
    const whole = await on.call("GET", "long", read);
    assert.equal(whole.status, 200, whole.text);
    assert.equal(Buffer.compare(whole.body, body), 0);
    const { length } = body;
    const spans: readonly (readonly [number, number])[] = [
      [0, 0],
      [BLOCK - 1, BLOCK],
      [BLOCK, 2 * BLOCK - 1],
      [5, 3 * BLOCK + 3],
      [length - 1, length - 1],
    ];
    for (const [first, last] of spans) {
      const part = await on.call("GET", "long", [["Range", `bytes=${first}-${last}`], ...read]);
      assert.equal(part.status, 206, part.text);
      assert.equal(Buffer.compare(part.body, body.subarray(first, last + 1)), 0);
      assert.equal(part.headers.get("content-range"), `bytes ${first}-${last}/${length}`);
    }
    const suffix = await on.call("GET", "long", [["Range", "bytes=-5"], ...read]);
    assert.equal(Buffer.compare(suffix.body, body.subarray(-5)), 0);
  });

  test(`small and empty bodies are kept with ${name} too`, async () => {
    for (const [key, body] of [
      ["small", "a secret of few bytes"],
      ["empty", ""],
    ] as const) {
      await on.put(key, body, write);
      const got = await on.call("GET", key, read);
      assert.equal(got.status, 200, got.text);
      assert.equal(got.text, body);
      const head = await on.call("HEAD", key, read);
      assert.equal(head.headers.get("content-length"), String(body.length));
    }
    const ranged = await on.call("GET", "small", [["Range", "bytes=2-7"], ...read]);
    assert.equal(ranged.text, "secret");
  });

  test(`a listing shows plain sizes of objects sealed with ${name}`, async () => {
    await on.put(`listed ${name}`, randomBytes(70_000), write);
    const prefix = uriEncode(`listed ${name}`, false);
    const list = await on.s3.call({ target: `/${on.bucket}?list-type=2&prefix=${prefix}` });
    assert.equal(textAt(list.xml(), "Contents", "Size"), "70000");
  });
}

test("answers say how an object is sealed", async () => {
  for (const answer of [
    await on.put("said", "x", AES256),
    await on.call("GET", "said"),
    await on.call("HEAD", "said"),
  ]) {
    assert.equal(answer.headers.get(METHOD), "AES256");
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), undefined);
  }
  for (const answer of [
    await on.put("said", "x", [...KMS, [`${METHOD}-bucket-key-enabled`, "true"]]),
    await on.call("GET", "said"),
  ]) {
    assert.equal(answer.headers.get(METHOD), "aws:kms");
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
    assert.equal(answer.headers.get(`${METHOD}-bucket-key-enabled`), "true");
  }
  for (const answer of [
    await on.put("said", "x", CLIENT),
    await on.call("GET", "said", CLIENT),
    await on.call("HEAD", "said", CLIENT),
  ]) {
    assert.equal(answer.headers.get(METHOD), undefined);
    assert.equal(answer.headers.get(`${METHOD}-customer-algorithm`), "AES256");
    const md5 = createHash("md5").update(KEY).digest("base64");
    assert.equal(answer.headers.get(`${METHOD}-customer-key-md5`), md5);
    assert.equal(answer.headers.get(`${METHOD}-customer-key`), undefined);
  }
  assert.equal((await on.put("plain", "x", [])).headers.get(METHOD), undefined);
});

test("entity tags are MD5s with the store's key only, and stay as they are", async () => {
  const body = "the same body";
  const plain = `"${md5Hex(Buffer.from(body))}"`;
  assert.equal((await on.put("tag", body, AES256)).headers.get("etag"), plain);
  for (const [write, read] of [
    [KMS, []],
    [CLIENT, CLIENT],
  ] as const) {
    const etag = (await on.put("tag", body, write)).headers.get("etag") ?? "";
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    assert.notEqual(etag, plain);
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await on.call(method, "tag", read)).headers.get("etag"), etag);
    }
    const same = await on.call("GET", "tag", [["If-None-Match", etag], ...read]);
    assert.equal(same.status, 304);
  }
});

test("a key is named by name, alias or ARN; without one the default key is used", async () => {
  for (const id of [
    "payroll",
    "alias/payroll",
    KEY_ARN,
    "arn:aws:kms:eu-west-1:77:alias/payroll",
  ]) {
    const answer = await on.put("named", "x", [
      [METHOD, "aws:kms"],
      [`${METHOD}-aws-kms-key-id`, id],
    ]);
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
  }
  const standard = await on.put("named", "x", [[METHOD, "aws:kms"]]);
  assert.equal(
    standard.headers.get(`${METHOD}-aws-kms-key-id`),
    "arn:aws:kms:us-east-1:0:key/aws/s3",
  );
  assert.equal((await on.call("GET", "named")).text, "x");
});

test("a key that is not there, or is the store's own, is KMS.NotFoundException", async () => {
  for (const id of ["nobody", "dolium/s3", "arn:aws:s3:::x", "-"]) {
    const headers: Headers = [
      [METHOD, "aws:kms"],
      [`${METHOD}-aws-kms-key-id`, id],
    ];
    const target = pathOf(on.bucket, "unknown");
    const putting = on.s3.call({ method: "PUT", target, headers, body: "x" });
    await refused(putting, 400, "KMS.NotFoundException");
    const creating = on.s3.call({ method: "POST", target: `${target}?uploads`, headers });
    await refused(creating, 400, "KMS.NotFoundException");
  }
  await refused(on.call("GET", "unknown"), 404, "NoSuchKey");
});

test("the encryption context is checked and repeated", async () => {
  const context = Buffer.from('{"team":"pay"}').toString("base64");
  const headers: Headers = [...KMS, [`${METHOD}-context`, context]];
  const answer = await on.put("context", "in context", headers);
  assert.equal(answer.headers.get(`${METHOD}-context`), context);
  assert.equal((await on.call("GET", "context")).text, "in context");
  const bad: Headers = [...KMS, [`${METHOD}-context`, "e30"]];
  const target = pathOf(on.bucket, "context");
  await refused(
    on.s3.call({ method: "PUT", target, headers: bad, body: "x" }),
    400,
    "InvalidArgument",
  );
});

test("without the client's key nothing is read", async () => {
  await on.put("closed", "only with the key", CLIENT);
  await refused(on.call("GET", "closed"), 400, "InvalidRequest");
  await refused(on.call("GET", "closed", clientKey(OTHER_KEY)), 403, "AccessDenied");
  assert.equal((await on.call("HEAD", "closed")).status, 400);
  assert.equal((await on.call("HEAD", "closed", clientKey(OTHER_KEY))).status, 403);
  const notModified: Headers = [["If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"]];
  await refused(on.call("GET", "closed", notModified), 400, "InvalidRequest");
  const broken = CLIENT.filter(([name]) => !name.endsWith("MD5"));
  await refused(on.call("GET", "closed", broken), 400, "InvalidArgument");
});

test("a client's key is refused where it does not apply", async () => {
  await on.put("open", "x", []);
  await on.put("managed", "x", AES256);
  await refused(on.call("GET", "open", CLIENT), 400, "InvalidRequest");
  await refused(on.call("GET", "managed", CLIENT), 400, "InvalidRequest");
  const both = on.s3.call({
    method: "PUT",
    target: pathOf(on.bucket, "open"),
    headers: [...CLIENT, ...AES256],
    body: "x",
  });
  await refused(both, 400, "InvalidArgument");
});

test("reads and deletes take no method of encryption", async () => {
  await on.put("method", "x", AES256);
  for (const method of ["GET", "DELETE"]) {
    await refused(on.call(method, "method", AES256), 400, "InvalidArgument");
  }
  assert.equal((await on.call("HEAD", "method", AES256)).status, 400);
});

test("a copy is sealed as its own request says, from any kind to any", async () => {
  const body = randomBytes(100_000);
  const kinds: readonly (readonly [string, Headers, Headers, Headers])[] = [
    ["plain", [], [], []],
    ["AES256", AES256, [], []],
    ["kms", KMS, [], []],
    ["client", CLIENT, CLIENT, sourceKey(KEY)],
  ];
  for (const [from, write, , source] of kinds) {
    await on.put(`from ${from}`, body, write);
    for (const [to, target, read] of kinds) {
      const copied = await on.copy(`to ${to}`, `from ${from}`, [...target, ...source]);
      assert.equal(copied.status, 200, `${from} to ${to}: ${copied.text}`);
      const got = await on.call("GET", `to ${to}`, read);
      assert.equal(got.status, 200, got.text);
      assert.equal(Buffer.compare(got.body, body), 0, `${from} to ${to}`);
      const method = target.find(([name]) => name === METHOD)?.[1];
      assert.equal(copied.headers.get(METHOD), method);
      assert.equal(got.headers.get(METHOD), method);
    }
  }
});

test("the source of a copy opens with its own key only", async () => {
  await on.put("source", "sealed source", CLIENT);
  await refused(on.copy("target", "source"), 400, "InvalidRequest");
  await refused(on.copy("target", "source", CLIENT), 400, "InvalidRequest");
  await refused(on.copy("target", "source", sourceKey(OTHER_KEY)), 403, "AccessDenied");
  await on.put("open source", "x", []);
  await refused(on.copy("target", "open source", sourceKey(KEY)), 400, "InvalidRequest");
});

test("an object is sealed anew by copying it to itself", async () => {
  await on.put("anew", "keeps its bytes", []);
  await refused(on.copy("anew", "anew"), 400, "InvalidRequest");
  assert.equal((await on.copy("anew", "anew", CLIENT)).status, 200);
  await refused(on.call("GET", "anew"), 400, "InvalidRequest");
  const rekeyed = await on.copy("anew", "anew", [...sourceKey(KEY), ...clientKey(OTHER_KEY)]);
  assert.equal(rekeyed.status, 200, rekeyed.text);
  await refused(on.call("GET", "anew", CLIENT), 403, "AccessDenied");
  assert.equal((await on.call("GET", "anew", clientKey(OTHER_KEY))).text, "keeps its bytes");
  const range: Headers = [["x-amz-metadata-directive", "REPLACE"]];
  const opened = await on.copy("anew", "anew", [...sourceKey(OTHER_KEY), ...range]);
  assert.equal(opened.status, 200, opened.text);
  assert.equal((await on.call("GET", "anew")).text, "keeps its bytes");
});

async function putIn(
  own: string,
  key: string,
  body: Uint8Array | string,
  headers: Headers,
): Promise<Answer> {
  const answer = await on.s3.call({ method: "PUT", target: pathOf(own, key), headers, body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

async function setDefault(into: string, rule: string): Promise<void> {
  const root = "ServerSideEncryptionConfiguration";
  const body = `<${root}><Rule>${rule}</Rule></${root}>`;
  const answer = await on.s3.call({ method: "PUT", target: `/${into}?encryption`, body });
  assert.equal(answer.status, 200, answer.text);
}

test("the bucket's default seals what does not say, and what is said goes before", async () => {
  const own = await makeBucket(on.s3);
  const byDefault = (inner: string): string =>
    `<ApplyServerSideEncryptionByDefault>${inner}</ApplyServerSideEncryptionByDefault>`;
  await setDefault(own, byDefault("<SSEAlgorithm>AES256</SSEAlgorithm>"));
  const body = randomBytes(100_000);
  const sealed = await putIn(own, "default", body, []);
  assert.equal(sealed.headers.get(METHOD), "AES256");
  assert.ok(!on.isStored(body.subarray(0, 32)));
  assert.equal((await putIn(own, "said", "x", KMS)).headers.get(METHOD), "aws:kms");
  await setDefault(
    own,
    `${byDefault(
      "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/payroll</KMSMasterKeyID>",
    )}<BucketKeyEnabled>true</BucketKeyEnabled>`,
  );
  const named = await putIn(own, "default", "x", []);
  assert.equal(named.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
  assert.equal(named.headers.get(`${METHOD}-bucket-key-enabled`), "true");
  const without: Headers = [[`${METHOD}-bucket-key-enabled`, "false"]];
  const unsaid = await putIn(own, "default", "x", without);
  assert.equal(unsaid.headers.get(METHOD), "aws:kms");
  assert.equal(unsaid.headers.get(`${METHOD}-bucket-key-enabled`), undefined);
  assert.equal((await putIn(own, "said", "x", AES256)).headers.get(METHOD), "AES256");
  assert.equal((await putIn(own, "said", "x", CLIENT)).headers.get(METHOD), undefined);
  const got = await on.s3.get(own, "default");
  assert.equal(got.text, "x");
});

test("a bucket may refuse clients' keys", async () => {
  const own = await makeBucket(on.s3);
  const blocked = "<EncryptionType>SSE-C</EncryptionType>";
  await setDefault(own, `<BlockedEncryptionTypes>${blocked}</BlockedEncryptionTypes>`);
  const target = pathOf(own, "k");
  const putting = on.s3.call({ method: "PUT", target, headers: CLIENT, body: "x" });
  await refused(putting, 403, "AccessDenied");
});

test("after a rotation old objects open still and new ones have the new version", async () => {
  await on.kms.create("rotating");
  const headers: Headers = [
    [METHOD, "aws:kms"],
    [`${METHOD}-aws-kms-key-id`, "rotating"],
  ];
  await on.put("before", "sealed before", headers);
  await on.kms.rotate("rotating");
  // A gateway that has not seen the key yet: the running one learns of it within ten seconds.
  const later = await startGatewayOver(on.metadata);
  try {
    const caller = callerOf(`http://${later.running.address}`);
    const target = pathOf(on.bucket, "after");
    const putting = await caller.call({ method: "PUT", target, headers, body: "sealed after" });
    assert.equal(putting.status, 200, putting.text);
    assert.equal((await caller.get(on.bucket, "before")).text, "sealed before");
  } finally {
    await later.stop();
  }
  assert.equal((await on.call("GET", "after")).text, "sealed after");
});

test("a body that is not what was said is not kept, sealed or not", async () => {
  const headers: Headers = [...AES256, ["Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="]];
  for (const body of ["small", randomBytes(100_000)]) {
    await refused(on.call("PUT", "wrong", headers, body), 400, "BadDigest");
  }
  await refused(on.call("GET", "wrong"), 404, "NoSuchKey");
});

test("checksums are those of the plain bytes", async () => {
  const body = randomBytes(100_000);
  const digest = createHash("sha256").update(body).digest("base64");
  for (const [, write, read] of KINDS) {
    await on.put("summed", body, [...write, ["x-amz-checksum-sha256", digest]]);
    const got = await on.call("GET", "summed", [["x-amz-checksum-mode", "ENABLED"], ...read]);
    assert.equal(got.headers.get("x-amz-checksum-sha256"), digest);
  }
});

test("a changed byte in the store never reaches a client", async () => {
  const body = randomBytes(2 * BLOCK);
  const known = new Set(on.gateway.bodies.bodies.keys());
  await on.put("damaged", body, AES256);
  const [id = ""] = [...on.gateway.bodies.bodies.keys()].filter((name) => !known.has(name));
  const stored = on.gateway.bodies.bodies.get(id) ?? new Uint8Array(0);
  assert.ok(stored.byteLength > body.byteLength);
  stored[100] = (stored[100] ?? 0) ^ 1;
  const first = await on.call("GET", "damaged");
  assert.equal(first.status, 500, "the first block is wrong: nothing was sent yet");
  const second = await on.call("GET", "damaged", [["Range", `bytes=${BLOCK}-`]]);
  assert.equal(second.status, 206);
  assert.equal(Buffer.compare(second.body, body.subarray(BLOCK)), 0);
});

test("without a cluster key only clients' keys seal, and nothing sealed with it opens", async () => {
  await on.put("with key", "x", AES256);
  const bare = await startGatewayOver(on.metadata, {}, { clusterKey: undefined });
  try {
    const caller = callerOf(`http://${bare.running.address}`);
    for (const headers of [AES256, KMS]) {
      const target = pathOf(on.bucket, "bare");
      const putting = caller.call({ method: "PUT", target, headers, body: "x" });
      await refused(putting, 501, "NotImplemented");
    }
    await refused(caller.get(on.bucket, "with key"), 500, "InternalError");
    const target = pathOf(on.bucket, "bare");
    const own = await caller.call({ method: "PUT", target, headers: CLIENT, body: "own" });
    assert.equal(own.status, 200, own.text);
    assert.equal((await caller.get(on.bucket, "bare", CLIENT)).text, "own");
  } finally {
    await bare.stop();
  }
});

test("clients' keys are refused over plain HTTP from elsewhere, unless allowed", async (t) => {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => address.family === "IPv4" && !address.internal)?.address;
  if (outside === undefined) {
    t.skip("this machine has no address but loopback");
    return;
  }
  for (const customerKeysOverHttp of [false, true]) {
    const open = await startGatewayOver(on.metadata, { address: outside, customerKeysOverHttp });
    try {
      const caller = callerOf(`http://${open.running.address}`);
      const target = pathOf(on.bucket, "elsewhere");
      const answer = await caller.call({ method: "PUT", target, headers: CLIENT, body: "x" });
      assert.equal(answer.status, customerKeysOverHttp ? 200 : 400, answer.text);
      assert.equal(answer.code, customerKeysOverHttp ? undefined : "InvalidRequest");
    } finally {
      await open.stop();
    }
  }
});

test("the AWS SDK puts and gets with each kind", async () => {
  const { accessKeyId, secret } = ROOT_USER;
  const sdk = new S3Client({
    endpoint: on.s3.target.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey: secret },
    forcePathStyle: true,
    maxAttempts: 1,
  });
  const own = { SSECustomerAlgorithm: "AES256", SSECustomerKey: KEY.toString("base64") };
  const kinds = [
    [{ ServerSideEncryption: "AES256" as const }, {}],
    [{ ServerSideEncryption: "aws:kms" as const, SSEKMSKeyId: "payroll" }, {}],
    [own, own],
  ] as const;
  try {
    for (const [write, read] of kinds) {
      const place = { Bucket: on.bucket, Key: "sdk" };
      await sdk.send(new PutObjectCommand({ ...place, ...write, Body: "by the SDK" }));
      const got = await sdk.send(new GetObjectCommand({ ...place, ...read }));
      assert.equal(await got.Body?.transformToString(), "by the SDK");
    }
  } finally {
    sdk.destroy();
  }
});

test("no key and no secret is in the log", () => {
  const text = JSON.stringify(on.gateway.log.lines);
  for (const key of [KEY, OTHER_KEY, CLUSTER_KEY]) {
    assert.ok(!text.includes(Buffer.from(key).toString("base64")));
    assert.ok(!text.includes(Buffer.from(key).toString("hex")));
  }
});
