// Cross-origin resource sharing: the CORS document, the answer to a preflight, the headers of an
// actual request. A rule matches by origin, method and, in a preflight, every header asked for; the
// first that matches counts. Source: Amazon S3 user guide, "Using cross-origin resource sharing",
// elements of a CORS configuration; Fetch standard, "CORS protocol".
import { openDocument } from "../document-parts.ts";
import { S3Error, type S3ErrorDetail } from "../errors.ts";
import { type HeaderField, trimSpace } from "../headers.ts";
import { optionalNumber, optionalWord, trimLines } from "../xml-fields.ts";
import {
  checkShape,
  childrenNamed,
  malformedXml,
  parseXml,
  type XmlElement,
} from "../xml-reader.ts";

const METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD"] as const;
export type CorsMethod = (typeof METHODS)[number];
const RULES_MAX = 100;
const ID_LENGTH_MAX = 255;
const SECONDS_MAX = 2 ** 31 - 1;
const ELEMENTS = ["ID", "AllowedHeader", "AllowedMethod", "AllowedOrigin", "ExposeHeader"].concat(
  "MaxAgeSeconds",
);
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** No character that could end a header. */
const ORIGIN = /^[\x21-\x7e]+$/;

export interface CorsRule {
  readonly id: string | undefined;
  /** At least one; each with at most one `*`. */
  readonly origins: readonly string[];
  /** At least one. */
  readonly methods: readonly CorsMethod[];
  /** As written, each with at most one `*`; compared without case. */
  readonly headers: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number | undefined;
}

/** 1..100 rules in order. Throws MalformedXML, InvalidRequest (method, wildcards, header names). */
export function parseCors(body: Uint8Array): readonly CorsRule[] {
  const root = parseXml(body);
  checkShape(root, "CORSConfiguration", ["CORSRule"]);
  if (root.children.length === 0) throw malformedXml();
  if (root.children.length > RULES_MAX) {
    throw invalid(
      `The number of CORS rules should not exceed allowed limit of ${RULES_MAX} rules.`,
    );
  }
  return root.children.map(parseRule);
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

function parseRule(element: XmlElement): CorsRule {
  checkShape(element, "CORSRule", ELEMENTS);
  const id = optionalWord(element, "ID");
  const maxAgeSeconds = optionalNumber(element, "MaxAgeSeconds");
  const origins = words(element, "AllowedOrigin");
  const methods = words(element, "AllowedMethod").map(parseMethod);
  if (origins.length === 0 || methods.length === 0) throw malformedXml();
  if ((maxAgeSeconds ?? 0) > SECONDS_MAX) throw malformedXml();
  if (id !== undefined && id.length > ID_LENGTH_MAX) {
    throw invalid(`The CORS rule ID should not exceed allowed limit of ${ID_LENGTH_MAX}`);
  }
  for (const origin of origins) checkPattern("AllowedOrigin", origin, ORIGIN);
  const headers = words(element, "AllowedHeader");
  for (const header of headers) checkPattern("AllowedHeader", header, HEADER_NAME);
  const exposeHeaders = words(element, "ExposeHeader");
  for (const header of exposeHeaders) checkExposed(header);
  return { id, origins, methods, headers, exposeHeaders, maxAgeSeconds };
}

function words(element: XmlElement, name: string): readonly string[] {
  return childrenNamed(element, name).map((child) => {
    const word = trimLines(child.text);
    if (child.children.length > 0 || word === "") throw malformedXml();
    return word;
  });
}

function parseMethod(text: string): CorsMethod {
  const method = METHODS.find((known) => known === text);
  if (method !== undefined) return method;
  throw invalid(
    `Found unsupported HTTP method in CORS config. Unsupported method is ${text.slice(0, 64)}`,
  );
}

function checkPattern(element: string, text: string, characters: RegExp): void {
  if (text.indexOf("*") !== text.lastIndexOf("*")) {
    throw invalid(`${element} "${text}" can not have more than one wildcard.`);
  }
  if (!characters.test(text)) throw invalid(`${element} "${text}" contains invalid character.`);
}

function checkExposed(text: string): void {
  if (text.includes("*")) {
    throw invalid(
      `ExposeHeader "${text}" contains wildcard. We currently do not support wildcard for ` +
        "ExposeHeader.",
    );
  }
  if (!HEADER_NAME.test(text)) {
    throw invalid(`ExposeHeader "${text}" contains invalid character.`);
  }
}

/** GetBucketCors, and the form in which the setting is kept. */
export function corsDocument(rules: readonly CorsRule[]): string {
  const writer = openDocument("CORSConfiguration");
  for (const rule of rules) {
    writer.open("CORSRule").optional("ID", rule.id);
    for (const header of rule.headers) writer.leaf("AllowedHeader", header);
    for (const method of rule.methods) writer.leaf("AllowedMethod", method);
    for (const origin of rule.origins) writer.leaf("AllowedOrigin", origin);
    for (const header of rule.exposeHeaders) writer.leaf("ExposeHeader", header);
    writer.optional("MaxAgeSeconds", rule.maxAgeSeconds).close("CORSRule");
  }
  return writer.close("CORSConfiguration").finish();
}

/** What a preflight asks. */
export interface Preflight {
  readonly origin: string;
  readonly method: CorsMethod;
  /** Lower case. */
  readonly headers: readonly string[];
}

export interface PreflightHeaders {
  readonly origin: string | undefined;
  readonly requestMethod: string | undefined;
  readonly requestHeaders: string | undefined;
}

/** Parses the headers of an OPTIONS request. Throws BadRequest, AccessForbidden (header names). */
export function parsePreflight(headers: PreflightHeaders): Preflight {
  const { origin, requestMethod, requestHeaders } = headers;
  if (origin === undefined || !ORIGIN.test(origin)) {
    throw new S3Error("BadRequest", "Insufficient information. Origin request header needed.");
  }
  const method = METHODS.find((known) => known === requestMethod);
  if (method === undefined) {
    const shown = requestMethod ?? "null";
    throw new S3Error("BadRequest", `Invalid Access-Control-Request-Method: ${shown}`);
  }
  const names = (requestHeaders ?? "").split(",").map((name) => trimSpace(name).toLowerCase());
  const given = names.filter((name) => name !== "");
  if (!given.every((name) => HEADER_NAME.test(name))) throw notAllowed("OPTIONS", "OBJECT");
  return { origin, method, headers: given };
}

const VARY: HeaderField = [
  "Vary",
  "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
];

/**
 * Headers of the 200 that allows `preflight`. Throws AccessForbidden when no rule does; `rules` is
 * undefined when the bucket has none.
 */
export function answerPreflight(
  rules: readonly CorsRule[] | undefined,
  preflight: Preflight,
  resourceType: "BUCKET" | "OBJECT",
): readonly HeaderField[] {
  if (rules === undefined) {
    throw new S3Error("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", {
      details: forbiddenDetails(preflight.method, resourceType),
    });
  }
  const rule = rules.find(
    (candidate) =>
      matchesRequest(candidate, preflight.origin, preflight.method) &&
      preflight.headers.every((header) =>
        candidate.headers.some((pattern) => matches(pattern.toLowerCase(), header)),
      ),
  );
  if (rule === undefined) throw notAllowed(preflight.method, resourceType);
  const allowed = preflight.headers.join(", ");
  return [
    ...ruleHeaders(rule, preflight.origin),
    ...(allowed === "" ? [] : [["Access-Control-Allow-Headers", allowed] as const]),
    ...maxAge(rule),
    VARY,
  ];
}

function maxAge(rule: CorsRule): readonly HeaderField[] {
  if (rule.maxAgeSeconds === undefined) return [];
  return [["Access-Control-Max-Age", String(rule.maxAgeSeconds)]];
}

function notAllowed(method: string, resourceType: string): S3Error {
  return new S3Error(
    "AccessForbidden",
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of " +
      "Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers " +
      "are not whitelisted by the resource's CORS spec.",
    { details: forbiddenDetails(method, resourceType) },
  );
}

function forbiddenDetails(method: string, resourceType: string): readonly S3ErrorDetail[] {
  return [
    ["Method", method],
    ["ResourceType", resourceType],
  ];
}

/**
 * Headers that an answer to an actual request gets in a bucket with `rules`: none that allow when
 * no rule matches. `Vary` is always there, so that no cache hands one origin's answer to another.
 */
export function corsResponseHeaders(
  rules: readonly CorsRule[],
  origin: string | undefined,
  method: string,
): readonly HeaderField[] {
  if (origin === undefined || !ORIGIN.test(origin)) return [VARY];
  const rule = rules.find((candidate) => matchesRequest(candidate, origin, method));
  return rule === undefined ? [VARY] : [...ruleHeaders(rule, origin), ...maxAge(rule), VARY];
}

function matchesRequest(rule: CorsRule, origin: string, method: string): boolean {
  return (
    rule.methods.some((allowed) => allowed === method) &&
    rule.origins.some((pattern) => matches(pattern, origin))
  );
}

/** Credentials go only to a named origin, since `*` with credentials means nothing to browsers. */
function ruleHeaders(rule: CorsRule, origin: string): readonly HeaderField[] {
  const isAny = rule.origins.find((pattern) => matches(pattern, origin)) === "*";
  const fields: HeaderField[] = [["Access-Control-Allow-Origin", isAny ? "*" : origin]];
  fields.push(["Access-Control-Allow-Methods", rule.methods.join(", ")]);
  if (rule.exposeHeaders.length > 0) {
    fields.push(["Access-Control-Expose-Headers", rule.exposeHeaders.join(", ")]);
  }
  if (!isAny) fields.push(["Access-Control-Allow-Credentials", "true"]);
  return fields;
}

/** `pattern` has at most one `*`, which stands for any text, also none. */
function matches(pattern: string, text: string): boolean {
  const star = pattern.indexOf("*");
  if (star < 0) return pattern === text;
  const head = pattern.slice(0, star);
  const tail = pattern.slice(star + 1);
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
}
