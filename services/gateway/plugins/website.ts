// Web sites out of buckets: index documents, folders, redirects, error documents. Nobody signs
// here, so only what everybody may read is served; whether something else exists is told only where
// everybody may list the bucket. Errors are pages, not XML. Source: Amazon S3 user guide, "Hosting
// a static website", "Configuring a custom error document".
import { present } from "../../lib/base/assert.ts";
import { utf8 } from "../../lib/base/bytes.ts";
import type { BucketRecord } from "../../lib/gen/dolium/record/v1/cluster_pb.ts";
import type { Log } from "../../lib/ports/log.ts";
import { checkKey } from "../../lib/s3/addressing.ts";
import { checkBucketName } from "../../lib/s3/bucket-name.ts";
import { isS3Error, S3Error } from "../../lib/s3/errors.ts";
import { HeaderList } from "../../lib/s3/headers.ts";
import { parseRequestTarget } from "../../lib/s3/request-target.ts";
import { parseWebsite, type Website, type WebsiteProtocol } from "../../lib/s3/settings/website.ts";
import {
  folderOf,
  objectRedirect,
  routeWebsite,
  routeWebsiteError,
  type WebsiteRequest,
} from "../../lib/s3/settings/website-routing.ts";
import { type Answer, emptyAnswer } from "../answer.ts";
import { AccessCheck, type Caller, mayList } from "../data/access/access-check.ts";
import { noSuchBucket } from "../data/bucket-access.ts";
import type { SettingKind } from "../data/bucket-settings.ts";
import { readObject } from "../data/object-read.ts";
import { objectBytes } from "../data/object-reader.ts";
import type { RequestBody } from "../data/request-body.ts";
import { checkPayer } from "../data/request-charge.ts";
import { missingSetting } from "../data/setting-operations.ts";
import { toS3Error } from "../error-mapper.ts";
import type { Failure } from "../exchange.ts";
import type { Gateway, ObjectContext } from "../operation.ts";
import type { S3Request } from "../request.ts";
import { errorPage } from "./website-page.ts";

const WEBSITE: SettingKind<Website> = { name: "website", parse: parseWebsite };
export interface WebsiteCall {
  readonly request: S3Request;
  readonly body: RequestBody;
  readonly remoteAddress: string;
  readonly protocol: WebsiteProtocol;
  readonly hostId: string;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface WebsiteResult {
  readonly answer: Answer;
  /** Set when the answer tells of an error. */
  readonly failure: Failure | undefined;
}

interface Site {
  readonly call: WebsiteCall;
  readonly bucket: BucketRecord;
  readonly website: Website;
  readonly asked: WebsiteRequest;
}

export class Websites {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Answers a request to a web site; errors come out as pages. */
  async serve(call: WebsiteCall): Promise<WebsiteResult> {
    let site: Site | undefined;
    try {
      site = await this.#open(call);
      return { answer: await this.#page(site), failure: undefined };
    } catch (thrown) {
      const error = toS3Error(thrown);
      const answer = await this.#errorAnswer(call, site, error);
      return { answer, failure: { error, thrown } };
    }
  }

  async #open(call: WebsiteCall): Promise<Site> {
    const { request, signal, protocol } = call;
    const { method, address, headers, requestId } = request;
    if (method !== "GET" && method !== "HEAD") {
      throw new S3Error("MethodNotAllowed", undefined, { headers: [["Allow", "GET, HEAD"]] });
    }
    const name = present(address.bucket, "bucket of a web site");
    checkBucketName(name);
    const bucket = await this.#gateway.dependencies.buckets.get(name, { signal, requestId });
    if (bucket === undefined) throw noSuchBucket(name);
    const website = this.#gateway.bucketSettings.read(bucket, WEBSITE);
    if (website === undefined) throw missingSetting("NoSuchWebsiteConfiguration", bucket);
    const asked = { host: headers.get("host") ?? "", protocol, key: address.key ?? "" };
    return { call, bucket, website, asked };
  }

  async #page(site: Site): Promise<Answer> {
    const route = routeWebsite(site.website, site.asked);
    if (route.kind === "redirect") return redirect(route);
    try {
      return await this.#read(site, route.key, site.call.request);
    } catch (error) {
      if (!isS3Error(error, "NoSuchKey")) throw error;
      const folder = await this.#folder(site);
      if (folder !== undefined) return folder;
      // Whether a key exists is told to those only who may list.
      if (!mayList(this.#callerOf(site), site.bucket)) {
        throw new S3Error("AccessDenied", undefined, { cause: error });
      }
      throw error;
    }
  }

  /** Sends the client on to `key/` when that folder has an index document. */
  async #folder(site: Site): Promise<Answer | undefined> {
    const folder = folderOf(site.website, site.asked);
    if (folder === undefined) return undefined;
    try {
      await this.#read(site, folder.indexKey, plainHead(site.call.request));
    } catch (error) {
      if (isS3Error(error, "NoSuchKey") || isS3Error(error, "AccessDenied")) return undefined;
      throw error;
    }
    return redirect({ status: 302, location: folder.location });
  }

  async #read(site: Site, key: string, request: S3Request): Promise<Answer> {
    const context = this.#contextOf(site, checkKey(key), request);
    checkPayer(context, site.bucket);
    return readObject(
      context,
      (found, range) => ({
        kind: "stream",
        size: range.last - range.first + 1,
        source: objectBytes(context, found, range),
      }),
      {
        withBody: request.method === "GET",
        intercept: (version) => {
          const location = version.headers?.websiteRedirectLocation ?? "";
          const route = objectRedirect(location === "" ? undefined : location);
          return route === undefined ? undefined : redirect(route);
        },
      },
    );
  }

  /** Who asks, for the rules of access: nobody signs here, and parameters mean nothing. */
  #callerOf({ call }: Site, request: S3Request = call.request): Caller {
    const target = parseRequestTarget(request.target.rawPath);
    const identity = { kind: "anonymous" } as const;
    return { gateway: this.#gateway, identity, log: call.log, request: { ...request, target } };
  }

  /** Throws AccessDenied where nobody may read the object, whatever it is. */
  #contextOf(site: Site, keyText: string, request: S3Request): ObjectContext {
    const { bucket, call } = site;
    const { body, remoteAddress, hostId, signal } = call;
    const caller = this.#callerOf(site, request);
    const question = { permission: "s3:GetObject", bucket, key: keyText } as const;
    // Where the object is missing, the site goes on to look for a folder.
    const access = new AccessCheck(caller, { ...question, toleratesMissing: true });
    const { identity } = caller;
    return {
      ...caller,
      authenticated: { identity, payload: { kind: "unsigned" }, chunkSigning: undefined },
      remoteAddress,
      hostId,
      signal,
      document: new Uint8Array(0),
      body,
      bucket,
      access,
      keyText,
      key: utf8(keyText),
    };
  }

  async #errorAnswer(call: WebsiteCall, site: Site | undefined, error: S3Error): Promise<Answer> {
    if (error.status === 304) return emptyAnswer(304, error.headers);
    const page = errorPage(error, { requestId: call.request.requestId, hostId: call.hostId });
    if (site === undefined) return page;
    const route = routeWebsiteError(site.website, site.asked, error.status);
    if (route.kind === "redirect") return redirect(route);
    if (route.kind === "default") return page;
    try {
      const own = await this.#read(site, route.key, withoutConditions(call.request));
      return { ...own, status: error.status, headers: [...own.headers, ...codeFields(page)] };
    } catch (failed) {
      const isAbsent = isS3Error(failed, "NoSuchKey") || isS3Error(failed, "AccessDenied");
      if (!isAbsent) {
        const fields = { bucket: site.bucket.name, error: failed };
        call.log.warn("the error document of a web site cannot be served", fields);
      }
      return page;
    }
  }
}

function redirect(route: { readonly status: number; readonly location: string }): Answer {
  return emptyAnswer(route.status, [["Location", route.location]]);
}

function codeFields(page: Answer): Answer["headers"] {
  return page.headers.filter(([name]) => name.startsWith("x-amz-error-"));
}

/** The same request without what is about the bytes of another object. */
function withoutConditions(request: S3Request): S3Request {
  const fields = request.headers.fields.filter(
    ([name]) => name !== "range" && !name.startsWith("if-"),
  );
  return { ...request, headers: new HeaderList(fields) };
}

function plainHead(request: S3Request): S3Request {
  return { ...withoutConditions(request), method: "HEAD" };
}
