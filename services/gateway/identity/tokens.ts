// Access tokens: `DT`, 16 hex digits that name the token, 32 base32 characters of 160 random bits.
// Whoever has the text is its user, so the text is shown once and kept as SHA-256 only; its first
// 18 characters are public, and are what logs and lists show.
import { createHash } from "node:crypto";
import { base32 } from "../../lib/base/base32.ts";
import { toHex } from "../../lib/base/bytes.ts";
import type { Random } from "../../lib/ports/random.ts";

const PREFIX = "DT";
const ID_BYTES = 8;
const SECRET_BYTES = 20;
const FORM = /^DT[0-9a-f]{16}[A-Z2-7]{32}$/;
/** Of ordinary access keys. */
const KEY_CHARACTERS_MAX = 128;
/** Of the base64 of an RGW token: less than its first words. */
const SHOWN_CHARACTERS = 8;
const PUBLIC_CHARACTERS = PREFIX.length + ID_BYTES * 2;

/** What may be kept of a token. */
export interface KnownToken {
  /** 16 hex digits. */
  readonly tokenId: string;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

export interface NewToken extends KnownToken {
  /** The secret text: to be shown once, never kept. */
  readonly token: string;
}

export function newToken(random: Random): NewToken {
  const tokenId = toHex(random.bytes(ID_BYTES));
  const token = `${PREFIX}${tokenId}${base32(random.bytes(SECRET_BYTES))}`;
  return { token, tokenId, digest: tokenDigest(token) };
}

/** True for what has the form of a token, known or not. */
export function isToken(text: string): boolean {
  return FORM.test(text);
}

/** Of a text that `isToken`. */
export function knownToken(token: string): KnownToken {
  return { tokenId: token.slice(PREFIX.length, PUBLIC_CHARACTERS), digest: tokenDigest(token) };
}

/** What is kept of a token: SHA-256, 32 bytes. */
export function tokenDigest(token: string): Uint8Array {
  return createHash("sha256").update(token, "latin1").digest();
}

/**
 * What of an access key may be shown: the public part of a token; other long ones, which may hold
 * passwords, shortened.
 */
export function publicName(accessKeyId: string): string {
  if (isToken(accessKeyId)) return accessKeyId.slice(0, PUBLIC_CHARACTERS);
  const isPlain = accessKeyId.length <= KEY_CHARACTERS_MAX && !holdsRgwToken(accessKeyId);
  if (isPlain) return accessKeyId;
  return `${accessKeyId.slice(0, SHOWN_CHARACTERS)}...`;
}

/** Looks into what is no well-formed token, too: a mistyped password is not to be shown either. */
function holdsRgwToken(text: string): boolean {
  return Buffer.from(text, "base64").includes("RGW_TOKEN");
}
