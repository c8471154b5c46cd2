// JSON of policies, read strictly: valid UTF-8, an object, no key twice in one object (two readers
// could take different ones), not nested deeper than policies are. Objects come back as maps, so
// that names like `__proto__` are names like others.
import { fromUtf8 } from "../../base/bytes.ts";
import { S3Error } from "../errors.ts";

/** Policy, statements, condition, keys, values: five levels, and a few to spare. */
const DEPTH_MAX = 10;

export type JsonFields = ReadonlyMap<string, unknown>;

export function malformedPolicy(message: string): S3Error {
  return new S3Error("MalformedPolicy", message);
}

/** The value of a JSON object in `body`. Throws MalformedPolicy. */
export function parsePolicyJson(body: Uint8Array): unknown {
  const text = fromUtf8(body);
  if (text?.trimStart().startsWith("{")) {
    const value = parseOrUndefined(text);
    if (value !== undefined) {
      checkKeys(text);
      return value;
    }
  }
  throw malformedPolicy("Policies must be valid JSON and the first byte must be '{'");
}

function parseOrUndefined(text: string): unknown {
  try {
    // Checked boundary: the value is examined field by field.
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Own fields of an object. Throws MalformedPolicy for anything else. */
export function fieldsOf(value: unknown): JsonFields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformedPolicy("Invalid policy syntax.");
  }
  return new Map(Object.entries(value));
}

/** Own fields of an object, each of which must be known. Throws MalformedPolicy. */
export function knownFieldsOf(value: unknown, known: readonly string[]): JsonFields {
  const fields = fieldsOf(value);
  const unknownName = [...fields.keys()].find((name) => !known.includes(name));
  if (unknownName !== undefined)
    throw malformedPolicy(`Unknown field ${unknownName.slice(0, 100)}`);
  return fields;
}

/** A text, or a list of at least one. Throws MalformedPolicy with `message`. */
export function textsOf(value: unknown, message: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw malformedPolicy(message);
  return values.map((each) => {
    if (typeof each !== "string" || each === "") throw malformedPolicy(message);
    return each;
  });
}

/**
 * Walks over text that is valid JSON and refuses keys that come twice in an object, and nesting
 * beyond DEPTH_MAX. In valid JSON a string followed by a colon is a key, and nothing else is.
 */
function checkKeys(text: string): void {
  const open: Set<string>[] = [];
  let index = 0;
  while (index < text.length) {
    const character = text[index];
    if (character === '"') {
      const end = endOfString(text, index);
      const keys = open.at(-1);
      if (keys !== undefined && text[pastSpace(text, end)] === ":") {
        addKey(keys, text.slice(index, end));
      }
      index = end;
      continue;
    }
    if (character === "{" || character === "[") open.push(new Set());
    else if (character === "}" || character === "]") open.pop();
    if (open.length > DEPTH_MAX) throw malformedPolicy("The policy is nested too deeply.");
    index += 1;
  }
}

/** Where the string literal that starts at `start` ends, behind its quote. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index + 1;
}

function pastSpace(text: string, start: number): number {
  let index = start;
  while (" \t\n\r".includes(text[index] ?? "x")) index += 1;
  return index;
}

function addKey(keys: Set<string>, literal: string): void {
  const key = String(JSON.parse(literal));
  if (keys.has(key)) throw malformedPolicy(`Field ${key.slice(0, 100)} comes twice.`);
  keys.add(key);
}
