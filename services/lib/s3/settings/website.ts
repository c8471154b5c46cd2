// The website configuration of a bucket: parses PutBucketWebsite, writes GetBucketWebsite. How a
// request is routed by it is in website-routing.ts. Source: Amazon S3 API reference,
// PutBucketWebsite; user guide, "Configuring a webpage redirect".
import { openDocument } from "../document-parts.ts";
import { invalidArgument, S3Error } from "../errors.ts";
import { parseDecimal } from "../integers.ts";
import { optionalChoice, optionalWord, requiredChild, requiredText } from "../xml-fields.ts";
import type { XmlElement } from "../xml-reader.ts";
import { checkShape, childNamed, childText, malformedXml, parseXml } from "../xml-reader.ts";
import type { XmlWriter } from "../xml-writer.ts";

const RULES_MAX = 50;
const HOST = /^[A-Za-z0-9.:[\]_-]{1,255}$/;

export type WebsiteProtocol = "http" | "https";

export interface RoutingRule {
  /** Undefined: any key. */
  readonly keyPrefix: string | undefined;
  /** For requests that fail with this status; undefined: before anything is looked up. */
  readonly errorStatus: number | undefined;
  readonly redirect: WebsiteRedirect;
}

export interface WebsiteRedirect {
  readonly protocol: WebsiteProtocol | undefined;
  readonly host: string | undefined;
  /** Instead of the prefix of the condition. */
  readonly replacePrefix: string | undefined;
  /** Instead of the whole key. */
  readonly replaceKey: string | undefined;
  /** 301..399 */
  readonly status: number;
}

export type Website =
  | {
      readonly kind: "redirect-all";
      readonly host: string;
      readonly protocol: WebsiteProtocol | undefined;
    }
  | {
      readonly kind: "pages";
      readonly indexSuffix: string;
      readonly errorKey: string | undefined;
      readonly rules: readonly RoutingRule[];
    };

/** Throws MalformedXML, InvalidArgument (suffix, error key), InvalidRequest (rules). */
export function parseWebsite(body: Uint8Array): Website {
  const root = parseXml(body);
  const pages = ["IndexDocument", "ErrorDocument", "RoutingRules"];
  checkShape(root, "WebsiteConfiguration", ["RedirectAllRequestsTo", ...pages]);
  const redirectAll = childNamed(root, "RedirectAllRequestsTo");
  if (redirectAll === undefined) return parsePages(root);
  if (root.children.length > 1) {
    throw new S3Error(
      "InvalidRequest",
      "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
    );
  }
  checkShape(redirectAll, "RedirectAllRequestsTo", ["HostName", "Protocol"]);
  const host = checkHost(requiredText(redirectAll, "HostName"));
  return { kind: "redirect-all", host, protocol: parseProtocol(redirectAll) };
}

function parsePages(root: XmlElement): Website {
  const index = childNamed(root, "IndexDocument");
  if (index === undefined) {
    throw invalidArgument(
      "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
      "IndexDocument",
      "null",
    );
  }
  checkShape(index, "IndexDocument", ["Suffix"]);
  const indexSuffix = requiredText(index, "Suffix");
  if (indexSuffix === "" || indexSuffix.includes("/")) {
    const message = "The IndexDocument Suffix is not well formed";
    throw invalidArgument(message, "IndexDocument", indexSuffix);
  }
  const error = childNamed(root, "ErrorDocument");
  if (error !== undefined) checkShape(error, "ErrorDocument", ["Key"]);
  const errorKey = error === undefined ? undefined : requiredText(error, "Key");
  if (errorKey === "") {
    throw invalidArgument("The ErrorDocument Key is not well formed", "ErrorDocument", "");
  }
  return { kind: "pages", indexSuffix, errorKey, rules: parseRules(root) };
}

function parseRules(root: XmlElement): readonly RoutingRule[] {
  const rules = childNamed(root, "RoutingRules");
  if (rules === undefined) return [];
  checkShape(rules, "RoutingRules", ["RoutingRule"]);
  if (rules.children.length === 0) throw malformedXml();
  if (rules.children.length > RULES_MAX) {
    throw invalid(
      `${rules.children.length} routing rules provided, the number of routing rules in a website ` +
        `configuration is limited to ${RULES_MAX}.`,
    );
  }
  return rules.children.map(parseRule);
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidRequest", message);
}

function parseRule(element: XmlElement): RoutingRule {
  checkShape(element, "RoutingRule", ["Condition", "Redirect"]);
  const condition = childNamed(element, "Condition");
  if (condition !== undefined) {
    checkShape(condition, "Condition", ["KeyPrefixEquals", "HttpErrorCodeReturnedEquals"]);
    if (condition.children.length === 0) throw malformedXml();
  }
  const fields = condition ?? { name: "", attributes: new Map(), text: "", children: [] };
  const errorStatus = parseStatus(fields, "HttpErrorCodeReturnedEquals");
  if (errorStatus !== undefined && (errorStatus < 400 || errorStatus > 599)) {
    throw invalid(
      `The provided HTTP error code (${errorStatus}) is not valid. Valid codes are 4XX or 5XX.`,
    );
  }
  const redirect = parseRedirect(requiredChild(element, "Redirect"));
  return { keyPrefix: childText(fields, "KeyPrefixEquals"), errorStatus, redirect };
}

const REDIRECT_ELEMENTS = ["Protocol", "HostName", "ReplaceKeyPrefixWith", "ReplaceKeyWith"];

function parseRedirect(element: XmlElement): WebsiteRedirect {
  checkShape(element, "Redirect", [...REDIRECT_ELEMENTS, "HttpRedirectCode"]);
  if (element.children.length === 0) throw malformedXml();
  const replacePrefix = childText(element, "ReplaceKeyPrefixWith");
  const replaceKey = childText(element, "ReplaceKeyWith");
  if (replacePrefix !== undefined && replaceKey !== undefined) {
    throw invalid("You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
  }
  const host = childText(element, "HostName");
  const status = parseStatus(element, "HttpRedirectCode") ?? 301;
  if (status < 301 || status > 399) {
    throw invalid(
      `The provided HTTP redirect code (${status}) is not valid. Valid codes are 3XX except 300.`,
    );
  }
  return {
    protocol: parseProtocol(element),
    host: host === undefined ? undefined : checkHost(host),
    replacePrefix,
    replaceKey,
    status,
  };
}

function parseStatus(element: XmlElement, name: string): number | undefined {
  const text = optionalWord(element, name);
  if (text === undefined) return undefined;
  const status = parseDecimal(text);
  if (status === undefined) throw malformedXml();
  return status;
}

function parseProtocol(element: XmlElement): WebsiteProtocol | undefined {
  const text = optionalWord(element, "Protocol");
  if (text !== undefined && text !== "http" && text !== "https") {
    throw invalid(
      "Invalid protocol, protocol can be http or https. If not defined the protocol will be " +
        "selected automatically.",
    );
  }
  return optionalChoice(element, "Protocol", ["http", "https"]);
}

/** No character that could leave the host part of a Location header. */
function checkHost(text: string): string {
  if (HOST.test(text)) return text;
  throw invalidArgument("The HostName is not valid", "HostName", text);
}

/** GetBucketWebsite, and the form in which the setting is kept. */
export function websiteDocument(website: Website): string {
  const writer = openDocument("WebsiteConfiguration");
  if (website.kind === "redirect-all") {
    writer.open("RedirectAllRequestsTo").leaf("HostName", website.host);
    writer.optional("Protocol", website.protocol).close("RedirectAllRequestsTo");
    return writer.close("WebsiteConfiguration").finish();
  }
  writer.open("IndexDocument").leaf("Suffix", website.indexSuffix).close("IndexDocument");
  if (website.errorKey !== undefined) {
    writer.open("ErrorDocument").leaf("Key", website.errorKey).close("ErrorDocument");
  }
  if (website.rules.length > 0) {
    writer.open("RoutingRules");
    for (const rule of website.rules) writeRule(writer, rule);
    writer.close("RoutingRules");
  }
  return writer.close("WebsiteConfiguration").finish();
}

function writeRule(writer: XmlWriter, { keyPrefix, errorStatus, redirect }: RoutingRule): void {
  writer.open("RoutingRule");
  if (keyPrefix !== undefined || errorStatus !== undefined) {
    writer.open("Condition").optional("KeyPrefixEquals", keyPrefix);
    writer.optional("HttpErrorCodeReturnedEquals", errorStatus).close("Condition");
  }
  writer.open("Redirect").optional("Protocol", redirect.protocol);
  writer.optional("HostName", redirect.host);
  writer.optional("ReplaceKeyPrefixWith", redirect.replacePrefix);
  writer.optional("ReplaceKeyWith", redirect.replaceKey);
  writer.leaf("HttpRedirectCode", redirect.status).close("Redirect").close("RoutingRule");
}
