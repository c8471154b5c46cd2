// Server access logs: what a gateway hands over about requests to a bucket that has logging on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OTHER_USER, startGatewayOver } from "../unit/gateway/memory-gateway.ts";
import { type Caller, pathOf } from "./caller.ts";
import { callerOf, makeBucket } from "./harness.ts";
import { StateMetadata } from "./state-metadata.ts";

let metadata: StateMetadata;

before(async () => {
  metadata = await StateMetadata.open();
});
after(() => metadata.close());

async function makeLogged(s3: Caller): Promise<string> {
  const bucket = await makeBucket(s3);
  const sink = await makeBucket(s3);
  const body =
    `<BucketLoggingStatus><LoggingEnabled><TargetBucket>${sink}</TargetBucket>` +
    "<TargetPrefix>logs/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>";
  const answer = await s3.call({ method: "PUT", target: `/${bucket}?logging`, body });
  assert.equal(answer.status, 200, answer.text);
  return bucket;
}

/** Every line about `bucket` that an index group holds. */
async function linesOf(bucket: string): Promise<string[]> {
  const lines: string[] = [];
  for (const groupId of [2, 3]) {
    const value = { limit: 1000 };
    const { entries } = await metadata.query<"listOutbox">(groupId, { case: "listOutbox", value });
    for (const { kind } of entries) {
      if (kind.case === "accessLog") lines.push(...kind.value.lines);
    }
  }
  return lines.filter((line) => line.split(" ")[1] === bucket);
}

test("requests leave a line each, refused ones too, before the gateway stops", async () => {
  const gateway = await startGatewayOver(metadata);
  const s3 = callerOf(gateway);
  const bucket = await makeLogged(s3);
  const target = pathOf(bucket, "a key");
  const headers = [
    ["User-Agent", 'the "agent"'],
    ["Referer", "http://example.org/page"],
  ] as const;
  const put = await s3.call({ method: "PUT", target, body: "0123456789", headers });
  await s3.call({ target, headers: [["Range", "bytes=2-4"]] });
  await s3.call({ target: pathOf(bucket, "missing") });
  await s3.call({ target, sign: false });
  await callerOf(gateway, OTHER_USER).call({ target });
  await s3.call({ target: s3.presign({ target }), sign: false });
  await s3.call({ target: `/${bucket}?versioning` });
  const other = await makeBucket(s3);
  await s3.put(other, "unlogged", "x");
  await gateway.stop();
  const lines = await linesOf(bucket);
  const operations = lines.map((line) => line.split(" ")[7]);
  assert.deepEqual(operations, [
    "REST.PUT.LOGGING_STATUS",
    "REST.PUT.OBJECT",
    "REST.GET.OBJECT",
    "REST.GET.OBJECT",
    "REST.GET.OBJECT",
    "REST.GET.OBJECT",
    "REST.GET.OBJECT",
    "REST.GET.VERSIONING",
  ]);
  const [, written = "", read = "", missing = "", ...denied] = lines;
  const [anonymous = "", stranger = "", presigned = ""] = denied;
  const requestId = put.headers.get("x-amz-request-id") ?? "none";
  assert.ok(written.startsWith(`root_dolium ${bucket} [`), written);
  assert.ok(written.includes(` 127.0.0.1 root_dolium ${requestId} REST.PUT.OBJECT a%20key `));
  assert.ok(written.includes(`"PUT ${target} HTTP/1.1" 200 - - 10 `), written);
  assert.match(written, /"http:\/\/example.org\/page" "the %22agent%22" /);
  assert.match(written, / SigV4 - AuthHeader 127\.0\.0\.1:[0-9]+ - - -$/);
  assert.match(read, / 206 - 3 10 /);
  assert.match(missing, / 404 NoSuchKey [0-9]+ - /);
  assert.match(anonymous, / 127\.0\.0\.1 - .* 403 AccessDenied .* - - - 127/);
  assert.match(stranger, / 127\.0\.0\.1 other_dolium .* 403 AccessDenied /);
  assert.match(presigned, / 200 - 10 10 .* SigV4 - QueryString /);
  assert.deepEqual(await linesOf(other), []);
});

test("visits to a web site are told from requests of the API", async () => {
  const gateway = await startGatewayOver(metadata, { websiteDomains: ["site.example.org"] });
  const s3 = callerOf(gateway);
  const bucket = await makeLogged(s3);
  const body =
    "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";
  await s3.call({ method: "PUT", target: `/${bucket}?website`, body });
  await s3.call({ target: "/page", host: `${bucket}.site.example.org`, sign: false });
  await gateway.stop();
  const line = (await linesOf(bucket)).at(-1) ?? "";
  assert.match(line, / - [0-9A-F]{16} WEBSITE\.GET\.OBJECT page "GET \/page HTTP\/1\.1" 403 /);
});

test("lines are handed over while the gateway runs, within a second or so", async () => {
  const gateway = await startGatewayOver(metadata);
  try {
    const s3 = callerOf(gateway);
    const bucket = await makeLogged(s3);
    const handedOver = gateway.metrics.nextValue("s3_access_log_lines_total", 2);
    await s3.call({ target: `/${bucket}?location` });
    await handedOver;
    assert.equal((await linesOf(bucket)).length, 2);
  } finally {
    await gateway.stop();
  }
});
