// Signatures of requests: whatever is taken must be a seed's request in all that it signed, because
// nothing here can make a signature anew.
import assert from "node:assert/strict";
import { type HeaderField, HeaderList } from "../../services/lib/s3/headers.ts";
import { parseRequestTarget } from "../../services/lib/s3/request-target.ts";
import { verifyV2 } from "../../services/lib/s3/sigv2/verify-v2.ts";
import { canonicalPaths } from "../../services/lib/s3/sigv4/canonical-request.ts";
import { parseAuthorization } from "../../services/lib/s3/sigv4/claim.ts";
import { presign, signHeaders } from "../../services/lib/s3/sigv4/sign.ts";
import { verifyV4 } from "../../services/lib/s3/sigv4/verify.ts";
import { type Call, IDENTITY, NOW_MS, SECRET } from "../unit/s3/signed-calls.ts";
import type { FuzzTarget } from "./fuzz.ts";

/** A request as lines: method and target, then headers. */
function textOf({ method, target, headers }: Call): string {
  return [`${method} ${target}`, ...headers.map(([name, value]) => `${name}:${value}`)].join("\n");
}

function callOf(text: string): Call {
  const [first = "", ...lines] = text.split("\n");
  const [method = "", ...target] = first.split(" ");
  const headers = lines.map((line): HeaderField => {
    const colon = line.indexOf(":");
    return colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1)];
  });
  return { method, target: target.join(" "), headers };
}

const PLAIN: readonly Call[] = [
  { method: "PUT", target: "/b/k?x=1", headers: [["Host", "h:9000"]] },
  { method: "GET", target: "/b/a%20b/%C3%A9?list-type=2&prefix=a%2Fb", headers: [["Host", "h"]] },
  {
    method: "PUT",
    target: "/b/k",
    headers: [
      ["Host", "h:9000"],
      ["x-amz-meta-a", "  b   c "],
      ["Content-Type", "text/plain"],
      ["x-amz-acl", "public-read"],
    ],
  },
];

const SIGNED: readonly Call[] = PLAIN.flatMap((call) => [
  { ...call, headers: signHeaders(call, IDENTITY, "UNSIGNED-PAYLOAD").headers },
  { ...call, headers: signHeaders(call, IDENTITY, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").headers },
  { ...call, target: presign(call, IDENTITY, 600) },
]);

const V2: Call = {
  method: "GET",
  target:
    "/b/k?AWSAccessKeyId=AKIDEXAMPLE&Expires=1999999999&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D",
  headers: [
    ["Host", "h"],
    ["Date", "Sat, 31 Jan 2026 23:59:30 GMT"],
  ],
};
const V2_HEADER: Call = {
  ...V2,
  target: "/b/k",
  headers: [...V2.headers, ["Authorization", "AWS AKIDEXAMPLE:AAAAAAAAAAAAAAAAAAAAAAAAAAA="]],
};

const WORDS = [
  ..."X-Amz-Algorithm= X-Amz-Credential= X-Amz-Date= X-Amz-Expires= X-Amz-Signature= & = ? %".split(
    " ",
  ),
  ..."X-Amz-SignedHeaders= X-Amz-Security-Token= AWS4-HMAC-SHA256 AWS4-HMAC-SHA512 Credential=".split(
    " ",
  ),
  ..."SignedHeaders= Signature= aws4_request /s3/ host; ; , %2F %ff %00 .. // GET PUT DELETE".split(
    " ",
  ),
  ..."UNSIGNED-PAYLOAD STREAMING-UNSIGNED-PAYLOAD-TRAILER __proto__ 604801 -1 AWS Expires=".split(
    " ",
  ),
  "\n",
  "\nAuthorization:",
  "\nx-amz-date:",
  "\nx-amz-meta-b:c",
  "\nHost:evil",
  "\nx-amz-content-sha256:",
].map((word) => Buffer.from(word));

/** What a seed signed, by its signature. */
const BY_SIGNATURE = new Map(
  SIGNED.map((call) => {
    const target = parseRequestTarget(call.target);
    const claim = parseAuthorization(new HeaderList(call.headers), target.query);
    assert.ok(claim.kind === "v4-header" || claim.kind === "v4-query");
    return [claim.signature, { call, paths: canonicalPaths(target.rawPath) }] as const;
  }),
);

function checkTaken(signature: string, call: Call, rawPath: string): void {
  const seed = BY_SIGNATURE.get(signature);
  assert.ok(seed !== undefined, "a signature that nobody made");
  assert.equal(call.method, seed.call.method);
  const paths = canonicalPaths(rawPath);
  assert.ok(
    paths.some((path) => seed.paths.includes(path)),
    "another path",
  );
}

export const SIGV4_TARGET: FuzzTarget = {
  name: "sigv4",
  seeds: [...SIGNED, V2, V2_HEADER].map((call) => Buffer.from(textOf(call), "latin1")),
  words: WORDS,
  bytesMax: 16 * 1024,
  run: (input) => {
    const call = callOf(Buffer.from(input).toString("latin1"));
    const target = parseRequestTarget(call.target);
    const headers = new HeaderList(call.headers);
    const claim = parseAuthorization(headers, target.query);
    const signed = { method: call.method, target, headers };
    switch (claim.kind) {
      case "anonymous":
        return { word: "anonymous" };
      case "v2-header":
      case "v2-query":
        verifyV2(claim, signed, { secret: SECRET, nowMs: NOW_MS, hostBucket: undefined });
        throw new Error("a signature of Version 2 that nobody made was taken");
      case "v4-header":
      case "v4-query":
        verifyV4(claim, signed, {
          secret: SECRET,
          nowMs: NOW_MS,
          region: "eu-1",
          strictRegion: true,
        });
        checkTaken(claim.signature, call, target.rawPath);
        return { word: `taken as ${claim.kind}` };
    }
  },
};
