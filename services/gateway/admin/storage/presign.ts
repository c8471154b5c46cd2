// Signed addresses for the console, whose pages hold no key: a request of S3, or a form to upload
// by, signed with temporary credentials of the session's own user. What the address may do is
// decided where it is used, by the rules for that user at that time; ending the user's sessions
// ends it.

import { toHex } from "../../../lib/base/bytes.ts";
import * as Type from "../../../lib/base/settings-schema.ts";
import type { HeaderField } from "../../../lib/s3/headers.ts";
import { formatAmzDate, formatIsoDate } from "../../../lib/s3/http-date.ts";
import { presign, type SigningIdentity } from "../../../lib/s3/sigv4/sign.ts";
import { deriveSigningKey, hmacSha256 } from "../../../lib/s3/sigv4/signing-key.ts";
import { uriEncode } from "../../../lib/s3/uri-encoding.ts";
import { newSession } from "../../identity/session-token.ts";
import { callerOf, ROOT_USER } from "../admin-access.ts";
import { type AdminAnswer, json } from "../admin-answer.ts";
import { accessDenied, invalidArgument, notImplemented } from "../admin-error.ts";
import { type AdminContext, type AdminOperation, withBody } from "../admin-operation.ts";
import { body, optional } from "../identity/field-schemas.ts";

const EXPIRES_SECONDS_MAX = 604_800;
const EXPIRES_SECONDS = 900;
const FORM_BYTES_MAX = 5 * 1024 ** 3;
const KEY_CHARACTERS_MAX = 1024;
const FIELDS_MAX = 32;
/** The credentials outlive the address, for clocks that differ and requests under way. */
const GRACE_MS = 15 * 60_000;
const ALGORITHM = "AWS4-HMAC-SHA256";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;
const HEADER_VALUE = /^[\x20-\x7e]{0,2048}$/;

const Expires = optional(Type.Integer({ minimum: 1, maximum: EXPIRES_SECONDS_MAX }));
const Bucket = Type.String({ minLength: 3, maxLength: 63 });
const Words = optional(Type.Record(Type.String(), Type.String({ maxLength: 4096 })));

const PresignBody = body({
  method: Type.Union([
    Type.Literal("GET"),
    Type.Literal("HEAD"),
    Type.Literal("PUT"),
    Type.Literal("POST"),
    Type.Literal("DELETE"),
  ]),
  bucket: Bucket,
  key: optional(Type.String({ minLength: 1, maxLength: KEY_CHARACTERS_MAX })),
  query: Words,
  headers: Words,
  expires: Expires,
});
const FormBody = body({
  bucket: Bucket,
  prefix: Type.String({ maxLength: KEY_CHARACTERS_MAX }),
  bytesMax: Type.Integer({ minimum: 1, maximum: FORM_BYTES_MAX }),
  expires: Expires,
});

export const PRESIGN_OPERATIONS: readonly AdminOperation[] = [
  withBody({
    name: "Presign",
    method: "POST",
    path: "/presign",
    summary: "A signed address of one S3 request, for pages of the console.",
    admission: "caller",
    readOnly: true,
    body: PresignBody,
    run: presignRequest,
  }),
  withBody({
    name: "PresignPost",
    method: "POST",
    path: "/presign/post",
    summary: "A signed form to upload files below a prefix by, with a limit of size and time.",
    admission: "caller",
    body: FormBody,
    run: presignForm,
  }),
];

interface Signer extends SigningIdentity {
  readonly sessionToken: string;
}

/** Credentials of the session's user for `seconds`. Throws AdminError 403 without a session. */
function signerFor(context: AdminContext, seconds: number): Signer {
  const { session, identity } = callerOf(context);
  // A key or token may be bound to less than its user may; its holder signs for himself.
  if (session === undefined) {
    throw accessDenied("Only pages of the console are given signed addresses; sign with your key.");
  }
  const { clock, random, gateway } = context.deps;
  const { sts } = gateway.dependencies;
  if (sts === undefined) throw notImplemented("This gateway makes no temporary credentials.");
  // Of a service account its own name, not that of the user it acts for.
  const name = identity.userName ?? identity.userId;
  const nowMs = clock.wallMs();
  const made = newSession(
    sts.keys,
    {
      subject:
        name === ROOT_USER ? { kind: "root", binding: sts.rootBinding } : { kind: "user", name },
      policies: [],
      issuedMs: nowMs,
      expiresMs: nowMs + seconds * 1000 + GRACE_MS,
    },
    random,
  );
  return {
    accessKeyId: made.accessKeyId,
    secret: made.secretAccessKey,
    sessionToken: made.sessionToken,
    region: gateway.settings.region,
    nowMs,
  };
}

/** Where the page reaches S3: its own origin on the S3 port, else the address of S3. */
function originOf({ deps, request }: AdminContext): { scheme: string; host: string } {
  const host = request.headers.get("host") ?? "";
  if (request.isOnS3Port && host !== "") {
    return { scheme: request.origin.isSecure ? "https" : "http", host };
  }
  if (deps.s3Endpoint !== "") {
    const { protocol, host: named } = new URL(deps.s3Endpoint);
    return { scheme: protocol.slice(0, -1), host: named };
  }
  const { scheme, port } = deps.s3Port();
  return { scheme, host: `${host.replace(/:[0-9]+$/, "")}:${port}` };
}

function checkBucket(bucket: string): void {
  if (!BUCKET.test(bucket)) throw invalidArgument(`"${bucket}" is no name of a bucket`);
}

function fieldsOf(words: Readonly<Record<string, string>> | undefined): [string, string][] {
  const fields = Object.entries(words ?? {});
  if (fields.length > FIELDS_MAX) throw invalidArgument(`more than ${FIELDS_MAX} fields`);
  return fields;
}

function queryOf(words: Readonly<Record<string, string>> | undefined): string[] {
  return fieldsOf(words).map(([name, value]) => {
    if (name === "" || /^x-amz-/i.test(name))
      throw invalidArgument(`the query may not say ${name}`);
    return `${uriEncode(name, false)}=${uriEncode(value, false)}`;
  });
}

function headersOf(words: Readonly<Record<string, string>> | undefined): HeaderField[] {
  return fieldsOf(words).map(([name, value]) => {
    const isOurs = name === "host" || name === "x-amz-security-token";
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value) || isOurs) {
      throw invalidArgument(`the header ${name} cannot be signed`);
    }
    return [name, value];
  });
}

async function presignRequest(
  context: AdminContext,
  wish: Type.Static<typeof PresignBody>,
): Promise<AdminAnswer> {
  const { method, bucket, key, expires = EXPIRES_SECONDS } = wish;
  checkBucket(bucket);
  const signer = signerFor(context, expires);
  const { scheme, host } = originOf(context);
  const path = key === undefined ? `/${bucket}` : `/${bucket}/${uriEncode(key, true)}`;
  const token = `X-Amz-Security-Token=${uriEncode(signer.sessionToken, false)}`;
  const target = `${path}?${[...queryOf(wish.query), token].join("&")}`;
  const headers: HeaderField[] = [["host", host], ...headersOf(wish.headers)];
  const signed = presign({ method, target, headers }, signer, expires);
  return json({ url: `${scheme}://${host}${signed}` });
}

async function presignForm(
  context: AdminContext,
  { bucket, prefix, bytesMax, expires = EXPIRES_SECONDS }: Type.Static<typeof FormBody>,
): Promise<AdminAnswer> {
  checkBucket(bucket);
  if (prefix.includes("$")) throw invalidArgument("the prefix may not hold a dollar sign");
  const signer = signerFor(context, expires);
  const { region, nowMs, accessKeyId } = signer;
  const amzDate = formatAmzDate(nowMs);
  const date = amzDate.slice(0, 8);
  const signedFields = {
    "x-amz-algorithm": ALGORITHM,
    "x-amz-credential": `${accessKeyId}/${date}/${region}/s3/aws4_request`,
    "x-amz-date": amzDate,
    "x-amz-security-token": signer.sessionToken,
  };
  const conditions = [
    { bucket },
    ["starts-with", "$key", prefix],
    ["content-length-range", 0, bytesMax],
    ...Object.entries(signedFields).map(([name, value]) => ({ [name]: value })),
  ];
  const expiration = formatIsoDate(nowMs + expires * 1000);
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
  const key = deriveSigningKey(signer.secret, { date, region, service: "s3" });
  const { scheme, host } = originOf(context);
  // The name of the sent file takes the place of ${filename}.
  const fields = { key: `${prefix}\${filename}`, ...signedFields, policy };
  const signature = toHex(hmacSha256(key, policy));
  return json({
    url: `${scheme}://${host}/${bucket}`,
    fields: { ...fields, "x-amz-signature": signature },
  });
}
