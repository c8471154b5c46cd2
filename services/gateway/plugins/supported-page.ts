// GET /_supported: the list of supported actions for everyone, as HTML, or as JSON for who asks for
// that by `Accept` or `?format=json`. No bucket can be called `_supported`, so nothing is hidden.
import { utf8 } from "../../lib/base/bytes.ts";
import type { Answer } from "../answer.ts";
import type { Operation } from "../operation.ts";
import { isSigned, type S3Request } from "../request.ts";
import { supportedActionsHtml, supportedActionsJson } from "../supported-actions.ts";

const PATH = "/_supported";

export class SupportedPage {
  readonly #html: Uint8Array;
  readonly #json: Uint8Array;

  constructor(operations: readonly Operation[]) {
    this.#html = utf8(supportedActionsHtml(operations));
    this.#json = utf8(supportedActionsJson(operations));
  }

  /** The answer when `request` asks for the page, else undefined. */
  answer(request: S3Request): Answer | undefined {
    const { method, target, address } = request;
    if (target.rawPath !== PATH || address.style !== "path" || isSigned(request)) return undefined;
    if (method !== "GET" && method !== "HEAD") return undefined;
    const wantsJson =
      target.query.get("format") === "json" ||
      request.headers.get("accept")?.includes("application/json") === true;
    const contentType = wantsJson ? "application/json" : "text/html; charset=utf-8";
    return {
      status: 200,
      headers: [
        ["Content-Type", contentType],
        ["Vary", "Accept"],
        ["X-Content-Type-Options", "nosniff"],
      ],
      body: { kind: "bytes", bytes: wantsJson ? this.#json : this.#html },
    };
  }
}
