// The cluster key as operators write it: 32 bytes, in hex or base64. It seals the named keys and
// nothing else; without it nothing that they sealed can be read.
import { StoreError } from "../base/errors.ts";
import { KEY_BYTES } from "./key-derivation.ts";

const HEX = /^[0-9a-fA-F]{64}$/;
/** 43 characters and one of padding; both alphabets. */
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

/** Undefined for an empty text: there is none. Throws StoreError "invalid", without the text. */
export function parseClusterKey(text: string): Uint8Array | undefined {
  const key = text.trim();
  if (key === "") return undefined;
  if (HEX.test(key)) return Buffer.from(key, "hex");
  const bytes = BASE64.test(key) ? Buffer.from(key, "base64") : undefined;
  if (bytes?.byteLength === KEY_BYTES) return bytes;
  throw new StoreError(
    "invalid",
    `the cluster key must be ${KEY_BYTES} bytes, as 64 hex digits or in base64`,
  );
}
