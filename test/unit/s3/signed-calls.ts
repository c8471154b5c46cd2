// One identity, one moment, and requests signed by it: the ground of the signature tests.
import assert from "node:assert/strict";
import { type HeaderField, HeaderList } from "../../../services/lib/s3/headers.ts";
import { parseRequestTarget } from "../../../services/lib/s3/request-target.ts";
import { parseAuthorization } from "../../../services/lib/s3/sigv4/claim.ts";
import { signHeaders } from "../../../services/lib/s3/sigv4/sign.ts";
import {
  type V4Options,
  type VerifiedV4,
  verifyV4,
} from "../../../services/lib/s3/sigv4/verify.ts";

export const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 30);
export const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
export const IDENTITY = {
  accessKeyId: "AKIDEXAMPLE",
  secret: SECRET,
  region: "eu-1",
  nowMs: NOW_MS,
};

export interface Call {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderField[];
}

export function verify(call: Call, options: Partial<V4Options> = {}): VerifiedV4 {
  const target = parseRequestTarget(call.target);
  const headers = new HeaderList(call.headers);
  const claim = parseAuthorization(headers, target.query);
  assert.ok(claim.kind === "v4-header" || claim.kind === "v4-query", claim.kind);
  return verifyV4(
    claim,
    { method: call.method, target, headers },
    { secret: SECRET, nowMs: NOW_MS, region: "eu-1", strictRegion: true, ...options },
  );
}

export const BASE: Call = { method: "PUT", target: "/b/k?x=1", headers: [["Host", "h:9000"]] };

/** BASE signed by its headers, after `change` of what is sent. */
export function signedCall(payloadHash = "UNSIGNED-PAYLOAD", call: Call = BASE): Call {
  return { ...call, headers: signHeaders(call, IDENTITY, payloadHash).headers };
}

export function withHeader(call: Call, name: string, change: (value: string) => string): Call {
  const headers = call.headers.map(
    ([field, value]): HeaderField =>
      field.toLowerCase() === name ? [field, change(value)] : [field, value],
  );
  return { ...call, headers };
}
