// What the API says about itself: the OpenAPI document and the page for people. Open to everybody:
// it is the same in every installation.
import { utf8 } from "../../../lib/base/bytes.ts";
import { bytes, json } from "../admin-answer.ts";
import type { AdminOperation } from "../admin-operation.ts";
import { openApi } from "./openapi.ts";
import { referenceHtml } from "./reference-page.ts";

/** The table with its own descriptions. */
export function withReference(operations: readonly AdminOperation[]): readonly AdminOperation[] {
  const all: AdminOperation[] = [
    ...operations,
    {
      name: "OpenApi",
      method: "GET",
      path: "/openapi.json",
      summary: "This API for machines.",
      admission: "open",
      run: async ({ deps }) => json(openApi(all, deps.version)),
    },
    {
      name: "Docs",
      method: "GET",
      path: "/docs",
      summary: "This API for people.",
      admission: "open",
      run: async () => bytes("text/html; charset=utf-8", utf8(referenceHtml(all))),
    },
  ];
  return all;
}
