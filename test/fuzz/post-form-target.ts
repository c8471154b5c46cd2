// POST forms: whatever way a form is cut it reads the same, and what its policy lets through is a
// form that was signed as it is.
import assert from "node:assert/strict";
import { isS3Error } from "../../services/lib/s3/errors.ts";
import { formHeaders, formKey } from "../../services/lib/s3/post-form/form-fields.ts";
import { type PostForm, PostFormParser } from "../../services/lib/s3/post-form/form-parser.ts";
import { checkFormPolicy, parseFormPolicy } from "../../services/lib/s3/post-form/form-policy.ts";
import {
  parseFormClaim,
  verifyFormSignature,
} from "../../services/lib/s3/post-form/form-signature.ts";
import { deriveSigningKey, hmacSha256 } from "../../services/lib/s3/sigv4/signing-key.ts";
import { NOW_MS, SECRET } from "../unit/s3/signed-calls.ts";
import type { FuzzTarget } from "./fuzz.ts";

const TYPE = "multipart/form-data; boundary=----b";
const CREDENTIAL = "AKIDEXAMPLE/20260131/eu-1/s3/aws4_request";
const DATE = "20260131T235930Z";

const POLICY = Buffer.from(
  JSON.stringify({
    expiration: "2026-02-01T00:00:00Z",
    conditions: [
      { bucket: "b" },
      ["starts-with", "$key", "up/"],
      ["content-length-range", 0, 1000],
      { "x-amz-algorithm": "AWS4-HMAC-SHA256" },
      { "x-amz-credential": CREDENTIAL },
      { "x-amz-date": DATE },
    ],
  }),
).toString("base64");

function signatureOf(policy: string): string {
  const key = deriveSigningKey(SECRET, { date: "20260131", region: "eu-1", service: "s3" });
  return Buffer.from(hmacSha256(key, policy)).toString("hex");
}

const SIGNATURE = signatureOf(POLICY);

function formOf(fields: readonly (readonly [string, string])[]): Buffer {
  const parts = fields.map(
    ([name, value]) =>
      `------b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const file = '------b\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n';
  return Buffer.from(
    `${parts.join("")}${file}Content-Type: text/plain\r\n\r\nhello\r\n------b--\r\n`,
  );
}

const SIGNED = [
  ["key", "up/$" + "{filename}"],
  ["policy", POLICY],
  ["x-amz-algorithm", "AWS4-HMAC-SHA256"],
  ["x-amz-credential", CREDENTIAL],
  ["x-amz-date", DATE],
  ["x-amz-signature", SIGNATURE],
] as const;

const WORDS = [
  ...["\r\n", "------b", "--", "\r\n------b--\r\n", '"', ";", "=", "\\", "$" + "{filename}"],
  ...['name="key"', 'name="file"', 'filename="', "filename*=UTF-8''a", "Content-Disposition:"],
  ...["form-data", "Content-Type:", "policy", "x-amz-signature", "AWSAccessKeyId", "signature"],
  ...["bucket", "acl", "success_action_redirect", "x-ignore-a", "__proto__", POLICY.slice(0, 24)],
].map((word) => Buffer.from(word));

interface Outcome {
  readonly form: PostForm | undefined;
  readonly file: string;
  readonly refusal: string | undefined;
}

function read(pieces: readonly Uint8Array[]): Outcome {
  const file: Buffer[] = [];
  try {
    const parser = new PostFormParser(TYPE);
    for (const piece of pieces) for (const view of parser.push(piece)) file.push(Buffer.from(view));
    const form = parser.finish();
    return { form, file: Buffer.concat(file).toString("latin1"), refusal: undefined };
  } catch (error) {
    if (!isS3Error(error)) throw error;
    return { form: undefined, file: "", refusal: error.code };
  }
}

export const POST_FORM_TARGET: FuzzTarget = {
  name: "post-form",
  seeds: [
    formOf(SIGNED),
    formOf([["key", "k"]]),
    formOf([
      ["key", "k"],
      ["acl", "public-read"],
      ["x-amz-meta-a", "b"],
      ["policy", POLICY],
      ["AWSAccessKeyId", "AKIDEXAMPLE"],
      ["signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
    ]),
  ],
  words: WORDS,
  bytesMax: 32 * 1024,
  run: (input) => {
    const cut = input.byteLength === 0 ? 0 : (input[input.byteLength - 1] ?? 0) % input.byteLength;
    const whole = read([input]);
    const halves = read([input.subarray(0, cut), input.subarray(cut)]);
    assert.equal(halves.file, whole.file);
    assert.equal(halves.refusal === undefined, whole.refusal === undefined);
    if (whole.form === undefined) return { word: whole.refusal ?? "" };
    assert.deepEqual(halves.form?.fields.names(), whole.form.fields.names());
    const fields = whole.form.fields.withFileName(whole.form.fileName ?? "");
    formKey(fields);
    formHeaders(fields, whole.form.fileContentType);
    const claim = parseFormClaim(fields);
    if (claim.kind === "anonymous") return { word: "anonymous" };
    verifyFormSignature(claim, { secret: SECRET, region: "eu-1", strictRegion: true });
    assert.equal(claim.policy, POLICY, "a policy that nobody signed");
    checkFormPolicy(parseFormPolicy(claim.policy), fields, { bucket: "b", nowMs: NOW_MS });
    assert.ok(fields.get("key")?.startsWith("up/"), "a key that the policy does not let through");
    return { word: "taken" };
  },
};
