// How an object is stored: options of cp, mv and sync as fields of S3 requests. Bad values are
// usage errors before anything is sent.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { type OptionTable, UsageError } from "../command-line.ts";
import { type Carried, parseAlgorithm } from "./checksum-kinds.ts";
import type { CustomerKey } from "./object-context.ts";
import { parsePairs } from "./quantities.ts";

export const STORE_OPTIONS = {
  "storage-class": { kind: "text", value: "CLASS", help: "storage class of what is written" },
  metadata: { kind: "list", value: "NAME=VALUE", help: "metadata of what is written" },
  tags: { kind: "list", value: "NAME=VALUE", help: "tags of what is written" },
  "content-type": { kind: "text", value: "TYPE", help: "media type (else by the name's ending)" },
  "content-encoding": { kind: "text", value: "NAME", help: "Content-Encoding, kept as given" },
  "content-disposition": { kind: "text", value: "TEXT", help: "Content-Disposition, as given" },
  "cache-control": { kind: "text", value: "TEXT", help: "Cache-Control, kept as given" },
  sse: { kind: "text", value: "AES256|aws:kms", help: "encrypt with keys of the server" },
  "sse-kms-key-id": { kind: "text", value: "NAME", help: "named key for --sse aws:kms" },
  "sse-c-key": { kind: "text", value: "FILE", help: "file with a key of your own (32 bytes)" },
} as const satisfies OptionTable;

export interface StoreOptions {
  readonly "storage-class"?: string;
  readonly metadata?: readonly string[];
  readonly tags?: readonly string[];
  readonly "content-type"?: string;
  readonly "content-encoding"?: string;
  readonly "content-disposition"?: string;
  readonly "cache-control"?: string;
  readonly sse?: string;
  readonly "sse-kms-key-id"?: string;
  readonly "sse-c-key"?: string;
  /** Algorithm, for the verbs where it is one. */
  readonly algorithm?: string;
}

/** Fields that PutObject, CreateMultipartUpload and CopyObject share. */
export type StoreFields = Pick<
  PutObjectCommandInput,
  | "StorageClass"
  | "CacheControl"
  | "ContentDisposition"
  | "ContentEncoding"
  | "ContentType"
  | "Tagging"
  | "ServerSideEncryption"
  | "SSEKMSKeyId"
  | "SSECustomerAlgorithm"
  | "SSECustomerKey"
  | "SSECustomerKeyMD5"
>;

export interface StoreSettings {
  readonly algorithm: Carried | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: StoreFields;
  readonly customerKey: CustomerKey | undefined;
}

/** Throws UsageError. */
export function storeSettings(options: StoreOptions): StoreSettings {
  const { sse } = options;
  const customerKey = customerKeyOf(options["sse-c-key"]);
  if (sse !== undefined && sse !== "AES256" && sse !== "aws:kms") {
    throw new UsageError(`--sse wants AES256 or aws:kms, not "${sse}"`);
  }
  if (sse !== undefined && customerKey !== undefined) {
    throw new UsageError("--sse and --sse-c-key exclude each other");
  }
  if (options["sse-kms-key-id"] !== undefined && sse !== "aws:kms") {
    throw new UsageError("--sse-kms-key-id needs --sse aws:kms");
  }
  const metadata = parsePairs("metadata", options.metadata ?? []);
  for (const name of Object.keys(metadata)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) {
      throw new UsageError(`--metadata: "${name}" cannot be the name of a header`);
    }
  }
  const tags = new URLSearchParams(parsePairs("tags", options.tags ?? [])).toString();
  return {
    algorithm: parseAlgorithm(options.algorithm),
    metadata,
    customerKey,
    fields: {
      StorageClass: storageClassOf(options["storage-class"]),
      CacheControl: options["cache-control"],
      ContentDisposition: options["content-disposition"],
      ContentEncoding: options["content-encoding"],
      ContentType: options["content-type"],
      Tagging: tags === "" ? undefined : tags,
      ServerSideEncryption: sse,
      SSEKMSKeyId: options["sse-kms-key-id"],
      ...customerKey,
    },
  };
}

/** Servers have classes of their own: any name is passed on. */
function storageClassOf(text: string | undefined): StoreFields["StorageClass"] {
  if (text !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(text)) {
    throw new UsageError(`--storage-class: "${text}" is no name of a class`);
  }
  // Checked boundary: the SDK's list of names is Amazon's, the wire takes any.
  return text as StoreFields["StorageClass"];
}

/** 32 bytes, or their base64 in one line. Throws UsageError. */
export function customerKeyOf(path: string | undefined): CustomerKey | undefined {
  if (path === undefined) return undefined;
  const bytes = readKey(path);
  const text = bytes.toString("latin1").trim();
  const key = bytes.length === 32 ? bytes : Buffer.from(text, "base64");
  if (key.length !== 32) {
    throw new UsageError(`--sse-c-key: ${path} holds neither 32 bytes nor their base64`);
  }
  return {
    SSECustomerAlgorithm: "AES256",
    SSECustomerKey: key.toString("base64"),
    SSECustomerKeyMD5: createHash("md5").update(key).digest("base64"),
  };
}

function readKey(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`--sse-c-key: ${path} cannot be read: ${String(error)}`, { cause: error });
  }
}
