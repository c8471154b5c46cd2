// The token that Ceph's radosgw-token makes: base64 of JSON, used as the access key. Only read
// here; who checks id and key depends on its type. Strict, and it throws nothing: what is not such
// a token is none. Source: Ceph documentation, "Encode token for LDAP"; IBM Storage Ceph, the same.
import { fromUtf8 } from "../../lib/base/bytes.ts";
import { decodeBase64 } from "../../lib/s3/base64.ts";

const TEXT_CHARACTERS_MAX = 2048;
const VALUE_CHARACTERS_MAX = 512;
const TYPES: ReadonlySet<string> = new Set(["dolium", "ldap", "ad"]);

export interface RgwToken {
  /** `ldap` and `ad` ask the configured LDAP server. */
  readonly type: "dolium" | "ldap" | "ad";
  /** Name of the user. */
  readonly id: string;
  /** Password, secret or token; never empty. */
  readonly key: string;
}

/** Undefined for what is no such token, has an unknown type or version, or an empty id or key. */
export function parseRgwToken(text: string): RgwToken | undefined {
  if (text.length > TEXT_CHARACTERS_MAX || (!text.startsWith("ey") && !text.startsWith("ew"))) {
    return undefined;
  }
  const token = recordOf(parseJson(text))?.RGW_TOKEN;
  const fields = recordOf(token);
  if (fields === undefined) return undefined;
  const { version, type, id, key } = fields;
  if (version !== 1 || !isType(type) || !isValue(id) || !isValue(key)) return undefined;
  return { type, id, key };
}

function parseJson(text: string): unknown {
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, "=");
  const bytes = decodeBase64(padded);
  const json = bytes === undefined ? undefined : fromUtf8(bytes);
  if (json === undefined) return undefined;
  try {
    // Checked boundary: the value is examined field by field.
    return JSON.parse(json) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The own fields of an object, without a prototype. */
function recordOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.assign(Object.create(null), value);
}

function isType(value: unknown): value is RgwToken["type"] {
  return typeof value === "string" && TYPES.has(value);
}

function isValue(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= VALUE_CHARACTERS_MAX;
}
