// The headers of server-side encryption: what a write asks for, the key a client brings, and which
// operations take none of them. Guarantees that a client's key which leaves here has 32 bytes and
// the digest that was said of it.
// Source: Amazon S3 API reference, PutObject, GetObject, UploadPart, CopyObject; user guide,
// "Using server-side encryption with customer-provided keys", "Specifying SSE-KMS".
import { createHash } from "node:crypto";
import { equalBytes } from "../base/bytes.ts";
import { decodeBase64 } from "./base64.ts";
import { invalidArgument, S3Error } from "./errors.ts";
import type { HeaderList } from "./headers.ts";

const METHOD = "x-amz-server-side-encryption";
const KMS_KEY_ID = `${METHOD}-aws-kms-key-id`;
const CONTEXT = `${METHOD}-context`;
const BUCKET_KEY = `${METHOD}-bucket-key-enabled`;
const MANAGED_HEADERS = [METHOD, KMS_KEY_ID, CONTEXT, BUCKET_KEY] as const;

const CLIENT_KEY = `${METHOD}-customer-`;
const SOURCE_CLIENT_KEY = "x-amz-copy-source-server-side-encryption-customer-";

const KEY_BYTES = 32;
const DIGEST_BYTES = 16;
const CONTEXT_CHARACTERS_MAX = 8192;

/** A key that came with a request. */
export interface ClientKey {
  /** 32 bytes; a secret. */
  readonly key: Uint8Array;
  readonly md5: Uint8Array;
}

/** What a write asks for, of keys that the store keeps. */
export type ManagedEncryption =
  | { readonly kind: "sse-s3" }
  | {
      readonly kind: "sse-kms";
      /** As the client wrote it; undefined for the default key. */
      readonly keyId: string | undefined;
      /** Base64 of JSON, as the client wrote it; empty without one. */
      readonly context: string;
    };

export type RequestedEncryption =
  | ManagedEncryption
  | { readonly kind: "sse-c"; readonly clientKey: ClientKey };

/**
 * What a write asks for; undefined when it says nothing. Throws InvalidArgument,
 * InvalidEncryptionAlgorithmError, NotImplemented (aws:kms:dsse).
 */
export function parseRequestedEncryption(headers: HeaderList): RequestedEncryption | undefined {
  const clientKey = parseClientKey(headers, "target");
  const managed = parseManaged(headers);
  if (clientKey === undefined) return managed;
  if (managed !== undefined) {
    throw invalidArgument(
      "A key of the client's own goes with no other method of server-side encryption.",
      METHOD,
      headers.get(METHOD) ?? "",
    );
  }
  return { kind: "sse-c", clientKey };
}

function parseManaged(headers: HeaderList): ManagedEncryption | undefined {
  const method = headers.get(METHOD);
  if (method === "aws:kms") {
    const context = headers.get(CONTEXT) ?? "";
    if (context !== "") checkContext(context);
    const keyId = headers.get(KMS_KEY_ID);
    return { kind: "sse-kms", keyId: keyId === "" ? undefined : keyId, context };
  }
  if (method === "aws:kms:dsse") {
    throw new S3Error("NotImplemented", undefined, { details: [["Header", METHOD]] });
  }
  const kmsHeader = [KMS_KEY_ID, CONTEXT].find((name) => headers.has(name));
  if (kmsHeader !== undefined) {
    throw invalidArgument(
      `The header ${kmsHeader} goes with the method aws:kms only.`,
      kmsHeader,
      headers.get(kmsHeader) ?? "",
    );
  }
  if (method === undefined) return undefined;
  if (method === "AES256") return { kind: "sse-s3" };
  throw invalidArgument("The encryption method specified is not supported", METHOD, method);
}

/**
 * Whether a write asks for a bucket key; undefined when it does not say. Throws InvalidArgument.
 */
export function parseBucketKeyEnabled(headers: HeaderList): boolean | undefined {
  const text = headers.get(BUCKET_KEY);
  if (text === undefined) return undefined;
  const value = text.toLowerCase();
  if (value === "true" || value === "false") return value === "true";
  throw invalidArgument("The value must be true or false.", BUCKET_KEY, text);
}

/** Throws InvalidArgument unless `text` is base64 of a JSON object from strings to strings. */
function checkContext(text: string): void {
  const refused = invalidArgument(
    "The encryption context must be base64 of a JSON object whose values are strings.",
    CONTEXT,
    text,
  );
  const bytes = text.length > CONTEXT_CHARACTERS_MAX ? undefined : decodeBase64(text);
  if (bytes === undefined) throw refused;
  let context: unknown;
  try {
    context = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refused;
  }
  const isObject = typeof context === "object" && context !== null && !Array.isArray(context);
  if (!isObject || Object.values(context ?? {}).some((value) => typeof value !== "string")) {
    throw refused;
  }
}

/**
 * The key that a request brings for the object it names, or for the source of a copy; undefined
 * without one. Throws InvalidArgument, InvalidEncryptionAlgorithmError.
 */
export function parseClientKey(
  headers: HeaderList,
  whose: "source" | "target",
): ClientKey | undefined {
  const prefix = whose === "source" ? SOURCE_CLIENT_KEY : CLIENT_KEY;
  const names = {
    algorithm: `${prefix}algorithm`,
    key: `${prefix}key`,
    md5: `${prefix}key-md5`,
  } as const;
  const { algorithm, key, md5 } = {
    algorithm: headers.get(names.algorithm),
    key: headers.get(names.key),
    md5: headers.get(names.md5),
  };
  if (algorithm === undefined && key === undefined && md5 === undefined) return undefined;
  if (algorithm === undefined) throw lacking(names.algorithm, "the encryption algorithm");
  if (algorithm !== "AES256") {
    throw new S3Error("InvalidEncryptionAlgorithmError", undefined, {
      details: [
        ["ArgumentName", names.algorithm],
        ["ArgumentValue", algorithm],
      ],
    });
  }
  if (key === undefined) throw lacking(names.key, "the key");
  if (md5 === undefined) throw lacking(names.md5, "the MD5 digest of the key");
  return checkedKey(names, key, md5);
}

function lacking(name: string, what: string): S3Error {
  return invalidArgument(`Encryption with a key of the client's own needs ${what}.`, name, "null");
}

/** The value of the key is a secret: it is not repeated in errors. */
function checkedKey(
  names: { readonly key: string; readonly md5: string },
  keyText: string,
  md5Text: string,
): ClientKey {
  const key = decodeBase64(keyText);
  if (key?.byteLength !== KEY_BYTES) {
    throw new S3Error(
      "InvalidArgument",
      "The secret key was invalid for the specified algorithm.",
      { details: [["ArgumentName", names.key]] },
    );
  }
  const md5 = decodeBase64(md5Text);
  const computed = createHash("md5").update(key).digest();
  if (md5?.byteLength === DIGEST_BYTES && equalBytes(md5, computed)) return { key, md5: computed };
  throw invalidArgument(
    "The calculated MD5 hash of the key did not match the hash that was provided.",
    names.md5,
    md5Text,
  );
}

/**
 * Throws InvalidArgument when a request of an operation that takes no method of encryption (reads,
 * parts) names one.
 */
export function refuseManagedEncryption(headers: HeaderList): void {
  const name = MANAGED_HEADERS.find((candidate) => headers.has(candidate));
  if (name === undefined) return;
  throw invalidArgument(
    `${name} header is not supported for this operation.`,
    name,
    headers.get(name) ?? "",
  );
}

/** True when a write says how it wants to be encrypted, well formed or not. */
export function asksForEncryption(headers: HeaderList): boolean {
  return [...headers.names()].some((name) => name.startsWith(METHOD));
}
