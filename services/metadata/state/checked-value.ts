// Values of the state store: 4 bytes CRC-32 (little-endian) over key and payload, then the payload.
// The store underneath does not notice rot (RELIABILITY: facts), and a value under a wrong key is
// as bad as a wrong value: both fail here with "corrupt", which fails the replica.
import { crc32 } from "node:zlib";
import { StoreError } from "../../lib/base/errors.ts";

export const CHECKSUM_BYTES = 4;

/** The stored form of `payload` under `key`; freshly allocated. */
export function encodeChecked(key: Uint8Array, payload: Uint8Array): Uint8Array {
  const stored = Buffer.allocUnsafe(CHECKSUM_BYTES + payload.byteLength);
  stored.set(payload, CHECKSUM_BYTES);
  stored.writeUInt32LE(crc32(payload, crc32(key)), 0);
  return stored;
}

/** The checksum field of a stored value, unverified. */
export function storedChecksum(stored: Uint8Array): number {
  return Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).readUInt32LE(0);
}

/** The stored value is one that was written under this key. */
export function isChecked(key: Uint8Array, stored: Uint8Array): boolean {
  if (stored.byteLength < CHECKSUM_BYTES) return false;
  return storedChecksum(stored) === crc32(stored.subarray(CHECKSUM_BYTES), crc32(key));
}

/** The payload, a view into `stored`. Throws StoreError "corrupt". */
export function decodeChecked(key: Uint8Array, stored: Uint8Array): Uint8Array {
  if (!isChecked(key, stored)) throw badValue(key);
  return stored.subarray(CHECKSUM_BYTES);
}

function badValue(key: Uint8Array): StoreError {
  const shown = Buffer.from(key).toString("hex").slice(0, 80);
  return new StoreError("corrupt", `state store: bad checksum of the value under ${shown}`);
}
