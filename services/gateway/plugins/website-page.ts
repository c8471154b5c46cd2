// The built-in error page of web sites: what the XML error document tells, as HTML.
import { utf8 } from "../../lib/base/bytes.ts";
import type { S3Error } from "../../lib/s3/errors.ts";
import { escapeXml } from "../../lib/s3/xml-writer.ts";
import type { Answer } from "../answer.ts";
import type { AnswerIds } from "../response-writer.ts";

const REASONS: ReadonlyMap<number, string> = new Map([
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [412, "Precondition Failed"],
  [416, "Requested Range Not Satisfiable"],
  [500, "Internal Server Error"],
  [503, "Service Unavailable"],
]);

/** The answer that tells of `error`; without outside resources or scripts. */
export function errorPage(error: S3Error, ids: AnswerIds): Answer {
  const title = `${error.status} ${REASONS.get(error.status) ?? "Error"}`;
  const facts = [
    ["Code", error.code],
    ["Message", error.message],
    ...error.details,
    ["RequestId", ids.requestId],
    ["HostId", ids.hostId],
  ] as const;
  const items = facts.map(([name, text]) => `<li>${escapeXml(name)}: ${escapeXml(text)}</li>`);
  const html = [
    `<html><head><title>${title}</title></head><body><h1>${title}</h1>`,
    `<ul>${items.join("")}</ul><hr/></body></html>`,
    "",
  ].join("\n");
  return {
    status: error.status,
    headers: [
      ...error.headers,
      ["x-amz-error-code", error.code],
      ["x-amz-error-message", error.message.replaceAll(/[^\x20-\x7e]/g, "?")],
      ["Content-Type", "text/html; charset=utf-8"],
    ],
    body: { kind: "bytes", bytes: utf8(html) },
  };
}
