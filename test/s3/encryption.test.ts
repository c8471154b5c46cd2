// Server-side encryption with the store's own key, with named keys and with keys of clients: what is
// stored is sealed, what comes back is what was put, and nobody reads without the key.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { KmsDirectory } from "../../services/lib/clients/kms-directory.ts";
import type { MetadataClient } from "../../services/lib/clients/metadata-client.ts";
import { createClock } from "../../services/lib/host/clock.ts";
import { createRandom } from "../../services/lib/host/random.ts";
import { uriEncode } from "../../services/lib/s3/uri-encoding.ts";
import {
  CLUSTER_KEY,
  type MemoryGateway,
  ROOT_USER,
  startGatewayOver,
} from "../unit/gateway/memory-gateway.ts";
import { type Answer, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

type Headers = readonly (readonly [string, string])[];
type OwnGateway = Omit<MemoryGateway, "metadata">;

const METHOD = "x-amz-server-side-encryption";
const FIVE_MIB = 5 * 1024 * 1024;
const BLOCK = 65_536;
const AES256: Headers = [[METHOD, "AES256"]];
const KMS: Headers = [
  [METHOD, "aws:kms"],
  [`${METHOD}-aws-kms-key-id`, "payroll"],
];
const KEY_ARN = "arn:aws:kms:us-east-1:0:key/payroll";
const KEY = randomBytes(32);
const OTHER_KEY = randomBytes(32);
const CLIENT = clientKey(KEY);

let metadata: StateMetadata;
let gateway: OwnGateway;
let kms: KmsDirectory;
let s3: Caller;
let bucket: string;

function callerOf(endpoint: string): Caller {
  const { accessKeyId, secret } = ROOT_USER;
  return new Caller({ endpoint, accessKeyId, secretAccessKey: secret, region: "us-east-1" });
}

function clientKey(key: Uint8Array, prefix = "x-amz-"): Headers {
  const name = `${prefix}server-side-encryption-customer`;
  return [
    [`${name}-algorithm`, "AES256"],
    [`${name}-key`, Buffer.from(key).toString("base64")],
    [`${name}-key-MD5`, createHash("md5").update(key).digest("base64")],
  ];
}

const sourceKey = (key: Uint8Array): Headers => clientKey(key, "x-amz-copy-source-");
const md5Hex = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

before(async () => {
  metadata = await StateMetadata.open();
  gateway = await startGatewayOver(metadata);
  // The directory calls two methods of its client.
  const client = metadata as unknown as MetadataClient;
  const ports = { metadata: client, clock: createClock(), random: createRandom() };
  kms = new KmsDirectory(ports, CLUSTER_KEY);
  await kms.create("payroll");
  s3 = callerOf(`http://${gateway.running.address}`);
  bucket = await makeBucket(s3);
});
after(async () => {
  await gateway.stop();
  await metadata.close();
});

async function put(
  key: string,
  body: Uint8Array | string,
  headers: Headers,
  into = bucket,
): Promise<Answer> {
  const answer = await s3.call({ method: "PUT", target: pathOf(into, key), headers, body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

async function call(method: string, key: string, headers: Headers = []): Promise<Answer> {
  return s3.call({ method, target: pathOf(bucket, key), headers });
}

async function refused(answer: Promise<Answer>, status: number, code: string): Promise<void> {
  const { status: got, code: gotCode, text } = await answer;
  assert.deepEqual([got, gotCode], [status, code], text);
  assert.ok(!text.includes(KEY.toString("base64")), "a key is in an answer");
}

/** True when some stored body holds these bytes. */
function isStored(bytes: Uint8Array): boolean {
  return [...gateway.bodies.bodies.values()].some((body) => Buffer.from(body).includes(bytes));
}

const KINDS: readonly (readonly [name: string, write: Headers, read: Headers])[] = [
  ["AES256", AES256, []],
  ["aws:kms", KMS, []],
  ["a client's key", CLIENT, CLIENT],
];

for (const [name, write, read] of KINDS) {
  test(`what is put with ${name} comes back, whole and in ranges, and is sealed`, async () => {
    const body = randomBytes(3 * BLOCK + 777);
    await put("long", body, write);
    assert.ok(!isStored(body.subarray(1000, 1032)), "plain bytes are stored");
    const whole = await call("GET", "long", read);
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
      const part = await call("GET", "long", [["Range", `bytes=${first}-${last}`], ...read]);
      assert.equal(part.status, 206, part.text);
      assert.equal(Buffer.compare(part.body, body.subarray(first, last + 1)), 0);
      assert.equal(part.headers.get("content-range"), `bytes ${first}-${last}/${length}`);
    }
    const suffix = await call("GET", "long", [["Range", "bytes=-5"], ...read]);
    assert.equal(Buffer.compare(suffix.body, body.subarray(-5)), 0);
  });

  test(`small and empty bodies are kept with ${name} too`, async () => {
    for (const [key, body] of [
      ["small", "a secret of few bytes"],
      ["empty", ""],
    ] as const) {
      await put(key, body, write);
      const got = await call("GET", key, read);
      assert.equal(got.status, 200, got.text);
      assert.equal(got.text, body);
      const head = await call("HEAD", key, read);
      assert.equal(head.headers.get("content-length"), String(body.length));
    }
    const ranged = await call("GET", "small", [["Range", "bytes=2-7"], ...read]);
    assert.equal(ranged.text, "secret");
  });

  test(`a listing shows plain sizes of objects sealed with ${name}`, async () => {
    await put(`listed ${name}`, randomBytes(70_000), write);
    const prefix = uriEncode(`listed ${name}`, false);
    const list = await s3.call({ target: `/${bucket}?list-type=2&prefix=${prefix}` });
    assert.equal(textAt(list.xml(), "Contents", "Size"), "70000");
  });
}

test("answers say how an object is sealed", async () => {
  for (const answer of [
    await put("said", "x", AES256),
    await call("GET", "said"),
    await call("HEAD", "said"),
  ]) {
    assert.equal(answer.headers.get(METHOD), "AES256");
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), undefined);
  }
  for (const answer of [
    await put("said", "x", [...KMS, [`${METHOD}-bucket-key-enabled`, "true"]]),
    await call("GET", "said"),
  ]) {
    assert.equal(answer.headers.get(METHOD), "aws:kms");
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
    assert.equal(answer.headers.get(`${METHOD}-bucket-key-enabled`), "true");
  }
  for (const answer of [
    await put("said", "x", CLIENT),
    await call("GET", "said", CLIENT),
    await call("HEAD", "said", CLIENT),
  ]) {
    assert.equal(answer.headers.get(METHOD), undefined);
    assert.equal(answer.headers.get(`${METHOD}-customer-algorithm`), "AES256");
    const md5 = createHash("md5").update(KEY).digest("base64");
    assert.equal(answer.headers.get(`${METHOD}-customer-key-md5`), md5);
    assert.equal(answer.headers.get(`${METHOD}-customer-key`), undefined);
  }
  assert.equal((await put("plain", "x", [])).headers.get(METHOD), undefined);
});

test("entity tags are MD5s with the store's key only, and stay as they are", async () => {
  const body = "the same body";
  const plain = `"${md5Hex(Buffer.from(body))}"`;
  assert.equal((await put("tag", body, AES256)).headers.get("etag"), plain);
  for (const [write, read] of [
    [KMS, []],
    [CLIENT, CLIENT],
  ] as const) {
    const etag = (await put("tag", body, write)).headers.get("etag") ?? "";
    assert.match(etag, /^"[0-9a-f]{32}"$/);
    assert.notEqual(etag, plain);
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await call(method, "tag", read)).headers.get("etag"), etag);
    }
    const same = await call("GET", "tag", [["If-None-Match", etag], ...read]);
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
    const answer = await put("named", "x", [
      [METHOD, "aws:kms"],
      [`${METHOD}-aws-kms-key-id`, id],
    ]);
    assert.equal(answer.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
  }
  const standard = await put("named", "x", [[METHOD, "aws:kms"]]);
  assert.equal(
    standard.headers.get(`${METHOD}-aws-kms-key-id`),
    "arn:aws:kms:us-east-1:0:key/aws/s3",
  );
  assert.equal((await call("GET", "named")).text, "x");
});

test("a key that is not there, or is the store's own, is KMS.NotFoundException", async () => {
  for (const id of ["nobody", "dolium/s3", "arn:aws:s3:::x", "-"]) {
    const headers: Headers = [
      [METHOD, "aws:kms"],
      [`${METHOD}-aws-kms-key-id`, id],
    ];
    const target = pathOf(bucket, "unknown");
    const putting = s3.call({ method: "PUT", target, headers, body: "x" });
    await refused(putting, 400, "KMS.NotFoundException");
    const creating = s3.call({ method: "POST", target: `${target}?uploads`, headers });
    await refused(creating, 400, "KMS.NotFoundException");
  }
  await refused(call("GET", "unknown"), 404, "NoSuchKey");
});

test("the encryption context is checked and repeated", async () => {
  const context = Buffer.from('{"team":"pay"}').toString("base64");
  const headers: Headers = [...KMS, [`${METHOD}-context`, context]];
  const answer = await put("context", "in context", headers);
  assert.equal(answer.headers.get(`${METHOD}-context`), context);
  assert.equal((await call("GET", "context")).text, "in context");
  const bad: Headers = [...KMS, [`${METHOD}-context`, "e30"]];
  const target = pathOf(bucket, "context");
  await refused(
    s3.call({ method: "PUT", target, headers: bad, body: "x" }),
    400,
    "InvalidArgument",
  );
});

test("without the client's key nothing is read", async () => {
  await put("closed", "only with the key", CLIENT);
  await refused(call("GET", "closed"), 400, "InvalidRequest");
  await refused(call("GET", "closed", clientKey(OTHER_KEY)), 403, "AccessDenied");
  assert.equal((await call("HEAD", "closed")).status, 400);
  assert.equal((await call("HEAD", "closed", clientKey(OTHER_KEY))).status, 403);
  const notModified: Headers = [["If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"]];
  await refused(call("GET", "closed", notModified), 400, "InvalidRequest");
  const broken = CLIENT.filter(([name]) => !name.endsWith("MD5"));
  await refused(call("GET", "closed", broken), 400, "InvalidArgument");
});

test("a client's key is refused where it does not apply", async () => {
  await put("open", "x", []);
  await put("managed", "x", AES256);
  await refused(call("GET", "open", CLIENT), 400, "InvalidRequest");
  await refused(call("GET", "managed", CLIENT), 400, "InvalidRequest");
  const both = s3.call({
    method: "PUT",
    target: pathOf(bucket, "open"),
    headers: [...CLIENT, ...AES256],
    body: "x",
  });
  await refused(both, 400, "InvalidArgument");
});

test("reads and deletes take no method of encryption", async () => {
  await put("method", "x", AES256);
  for (const method of ["GET", "DELETE"]) {
    await refused(call(method, "method", AES256), 400, "InvalidArgument");
  }
  assert.equal((await call("HEAD", "method", AES256)).status, 400);
});

async function copy(key: string, source: string, headers: Headers = []): Promise<Answer> {
  const from = `/${bucket}/${uriEncode(source, false)}`;
  return call("PUT", key, [["x-amz-copy-source", from], ...headers]);
}

test("a copy is sealed as its own request says, from any kind to any", async () => {
  const body = randomBytes(100_000);
  const kinds: readonly (readonly [string, Headers, Headers, Headers])[] = [
    ["plain", [], [], []],
    ["AES256", AES256, [], []],
    ["kms", KMS, [], []],
    ["client", CLIENT, CLIENT, sourceKey(KEY)],
  ];
  for (const [from, write, , source] of kinds) {
    await put(`from ${from}`, body, write);
    for (const [to, target, read] of kinds) {
      const copied = await copy(`to ${to}`, `from ${from}`, [...target, ...source]);
      assert.equal(copied.status, 200, `${from} to ${to}: ${copied.text}`);
      const got = await call("GET", `to ${to}`, read);
      assert.equal(got.status, 200, got.text);
      assert.equal(Buffer.compare(got.body, body), 0, `${from} to ${to}`);
      const method = target.find(([name]) => name === METHOD)?.[1];
      assert.equal(copied.headers.get(METHOD), method);
      assert.equal(got.headers.get(METHOD), method);
    }
  }
});

test("the source of a copy opens with its own key only", async () => {
  await put("source", "sealed source", CLIENT);
  await refused(copy("target", "source"), 400, "InvalidRequest");
  await refused(copy("target", "source", CLIENT), 400, "InvalidRequest");
  await refused(copy("target", "source", sourceKey(OTHER_KEY)), 403, "AccessDenied");
  await put("open source", "x", []);
  await refused(copy("target", "open source", sourceKey(KEY)), 400, "InvalidRequest");
});

test("an object is sealed anew by copying it to itself", async () => {
  await put("anew", "keeps its bytes", []);
  await refused(copy("anew", "anew"), 400, "InvalidRequest");
  assert.equal((await copy("anew", "anew", CLIENT)).status, 200);
  await refused(call("GET", "anew"), 400, "InvalidRequest");
  const rekeyed = await copy("anew", "anew", [...sourceKey(KEY), ...clientKey(OTHER_KEY)]);
  assert.equal(rekeyed.status, 200, rekeyed.text);
  await refused(call("GET", "anew", CLIENT), 403, "AccessDenied");
  assert.equal((await call("GET", "anew", clientKey(OTHER_KEY))).text, "keeps its bytes");
  const range: Headers = [["x-amz-metadata-directive", "REPLACE"]];
  const opened = await copy("anew", "anew", [...sourceKey(OTHER_KEY), ...range]);
  assert.equal(opened.status, 200, opened.text);
  assert.equal((await call("GET", "anew")).text, "keeps its bytes");
});

async function setDefault(into: string, rule: string): Promise<void> {
  const body = `<ServerSideEncryptionConfiguration><Rule>${rule}</Rule></ServerSideEncryptionConfiguration>`;
  const answer = await s3.call({ method: "PUT", target: `/${into}?encryption`, body });
  assert.equal(answer.status, 200, answer.text);
}

test("the bucket's default seals what does not say, and what is said goes before", async () => {
  const own = await makeBucket(s3);
  const byDefault = (inner: string): string =>
    `<ApplyServerSideEncryptionByDefault>${inner}</ApplyServerSideEncryptionByDefault>`;
  await setDefault(own, byDefault("<SSEAlgorithm>AES256</SSEAlgorithm>"));
  const body = randomBytes(100_000);
  const sealed = await put("default", body, [], own);
  assert.equal(sealed.headers.get(METHOD), "AES256");
  assert.ok(!isStored(body.subarray(0, 32)));
  assert.equal((await put("said", "x", KMS, own)).headers.get(METHOD), "aws:kms");
  await setDefault(
    own,
    `${byDefault(
      "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>alias/payroll</KMSMasterKeyID>",
    )}<BucketKeyEnabled>true</BucketKeyEnabled>`,
  );
  const named = await put("default", "x", [], own);
  assert.equal(named.headers.get(`${METHOD}-aws-kms-key-id`), KEY_ARN);
  assert.equal(named.headers.get(`${METHOD}-bucket-key-enabled`), "true");
  assert.equal((await put("said", "x", AES256, own)).headers.get(METHOD), "AES256");
  assert.equal((await put("said", "x", CLIENT, own)).headers.get(METHOD), undefined);
  const got = await s3.get(own, "default");
  assert.equal(got.text, "x");
});

test("a bucket may refuse clients' keys", async () => {
  const own = await makeBucket(s3);
  const blocked = "<EncryptionType>SSE-C</EncryptionType>";
  await setDefault(own, `<BlockedEncryptionTypes>${blocked}</BlockedEncryptionTypes>`);
  const target = pathOf(own, "k");
  const putting = s3.call({ method: "PUT", target, headers: CLIENT, body: "x" });
  await refused(putting, 403, "AccessDenied");
});

async function createUpload(key: string, headers: Headers): Promise<string> {
  const target = `${pathOf(bucket, key)}?uploads`;
  const answer = await s3.call({ method: "POST", target, headers });
  assert.equal(answer.status, 200, answer.text);
  for (const [name, value] of headers.filter(([header]) => header === METHOD)) {
    assert.equal(answer.headers.get(name), value);
  }
  return textAt(answer.xml(), "UploadId") ?? "";
}

interface PartPlace {
  readonly key: string;
  readonly uploadId: string;
  readonly number: number;
}

function uploadPart(
  { key, uploadId, number }: PartPlace,
  headers: Headers,
  body?: Uint8Array,
): Promise<Answer> {
  const target = `${pathOf(bucket, key)}?partNumber=${number}&uploadId=${uploadId}`;
  return s3.call({ method: "PUT", target, headers, ...(body === undefined ? {} : { body }) });
}

function complete(
  { key, uploadId }: Omit<PartPlace, "number">,
  etags: readonly string[],
  headers: Headers = [],
): Promise<Answer> {
  const parts = etags.map(
    (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
  const target = `${pathOf(bucket, key)}?uploadId=${uploadId}`;
  return s3.call({ method: "POST", target, body, headers });
}

for (const [name, write, read] of KINDS) {
  test(`parts are sealed with ${name}, and read whole, in ranges and one by one`, async () => {
    const key = `parts ${name}`;
    const uploadId = await createUpload(key, write);
    const parts = [randomBytes(FIVE_MIB), randomBytes(FIVE_MIB + BLOCK), randomBytes(1000)];
    await put("part source", parts[2] ?? "", write);
    const etags: string[] = [];
    for (const [at, body] of parts.entries()) {
      const place = { key, uploadId, number: at + 1 };
      const source = `/${bucket}/part%20source`;
      const sent =
        at < 2
          ? await uploadPart(place, read, body)
          : await uploadPart(place, [
              ["x-amz-copy-source", source],
              ...read,
              ...(read.length > 0 ? sourceKey(KEY) : []),
            ]);
      assert.equal(sent.status, 200, sent.text);
      etags.push(at < 2 ? (sent.headers.get("etag") ?? "") : (textAt(sent.xml(), "ETag") ?? ""));
    }
    assert.equal(etags[0] === `"${md5Hex(parts[0] ?? KEY)}"`, name === "AES256");
    const done = await complete({ key, uploadId }, etags);
    assert.equal(done.status, 200, done.text);
    assert.ok(!isStored((parts[0] ?? KEY).subarray(0, 32)));
    const whole = Buffer.concat(parts);
    const got = await call("GET", key, read);
    assert.equal(Buffer.compare(got.body, whole), 0);
    assert.match(got.headers.get("etag") ?? "", /^"[0-9a-f]{32}-3"$/);
    const [first, last] = [FIVE_MIB - 10, 2 * FIVE_MIB + BLOCK + 9];
    const ranged = await call("GET", key, [["Range", `bytes=${first}-${last}`], ...read]);
    assert.equal(ranged.status, 206, ranged.text);
    assert.equal(Buffer.compare(ranged.body, whole.subarray(first, last + 1)), 0);
    const target = `${pathOf(bucket, key)}?partNumber=2`;
    const second = await s3.call({ target, headers: read });
    assert.equal(Buffer.compare(second.body, parts[1] ?? KEY), 0);
    assert.equal(second.headers.get("x-amz-mp-parts-count"), "3");
  });
}

test("parts come with the key that the upload began with, or are refused", async () => {
  const body = randomBytes(100);
  const uploadId = await createUpload("kept", CLIENT);
  const place = { key: "kept", uploadId, number: 1 };
  await refused(uploadPart(place, [], body), 400, "InvalidRequest");
  await refused(uploadPart(place, clientKey(OTHER_KEY), body), 400, "InvalidRequest");
  await refused(uploadPart(place, AES256, body), 400, "InvalidArgument");
  const sent = await uploadPart(place, CLIENT, body);
  assert.equal(sent.status, 200, sent.text);
  const etags = [sent.headers.get("etag") ?? ""];
  await refused(complete(place, etags, clientKey(OTHER_KEY)), 400, "InvalidRequest");
  const done = await complete(place, etags, CLIENT);
  assert.equal(done.status, 200, done.text);
  const plain = { key: "open", uploadId: await createUpload("open", []), number: 1 };
  await refused(uploadPart(plain, CLIENT, body), 400, "InvalidRequest");
  const managed = { key: "open", uploadId: await createUpload("open", AES256), number: 1 };
  await refused(uploadPart(managed, CLIENT, body), 400, "InvalidRequest");
});

test("after a rotation old objects open still and new ones have the new version", async () => {
  await kms.create("rotating");
  const headers: Headers = [
    [METHOD, "aws:kms"],
    [`${METHOD}-aws-kms-key-id`, "rotating"],
  ];
  await put("before", "sealed before", headers);
  await kms.rotate("rotating");
  // A gateway that has not seen the key yet: the running one learns of it within ten seconds.
  const later = await startGatewayOver(metadata);
  try {
    const caller = callerOf(`http://${later.running.address}`);
    const target = pathOf(bucket, "after");
    const putting = await caller.call({ method: "PUT", target, headers, body: "sealed after" });
    assert.equal(putting.status, 200, putting.text);
    assert.equal((await caller.get(bucket, "before")).text, "sealed before");
  } finally {
    await later.stop();
  }
  assert.equal((await call("GET", "after")).text, "sealed after");
});

test("a changed byte in the store never reaches a client", async () => {
  const body = randomBytes(2 * BLOCK);
  const known = new Set(gateway.bodies.bodies.keys());
  await put("damaged", body, AES256);
  const [id = ""] = [...gateway.bodies.bodies.keys()].filter((name) => !known.has(name));
  const stored = gateway.bodies.bodies.get(id) ?? new Uint8Array(0);
  assert.ok(stored.byteLength > body.byteLength);
  stored[100] = (stored[100] ?? 0) ^ 1;
  const first = await call("GET", "damaged");
  assert.equal(first.status, 500, "the first block is wrong: nothing was sent yet");
  const second = await call("GET", "damaged", [["Range", `bytes=${BLOCK}-`]]);
  assert.equal(second.status, 206);
  assert.equal(Buffer.compare(second.body, body.subarray(BLOCK)), 0);
});

test("without a cluster key only clients' keys seal, and nothing sealed with it opens", async () => {
  await put("with key", "x", AES256);
  const bare = await startGatewayOver(metadata, {}, { clusterKey: undefined });
  try {
    const caller = callerOf(`http://${bare.running.address}`);
    for (const headers of [AES256, KMS]) {
      const target = pathOf(bucket, "bare");
      const putting = caller.call({ method: "PUT", target, headers, body: "x" });
      await refused(putting, 501, "NotImplemented");
    }
    await refused(caller.get(bucket, "with key"), 500, "InternalError");
    const target = pathOf(bucket, "bare");
    const own = await caller.call({ method: "PUT", target, headers: CLIENT, body: "own" });
    assert.equal(own.status, 200, own.text);
    assert.equal((await caller.get(bucket, "bare", CLIENT)).text, "own");
  } finally {
    await bare.stop();
  }
});

test("clients' keys are refused over plain HTTP from elsewhere, unless a setting allows it", async (t) => {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => address.family === "IPv4" && !address.internal)?.address;
  if (outside === undefined) {
    t.skip("this machine has no address but loopback");
    return;
  }
  for (const customerKeysOverHttp of [false, true]) {
    const open = await startGatewayOver(metadata, { address: outside, customerKeysOverHttp });
    try {
      const caller = callerOf(`http://${open.running.address}`);
      const target = pathOf(bucket, "elsewhere");
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
    endpoint: s3.target.endpoint,
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
      const place = { Bucket: bucket, Key: "sdk" };
      await sdk.send(new PutObjectCommand({ ...place, ...write, Body: "by the SDK" }));
      const got = await sdk.send(new GetObjectCommand({ ...place, ...read }));
      assert.equal(await got.Body?.transformToString(), "by the SDK");
    }
  } finally {
    sdk.destroy();
  }
});

test("no key and no secret is in the log", () => {
  const text = JSON.stringify(gateway.log.lines);
  for (const key of [KEY, OTHER_KEY, CLUSTER_KEY]) {
    assert.ok(!text.includes(Buffer.from(key).toString("base64")));
    assert.ok(!text.includes(Buffer.from(key).toString("hex")));
  }
});
