// The page of supported S3 actions, made from the operation table, so that it cannot promise what
// the router does not serve: as Markdown (a test compares it with the page that is checked in), as
// HTML and as JSON (served at `/_supported`).
import { escapeXml } from "../lib/s3/xml-writer.ts";
import type { Operation } from "./operation.ts";

const TITLE = "Supported S3 actions";
const NOTE =
  "Made from the operation table. Any other sub-resource of S3 is answered 501 NotImplemented.";
const COLUMNS = ["Action", "Request", "Permission", "Errors of its own"];

/** Markdown: one row an action, in order of name. */
export function supportedActionsPage(operations: readonly Operation[]): string {
  const rows = byName(operations).map(
    (row) => `| ${row.name} | \`${requestLine(row)}\` | ${row.permission} | ${errorsOf(row)} |`,
  );
  return [
    `# ${TITLE}`,
    "",
    NOTE,
    "",
    `| ${COLUMNS.join(" | ")} |`,
    `|${" --- |".repeat(COLUMNS.length)}`,
    ...rows,
    "",
  ].join("\n");
}

/** The same as a web page without scripts or anything loaded from elsewhere. */
export function supportedActionsHtml(operations: readonly Operation[]): string {
  const rows = byName(operations).map((row) =>
    htmlRow("td", [row.name, requestLine(row), row.permission, errorsOf(row)]),
  );
  return [
    "<!DOCTYPE html>",
    `<html lang="en"><head><meta charset="utf-8"><title>${TITLE}</title></head><body>`,
    `<h1>${TITLE}</h1><p>${NOTE}</p><table>`,
    htmlRow("th", COLUMNS),
    ...rows,
    "</table></body></html>",
    "",
  ].join("\n");
}

function htmlRow(cell: "td" | "th", texts: readonly string[]): string {
  return `<tr>${texts.map((text) => `<${cell}>${escapeXml(text)}</${cell}>`).join("")}</tr>`;
}

/** The same for programs: `{"actions": [{name, request, permission, errors, page}]}`. */
export function supportedActionsJson(operations: readonly Operation[]): string {
  const actions = byName(operations).map((row) => ({
    name: row.name,
    request: requestLine(row),
    permission: row.permission,
    errors: row.errors.toSorted(),
    page: row.page,
  }));
  return `${JSON.stringify({ actions })}\n`;
}

function byName(operations: readonly Operation[]): readonly Operation[] {
  return operations.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function requestLine({ method, match }: Operation): string {
  const path = { service: "/", bucket: "/{bucket}", object: "/{bucket}/{key}" }[match.level];
  const query = [...(match.query ?? [])];
  if (match.queryValue !== undefined) query.push(match.queryValue.join("="));
  const suffix = query.length === 0 ? "" : `?${query.join("&")}`;
  const header = match.header === undefined ? "" : ` with ${match.header}`;
  return `${method} ${path}${suffix}${header}`;
}

function errorsOf({ errors }: Operation): string {
  return errors.toSorted().join(", ");
}
