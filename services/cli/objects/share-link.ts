// Links that work without keys: a presigned GET, and a form that uploads up to a size. They are
// computed here from the keys; nothing is sent. Sources: S3 API reference, "Authenticating
// Requests: Using Query Parameters" and "POST Policy".
import { toHex } from "../../lib/base/bytes.ts";
import { formatAmzDate, formatIsoDate } from "../../lib/s3/http-date.ts";
import { presign } from "../../lib/s3/sigv4/sign.ts";
import { deriveSigningKey, hmacSha256 } from "../../lib/s3/sigv4/signing-key.ts";
import { uriEncode } from "../../lib/s3/uri-encoding.ts";
import type { Keys } from "./connection.ts";
import type { RemoteLocation } from "./location.ts";

export interface LinkBase {
  readonly keys: Keys;
  readonly region: string;
  /** Undefined: Amazon's own. */
  readonly endpoint: string | undefined;
  readonly pathStyle: boolean;
  readonly nowMs: number;
  readonly expiresSeconds: number;
}

export interface GetLink {
  readonly location: RemoteLocation;
  readonly versionId: string | undefined;
  /** The name under which a browser saves it. */
  readonly saveAs: string | undefined;
}

/** A URL for GET that lives `expiresSeconds` (at most 7 days). */
export function presignedGet(base: LinkBase, { location, versionId, saveAs }: GetLink): string {
  const { keys, region, nowMs, expiresSeconds } = base;
  const { origin, host, path } = addressOf(base, location);
  const query: (readonly [string, string])[] = [];
  if (saveAs !== undefined) query.push(["response-content-disposition", disposition(saveAs)]);
  if (versionId !== undefined) query.push(["versionId", versionId]);
  if (keys.sessionToken !== undefined) query.push(["X-Amz-Security-Token", keys.sessionToken]);
  const text = query.map(([name, value]) => `${name}=${uriEncode(value, false)}`).join("&");
  const target = `${path}${text === "" ? "" : `?${text}`}`;
  const signed = presign(
    { method: "GET", target, headers: [["host", host]] },
    { accessKeyId: keys.accessKeyId, secret: keys.secretAccessKey, region, nowMs },
    expiresSeconds,
  );
  return `${origin}${signed}`;
}

/** RFC 6266 with the extended form of RFC 8187, for any characters. */
function disposition(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\]/g, "_");
  return `attachment; filename="${plain}"; filename*=UTF-8''${uriEncode(name, false)}`;
}

export interface UploadForm {
  readonly url: string;
  readonly fields: readonly (readonly [string, string])[];
  /** A line for a shell; the file to send is `FILE`. */
  readonly curl: string;
}

/**
 * A form that stores one object of at most `bytesMax`: at the key, or, where the key is empty or
 * ends with `/`, below it under the name of the sent file.
 */
export function uploadForm(
  base: LinkBase,
  { location, bytesMax }: { readonly location: RemoteLocation; readonly bytesMax: number },
): UploadForm {
  const { keys, region, nowMs, expiresSeconds } = base;
  const { bucket, key } = location;
  const isFolder = key === "" || key.endsWith("/");
  const amzDate = formatAmzDate(nowMs);
  const date = amzDate.slice(0, 8);
  const credential = `${keys.accessKeyId}/${date}/${region}/s3/aws4_request`;
  const signed: (readonly [string, string])[] = [
    ["x-amz-algorithm", "AWS4-HMAC-SHA256"],
    ["x-amz-credential", credential],
    ["x-amz-date", amzDate],
  ];
  if (keys.sessionToken !== undefined) signed.push(["x-amz-security-token", keys.sessionToken]);
  const policy = {
    expiration: formatIsoDate(nowMs + expiresSeconds * 1000),
    conditions: [
      { bucket },
      isFolder ? ["starts-with", "$key", key] : { key },
      ["content-length-range", 0, bytesMax],
      ...signed.map(([name, value]) => ({ [name]: value })),
    ],
  };
  const encoded = Buffer.from(JSON.stringify(policy)).toString("base64");
  const signingKey = deriveSigningKey(keys.secretAccessKey, { date, region, service: "s3" });
  const fields = [
    ["key", isFolder ? `${key}\${filename}` : key],
    ...signed,
    ["policy", encoded],
    ["x-amz-signature", toHex(hmacSha256(signingKey, encoded))],
  ] as const;
  const { origin, path } = addressOf(base, { ...location, key: "" });
  const url = `${origin}${path}`;
  const parts = fields.map(([name, value]) => `--form-string ${quoted(`${name}=${value}`)}`);
  return { url, fields, curl: `curl ${parts.join(" ")} -F file=@FILE ${quoted(url)}` };
}

/** For POSIX shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function addressOf(
  { endpoint, region, pathStyle }: LinkBase,
  { bucket, key }: RemoteLocation,
): { readonly origin: string; readonly host: string; readonly path: string } {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  const base = url.pathname === "/" ? "" : url.pathname.replace(/\/+$/, "");
  const object = uriEncode(key, true);
  if (pathStyle || bucket.includes(".") || bucket.includes(":")) {
    const path = `${base}/${uriEncode(bucket, false)}/${object}`;
    return {
      origin: url.origin,
      host: url.host,
      path: key === "" ? path.replace(/\/$/, "") : path,
    };
  }
  const host = `${bucket}.${url.host}`;
  return { origin: `${url.protocol}//${host}`, host, path: `${base}/${object}` };
}
