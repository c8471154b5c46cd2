// Routes a request to a website endpoint: which object is served, where the client is sent, what
// stands in for an error. Pure: looking up objects is the caller's. Source: Amazon S3 user guide,
// "Configuring an index document", "Configuring a custom error document", "Advanced conditional
// redirects".
import { uriEncode } from "../uri-encoding.ts";
import type { RoutingRule, Website, WebsiteProtocol } from "./website.ts";

export interface WebsiteRequest {
  /** Host and port as the client wrote them. */
  readonly host: string;
  readonly protocol: WebsiteProtocol;
  /** Decoded, without the leading slash; empty for the root. */
  readonly key: string;
}

export type WebsiteRoute =
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  /** Look this key up. */
  | { readonly kind: "object"; readonly key: string };

/** What to do before anything is looked up. */
export function routeWebsite(website: Website, request: WebsiteRequest): WebsiteRoute {
  if (website.kind === "redirect-all") {
    const protocol = website.protocol ?? request.protocol;
    const location = `${protocol}://${website.host}/${uriEncode(request.key, true)}`;
    return { kind: "redirect", status: 301, location };
  }
  const rule = website.rules.find(
    ({ keyPrefix, errorStatus }) =>
      errorStatus === undefined && request.key.startsWith(keyPrefix ?? ""),
  );
  if (rule !== undefined) return follow(rule, request);
  const isFolder = request.key === "" || request.key.endsWith("/");
  return { kind: "object", key: isFolder ? request.key + website.indexSuffix : request.key };
}

/**
 * A key that was not found may mean a folder: when the object named here exists, the client is sent
 * to `location` with 302. Undefined where the key names a folder already.
 */
export function folderOf(
  website: Website,
  { key }: WebsiteRequest,
): { readonly indexKey: string; readonly location: string } | undefined {
  if (website.kind === "redirect-all" || key === "" || key.endsWith("/")) return undefined;
  return {
    indexKey: `${key}/${website.indexSuffix}`,
    // Two slashes at the beginning would name another host.
    location: `/${uriEncode(key, true).replace(/^\//, "%2F")}/`,
  };
}

export type WebsiteErrorRoute =
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  /** Serve this object's body with the status of the error. */
  | { readonly kind: "error-document"; readonly key: string }
  /** Serve the built-in page. */
  | { readonly kind: "default" };

/** What to do when a request fails with `status`; error documents stand in for 4xx only. */
export function routeWebsiteError(
  website: Website,
  request: WebsiteRequest,
  status: number,
): WebsiteErrorRoute {
  if (website.kind === "redirect-all") return { kind: "default" };
  const rule = website.rules.find(
    ({ keyPrefix, errorStatus }) =>
      errorStatus === status && request.key.startsWith(keyPrefix ?? ""),
  );
  if (rule !== undefined) return follow(rule, request);
  if (website.errorKey === undefined || status < 400 || status > 499) return { kind: "default" };
  return { kind: "error-document", key: website.errorKey };
}

function follow(
  { keyPrefix, redirect }: RoutingRule,
  request: WebsiteRequest,
): Extract<WebsiteRoute, { kind: "redirect" }> {
  const { replaceKey, replacePrefix, status } = redirect;
  const rest = request.key.slice((keyPrefix ?? "").length);
  const key =
    replaceKey !== undefined
      ? asWritten(replaceKey)
      : replacePrefix !== undefined
        ? asWritten(replacePrefix) + uriEncode(rest, true)
        : uriEncode(request.key, true);
  const protocol = redirect.protocol ?? request.protocol;
  return {
    kind: "redirect",
    status,
    location: `${protocol}://${redirect.host ?? request.host}/${key}`,
  };
}

/** The owner's own text, which may hold `#` or `?`; only what a header cannot carry is encoded. */
function asWritten(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]+/g, (piece) => uriEncode(piece, true));
}

/** x-amz-website-redirect-location of an object: a 301 with that location. */
export function objectRedirect(
  location: string | undefined,
): Extract<WebsiteRoute, { kind: "redirect" }> | undefined {
  return location === undefined ? undefined : { kind: "redirect", status: 301, location };
}
