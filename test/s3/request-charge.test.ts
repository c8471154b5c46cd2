// Requester Pays: who agrees to be charged is told that it was, where the bucket's requesters pay.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { type Answer, type Call, Caller, pathOf, textAt } from "./caller.ts";
import { makeBucket, startCluster, type TestCluster } from "./harness.ts";

const CHARGED = "x-amz-request-charged";
const PAYER = ["x-amz-request-payer", "requester"] as const;

let cluster: TestCluster;
let s3: Caller;
let paying: string;
let free: string;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
  [paying, free] = [await makeBucket(s3), await makeBucket(s3)];
  const body =
    "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>";
  const set = await s3.call({ method: "PUT", target: `/${paying}?requestPayment`, body });
  assert.equal(set.status, 200, set.text);
});
after(() => cluster.stop());

/** As `call`, agreeing to be charged. */
function agreeing(call: Call): Promise<Answer> {
  return s3.call({ ...call, headers: [PAYER, ...(call.headers ?? [])] });
}

test("objects and listings say that the requester was charged", async () => {
  const target = pathOf(paying, "key");
  const deletion = "<Delete><Object><Key>gone</Key></Object></Delete>";
  const md5 = createHash("md5").update(deletion).digest("base64");
  const calls: readonly Call[] = [
    { method: "PUT", target, body: "x" },
    { target },
    { method: "HEAD", target },
    { target: `${target}?tagging` },
    { target: `/${paying}` },
    { target: `/${paying}?list-type=2` },
    { target: `/${paying}?versions` },
    { target: `/${paying}?uploads` },
    { method: "POST", target: `${target}?uploads` },
    {
      method: "POST",
      target: `/${paying}?delete`,
      body: deletion,
      headers: [["Content-MD5", md5]],
    },
    { method: "DELETE", target },
  ];
  for (const call of calls) {
    const answer = await agreeing(call);
    const shown = `${call.method ?? "GET"} ${call.target}`;
    assert.ok(answer.status < 300, `${shown}: ${answer.text}`);
    assert.equal(answer.headers.get(CHARGED), "requester", shown);
  }
});

test("a presigned URL agrees by a parameter", async () => {
  await s3.put(paying, "signed", "x");
  const target = s3.presign({
    target: `${pathOf(paying, "signed")}?x-amz-request-payer=requester`,
  });
  const answer = await s3.call({ target, sign: false });
  assert.equal(answer.text, "x");
  assert.equal(answer.headers.get(CHARGED), "requester");
});

test("nobody is charged without agreeing, in other buckets, or for a refusal", async () => {
  await s3.put(paying, "key", "x");
  await s3.put(free, "key", "x");
  assert.equal((await s3.get(paying, "key")).headers.has(CHARGED), false);
  assert.equal((await s3.get(free, "key", [PAYER])).headers.has(CHARGED), false);
  const missing = await s3.get(paying, "missing", [PAYER]);
  assert.equal(missing.code, "NoSuchKey");
  assert.equal(missing.headers.has(CHARGED), false);
  const setting = await agreeing({ target: `/${paying}?requestPayment` });
  assert.equal(setting.headers.has(CHARGED), false);
});

test("a copy is charged once, wherever it is read or written", async () => {
  await s3.put(paying, "from", "x");
  await s3.put(free, "from", "x");
  for (const [from, to, charged] of [
    [paying, free, "requester"],
    [free, paying, "requester"],
    [paying, paying, "requester"],
    [free, free, undefined],
  ] as const) {
    const copySource = ["x-amz-copy-source", `${from}/from`] as const;
    const target = pathOf(to, "copy");
    const copy = await agreeing({ method: "PUT", target, headers: [copySource] });
    assert.equal(copy.status, 200, copy.text);
    assert.equal(copy.headers.get(CHARGED), charged);
  }
});

test("a payer who is not the requester is refused, and nothing done", async () => {
  const headers = [["x-amz-request-payer", "somebody"]] as const;
  const target = pathOf(paying, "never");
  const refused = await s3.call({ method: "PUT", target, headers, body: "x" });
  assert.equal(refused.code, "InvalidArgument");
  assert.equal(textAt(refused.xml(), "ArgumentName"), "x-amz-request-payer");
  assert.equal((await s3.get(paying, "never")).status, 404);
});
