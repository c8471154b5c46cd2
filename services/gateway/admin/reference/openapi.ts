// The OpenAPI 3.1 description of the admin API, from its table.
import type { AdminOperation } from "../admin-operation.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApi(operations: readonly AdminOperation[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const method = operation.method.toLowerCase();
    paths[operation.path] = { ...paths[operation.path], [method]: operationJson(operation) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Dolium admin API",
      version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }, { url: "/_admin/api/v1" }],
    paths,
    components: {
      securitySchemes: {
        signature: {
          type: "apiKey",
          in: "header",
          name: "Authorization",
          description: "AWS Signature Version 4, service dolium, s3 or iam, any region.",
        },
        token: { type: "http", scheme: "bearer", description: "An access token." },
        session: { type: "apiKey", in: "cookie", name: "dolium_session" },
      },
      schemas: { Error: ERROR },
    },
    security: [{ signature: [] }, { token: [] }, { session: [] }],
  };
}

const ERROR: Json = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { type: "string" },
        message: { type: "string" },
        requestId: { type: "string" },
      },
    },
  },
};

function operationJson(operation: AdminOperation): Json {
  const { name, path, summary, query = [], body, admission } = operation;
  const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, parameter]) => ({
    name: parameter,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const inQuery = query.map((parameter) => ({
    name: parameter.name,
    in: "query",
    description: parameter.description,
    schema: { type: "string" },
  }));
  const isOpen = admission === "open" || admission === "anybody";
  return {
    operationId: name,
    summary,
    description: permissionText(operation),
    tags: [path.split("/")[1] ?? ""],
    parameters: [...inPath, ...inQuery],
    ...(isOpen ? { security: [] } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { content: { "application/json": { schema: body } } } }),
    responses: {
      "2XX": { description: "Done." },
      default: {
        description: "Refused or failed.",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

/** Who may call it, in a sentence. */
export function permissionText({ admission }: AdminOperation): string {
  if (admission === "open" || admission === "anybody") return "Everybody.";
  if (admission === "caller") return "Every user; what is shown depends on who asks.";
  const { action, self, administratorsOnly } = admission;
  if (administratorsOnly === true) return `Administrators only (${action}).`;
  const others = `Administrators, and whoever a policy allows ${action}`;
  return self === true ? `${others}; every user for himself.` : `${others}.`;
}
