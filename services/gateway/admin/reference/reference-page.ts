// The reference of the admin API for people: docs/admin-api.md and the page at /docs, from the
// table.
import { escapeXml } from "../../../lib/s3/xml-writer.ts";
import type { AdminOperation } from "../admin-operation.ts";
import { permissionText } from "./openapi.ts";

const INTRODUCTION = `# Admin API

<!-- Generated: DOLIUM_UPDATE_DOCS=1 node --test test/tidy/admin-reference.test.ts -->

JSON over HTTP at \`/api/v1\` of the admin port (\`admin.address\`, 127.0.0.1:9001) and at
\`/_admin/api/v1\` of the S3 port. The same description for machines: \`/api/v1/openapi.json\`.

Requests are signed with AWS Signature Version 4 (service \`dolium\`, \`s3\` or \`iam\`, any region; the
body's hash is part of the signature), or carry an access token (\`Authorization: Bearer DT...\`, where
tokens are on), or the console's cookie. With the cookie, everything but GET needs the header
\`X-Dolium-CSRF\` with the value that \`GET /session\` tells.

Errors are a status and \`{"error":{"code":"NoSuchUser","message":"...","requestId":"..."}}\`. Lists take
\`?limit=&after=\` and answer \`{"items":[...],"next":"..."}\`. Times are RFC 3339, sizes bytes. What
cannot be done yet answers 501 \`NotImplemented\` and says why.

The actions of IAM (\`aws iam --endpoint-url http://127.0.0.1:9001\`) and STS are at \`/\` of the admin port.
`;

export function referencePage(operations: readonly AdminOperation[]): string {
  const rows = operations.map(
    (operation) =>
      `| \`${operation.method} ${operation.path}\` | ${operation.summary} | ${permissionText(operation)} |`,
  );
  const bodies = operations.flatMap((operation) => bodyText(operation));
  return [
    INTRODUCTION,
    "## Calls\n",
    "| call | what it does | who may |",
    "| --- | --- | --- |",
    ...rows,
    "\n## Bodies\n",
    ...bodies,
  ].join("\n");
}

interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly anyOf?: readonly FieldSchema[];
  readonly const?: string;
  readonly items?: FieldSchema;
}

function bodyText({ method, path, body }: AdminOperation): string[] {
  if (body === undefined) return [];
  // Checked boundary: bodies are made by field-schemas.ts.
  const { properties = {}, required = [] } = body as {
    readonly properties?: Readonly<Record<string, FieldSchema>>;
    readonly required?: readonly string[];
  };
  const lines = Object.entries(properties).map(([name, schema]) => {
    const must = required.includes(name) ? ", required" : "";
    const text = schema.description === undefined ? "" : `: ${schema.description}`;
    return `- \`${name}\` (${typeText(schema)}${must})${text}`;
  });
  return [`\`${method} ${path}\`\n`, ...lines, ""];
}

function typeText(schema: FieldSchema): string {
  if (schema.const !== undefined) return `"${schema.const}"`;
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" or ");
  if (schema.items !== undefined) return `list of ${typeText(schema.items)}`;
  return schema.type ?? "anything";
}

/** The same as one page of HTML without scripts. */
export function referenceHtml(operations: readonly AdminOperation[]): string {
  const rows = operations.map((operation) => {
    const cells = [
      `<code>${operation.method} ${escapeXml(operation.path)}</code>`,
      escapeXml(operation.summary),
      escapeXml(permissionText(operation)),
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dolium admin API</title></head>
<body><h1>Dolium admin API</h1><p><a href="openapi.json">OpenAPI</a></p>
<table><thead><tr><th>call</th><th>what it does</th><th>who may</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></body></html>
`;
}
