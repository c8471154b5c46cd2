// Group A (1): one gate verifies every action under every kind of authentication. Whatever the
// action, a request that does not prove who sends it reaches nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OPERATIONS } from "../../services/gateway/operations.ts";
import type { HeaderField } from "../../services/lib/s3/headers.ts";
import { type Answer, type Call, Caller } from "../s3/caller.ts";
import { requestOf } from "../s3/row-requests.ts";
import { type Stage, startStage } from "./watched-rows.ts";

let stage: Stage;
let liar: Caller;
let bucket: string;

before(async () => {
  stage = await startStage();
  liar = new Caller({ ...stage.owner.target, secretAccessKey: "not the secret" });
  bucket = await stage.bucket();
});
after(() => stage.stop());

function withHeaders(call: Call, ...headers: HeaderField[]): Call {
  return { ...call, headers: [...(call.headers ?? []), ...headers] };
}

function withQuery(call: Call, query: string): Call {
  const joint = call.target.includes("?") ? "&" : "?";
  return { ...call, target: `${call.target}${joint}${query}` };
}

/** As in a chunked upload; what is signed is the head. */
function streaming(call: Call, payloadHash: string): Call {
  const decoded = ["x-amz-decoded-content-length", "1"] as const;
  return { ...withHeaders(call, decoded), payloadHash };
}

const QUERY = "X-Amz-Credential=ROOTACCESSKEY0000001%2F20260101%2Fus-east-1%2Fs3%2Faws4_request";
const TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** Each tells who sends the request, and does not prove it. */
const PROOFS: readonly (readonly [what: string, send: (call: Call) => Promise<Answer>])[] = [
  ["a header of another secret", (call) => liar.call(call)],
  [
    "a presigned URL of another secret",
    (call) => liar.call({ ...call, target: liar.presign(call), sign: false }),
  ],
  [
    "signed chunks after a bad head",
    (call) => liar.call(streaming(call, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")),
  ],
  [
    "signed chunks and a trailer after a bad head",
    (call) => liar.call(streaming(call, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")),
  ],
  ["unsigned chunks after a bad head", (call) => liar.call(streaming(call, TRAILER))],
  [
    "unsigned chunks with credentials in the query only",
    (call) => {
      const said = streaming(withQuery(call, QUERY), TRAILER);
      const hash = ["x-amz-content-sha256", TRAILER] as const;
      return liar.call({ ...withHeaders(said, hash), sign: false });
    },
  ],
  [
    "version 2 in a header",
    (call) =>
      liar.call({
        ...withHeaders(call, [
          "Authorization",
          "AWS ROOTACCESSKEY0000001:AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ]),
        sign: false,
      }),
  ],
  [
    "version 2 in the query",
    (call) =>
      liar.call({
        ...withQuery(call, "AWSAccessKeyId=ROOTACCESSKEY0000001&Signature=AAAA&Expires=9999999999"),
        sign: false,
      }),
  ],
  [
    "a kind of authorization that nobody knows",
    (call) => liar.call({ ...withHeaders(call, ["Authorization", "Bearer abc"]), sign: false }),
  ],
  [
    "two kinds at once",
    (call) => liar.call(withQuery(call, `${QUERY}&X-Amz-Signature=${"0".repeat(64)}`)),
  ],
  ["nothing", (call) => liar.call({ ...call, sign: false })],
];

for (const [what, send] of PROOFS) {
  test(`(1) CVE-2025-31489 CVE-2026-40344 no action is served for ${what}`, async () => {
    for (const operation of OPERATIONS) {
      stage.watched.reached();
      const answer = await send(requestOf(operation, bucket));
      const shown = `${operation.name}: ${answer.status} ${answer.text.slice(0, 200)}`;
      const isEntries = operation.name === "DeleteObjects" && answer.status === 200;
      if (isEntries) assert.match(answer.text, /<Code>AccessDenied</, shown);
      else assert.ok(answer.status === 403 || answer.status === 400, shown);
      assert.deepEqual(stage.watched.reached(), [], shown);
    }
  });
}

test("(1) CVE-2026-41145 a body is not taken for credentials that are in the query alone", async () => {
  const call = streaming(
    { method: "PUT", target: `/${bucket}/planted?${QUERY}`, body: "x" },
    TRAILER,
  );
  const hash = ["x-amz-content-sha256", TRAILER] as const;
  const answer = await liar.call({ ...withHeaders(call, hash), sign: false });
  assert.ok(answer.status === 400 || answer.status === 403, answer.text);
  assert.equal((await stage.owner.get(bucket, "planted")).status, 404);
});

test("(1) the same requests with the secret are served, so the refusals mean something", async () => {
  for (const operation of OPERATIONS) {
    if (operation.scope === "form") continue;
    const call = requestOf(operation, await stage.bucket());
    const answer = await stage.owner.call(call);
    const presigned = { ...call, target: stage.owner.presign(call), sign: false };
    const second = await stage.owner.call(presigned);
    for (const { status, code, text } of [answer, second]) {
      // No object here is in an archive, which is a refusal of another kind.
      const isServed = status !== 403 || code === "InvalidObjectState";
      assert.ok(isServed, `${operation.name}: ${text}`);
    }
  }
});
