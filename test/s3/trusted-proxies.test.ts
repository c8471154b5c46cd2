// What requests that came through a proxy count as: secrets of clients, and the conditions of
// policies about addresses and TLS. A client's own words about it count for nothing.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Caller, pathOf } from "./caller.ts";
import { makeBucket } from "./harness.ts";
import { IdentityGateway } from "./identity-gateway.ts";

let here: IdentityGateway;
let strict: IdentityGateway;

before(async () => {
  here = await IdentityGateway.start({ s3: { trustedProxies: ["127.0.0.0/8"] } });
  strict = await IdentityGateway.start();
});
after(async () => {
  await here.stop();
  await strict.stop();
});

const FAR: HeaderField = ["X-Forwarded-For", "203.0.113.9"];
const SECURE: HeaderField = ["X-Forwarded-Proto", "https"];

test("keys of clients are taken over TLS to a trusted proxy, not in the open", async () => {
  const bucket = await makeBucket(here.root);
  const key = randomBytes(32);
  const sse = "x-amz-server-side-encryption-customer";
  const sealed: readonly HeaderField[] = [
    [`${sse}-algorithm`, "AES256"],
    [`${sse}-key`, key.toString("base64")],
    [`${sse}-key-md5`, createHash("md5").update(key).digest("base64")],
  ];
  const put = async (...headers: readonly HeaderField[]): Promise<string> => {
    const all = [...sealed, ...headers];
    const call = { method: "PUT", target: pathOf(bucket, "key"), headers: all, body: "text" };
    const answer = await here.root.call(call);
    return answer.code ?? String(answer.status);
  };
  assert.equal(await put(FAR), "InvalidRequest");
  assert.equal(await put(FAR, SECURE), "200");
  assert.equal(await put(), "200", "loopback");
});

async function closedTo(root: Caller, condition: object): Promise<string> {
  const bucket = await makeBucket(root);
  await root.put(bucket, "key", "text");
  const Statement = {
    ...{ Effect: "Deny", Principal: "*", Action: "s3:GetObject" },
    ...{ Resource: `arn:aws:s3:::${bucket}/*`, Condition: condition },
  };
  const body = JSON.stringify({ Version: "2012-10-17", Statement });
  const answer = await root.call({ method: "PUT", target: `/${bucket}?policy`, body });
  assert.equal(answer.status, 204, answer.text);
  return bucket;
}

test("policies see the address and the TLS of the client behind the proxy", async () => {
  const far = await closedTo(here.root, { IpAddress: { "aws:SourceIp": "203.0.113.0/24" } });
  assert.equal((await here.root.get(far, "key", [FAR])).code, "AccessDenied");
  assert.equal((await here.root.get(far, "key")).status, 200);
  const open = await closedTo(here.root, { Bool: { "aws:SecureTransport": "false" } });
  assert.equal((await here.root.get(open, "key", [SECURE])).status, 200);
  assert.equal((await here.root.get(open, "key")).code, "AccessDenied");
});

test("without trusted proxies such headers are a client's own words", async () => {
  const far = await closedTo(strict.root, { NotIpAddress: { "aws:SourceIp": "203.0.113.0/24" } });
  assert.equal((await strict.root.get(far, "key", [FAR])).code, "AccessDenied");
  const open = await closedTo(strict.root, { Bool: { "aws:SecureTransport": "false" } });
  assert.equal((await strict.root.get(open, "key", [SECURE])).code, "AccessDenied");
});
