// Signing keys of Signature Version 4: four chained HMACs over date, region and service, and a
// bounded cache of them, since every request of a day with one key needs the same. The cache holds
// secrets in memory only and forgets the least recently used entry first.
import { createHmac, createSecretKey } from "node:crypto";
import { assert } from "../../base/assert.ts";

export interface SigningScope {
  /** `yyyymmdd` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export function hmacSha256(key: Uint8Array | string, text: string | Uint8Array): Uint8Array {
  // Node 26 takes four times as long for a key that is no KeyObject: it throws and catches inside.
  const secret = typeof key === "string" ? createSecretKey(key, "utf8") : createSecretKey(key);
  return createHmac("sha256", secret).update(text).digest();
}

/** 32 bytes. Source: AWS, "Create a signed AWS API request", derive a signing key. */
export function deriveSigningKey(secret: string, scope: SigningScope): Uint8Array {
  const dateKey = hmacSha256(`AWS4${secret}`, scope.date);
  const regionKey = hmacSha256(dateKey, scope.region);
  const serviceKey = hmacSha256(regionKey, scope.service);
  return hmacSha256(serviceKey, "aws4_request");
}

export class SigningKeyCache {
  readonly #entriesMax: number;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(entriesMax: number) {
    assert(entriesMax >= 1, "SigningKeyCache: entriesMax below 1");
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** As deriveSigningKey. The result is shared: do not change it. */
  get(secret: string, scope: SigningScope): Uint8Array {
    // A line feed occurs in none of the three, and the secret comes last.
    const name = `${scope.date}\n${scope.region}\n${scope.service}\n${secret}`;
    const known = this.#keys.get(name);
    if (known !== undefined) {
      this.#keys.delete(name);
      this.#keys.set(name, known);
      return known;
    }
    const key = deriveSigningKey(secret, scope);
    this.#keys.set(name, key);
    if (this.#keys.size > this.#entriesMax) {
      const oldest = this.#keys.keys().next();
      if (oldest.done !== true) this.#keys.delete(oldest.value);
    }
    return key;
  }
}
