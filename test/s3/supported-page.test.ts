// The page of supported actions: open to everyone, complete, and never in the way of a bucket.
// Row B2 of the client list.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import { startMemoryGateway } from "../unit/gateway/memory-gateway.ts";
import { Caller } from "./caller.ts";
import { callerOf, startCluster, type TestCluster } from "./harness.ts";

let cluster: TestCluster;
let s3: Caller;

before(async () => {
  cluster = await startCluster();
  s3 = new Caller(cluster);
});
after(() => cluster.stop());

test("B2: everyone may read which actions there are, as a page", async () => {
  const answer = await s3.call({ target: "/_supported", sign: false });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/html/);
  for (const { name } of OPERATIONS) assert.ok(answer.text.includes(`<td>${name}</td>`), name);
  assert.ok(!/<script|src=|href=/.test(answer.text));
});

for (const [how, call] of [
  ["by Accept", { target: "/_supported", headers: [["Accept", "application/json"]] }],
  ["by ?format=json", { target: "/_supported?format=json" }],
] as const) {
  test(`B2: programs get the list as JSON, ${how}`, async () => {
    const answer = await s3.call({ ...call, sign: false });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type"), "application/json");
    // Checked by what follows.
    const { actions } = JSON.parse(answer.text) as { actions: { name: string; request: string }[] };
    const names = OPERATIONS.map(({ name }) => name).toSorted();
    assert.deepEqual(
      actions.map(({ name }) => name),
      names,
    );
    const versioning = actions.find(({ name }) => name === "GetBucketVersioning");
    assert.equal(versioning?.request, "GET /{bucket}?versioning");
  });
}

test("the page answers GET and HEAD without a signature only", async () => {
  const head = await s3.call({ method: "HEAD", target: "/_supported", sign: false });
  assert.equal(head.status, 200);
  assert.equal(head.body.byteLength, 0);
  const put = await s3.call({ method: "PUT", target: "/_supported", sign: false });
  assert.equal(put.code, "AccessDenied");
  const signed = await s3.call({ target: "/_supported" });
  assert.equal(signed.code, "InvalidBucketName");
});

test("the page can be switched off", async () => {
  const gateway = await startMemoryGateway({ supportedPage: false });
  try {
    const answer = await callerOf(gateway).call({ target: "/_supported", sign: false });
    assert.equal(answer.code, "InvalidBucketName");
  } finally {
    await gateway.stop();
  }
});
