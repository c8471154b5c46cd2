// The page of supported S3 actions, made from the operation table, so that it cannot promise what
// the router does not serve. A test compares it with the page that is checked in.
import type { Operation } from "./operation.ts";

/** Markdown: one row an action, in order of name. */
export function supportedActionsPage(operations: readonly Operation[]): string {
  const rows = operations
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      (row) => `| ${row.name} | \`${requestLine(row)}\` | ${row.permission} | ${errorsOf(row)} |`,
    );
  return [
    "# Supported S3 actions",
    "",
    "Made from the operation table. Any other sub-resource of S3 is answered 501 NotImplemented.",
    "",
    "| Action | Request | Permission | Errors of its own |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
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
