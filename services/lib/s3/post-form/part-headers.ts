// The headers of a form: the boundary in the Content-Type of the request, and those of one part.
// Source: RFC 2046 §5.1.1, RFC 7578 §4, RFC 6266 §4.1; Amazon S3 API reference, POST Object.
import { S3Error } from "../errors.ts";
import { trimSpace } from "../headers.ts";

const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const PARAMETER =
  /;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[\s\S])*)"|([^";]*))/g;
const NAME_LENGTH_MAX = 1024;
const PART_HEADERS_MAX = 16;

/** Throws RequestIsNotMultiPartContent. */
export function parseBoundary(contentType: string | undefined): string {
  const semicolon = (contentType ?? "").indexOf(";");
  const type = trimSpace((contentType ?? "").slice(0, Math.max(semicolon, 0))).toLowerCase();
  const boundary = parametersOf((contentType ?? "").slice(semicolon)).get("boundary") ?? "";
  if (type === "multipart/form-data" && BOUNDARY.test(boundary)) return boundary;
  throw new S3Error("RequestIsNotMultiPartContent");
}

/** Parameters after a header's first word, by lower-case name; the first of a name counts. */
function parametersOf(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, plain] of text.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    // Only a quote is escaped by browsers; a backslash is part of a Windows path.
    const value = quoted?.replaceAll('\\"', '"') ?? trimSpace(plain ?? "");
    if (!parameters.has(key)) parameters.set(key, value);
  }
  return parameters;
}

export interface PartHeaders {
  /** Lower case. */
  readonly name: string;
  readonly isFile: boolean;
  /** Without its path. */
  readonly fileName: string | undefined;
  readonly contentType: string | undefined;
}

/** Parses the header lines of one part, without the empty line. Throws MalformedPOSTRequest. */
export function parsePartHeaders(text: string): PartHeaders {
  const lines = text.split("\r\n");
  if (lines.length > PART_HEADERS_MAX) throw new S3Error("MalformedPOSTRequest");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new S3Error("MalformedPOSTRequest");
    headers.set(line.slice(0, colon).toLowerCase(), trimSpace(line.slice(colon + 1)));
  }
  const disposition = headers.get("content-disposition") ?? "";
  const parameters = parametersOf(disposition);
  const name = parameters.get("name")?.toLowerCase() ?? "";
  const isFormData = /^form-data[ \t]*(?:;|$)/i.test(disposition);
  if (!isFormData || name === "" || name.length > NAME_LENGTH_MAX) {
    throw new S3Error("MalformedPOSTRequest");
  }
  const fileName = parameters.get("filename");
  return {
    name,
    isFile: name === "file",
    fileName: fileName === undefined ? undefined : withoutPath(fileName),
    contentType: headers.get("content-type") || undefined,
  };
}

/** What follows the last slash or backslash. */
function withoutPath(name: string): string {
  return name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1);
}
