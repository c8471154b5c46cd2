// The links of a page of the bucket browser. A page that was opened without a signature, or with
// one in headers, has plain links. One that was opened by a presigned URL has links presigned with
// the same key, which live no longer than that URL and lead only to what lies under its prefix:
// whoever presigns `browser=true` hands out that much, and each link is authorized when it is used.
import { unreachable } from "../../lib/base/assert.ts";
import { parseAuthorization } from "../../lib/s3/sigv4/claim.ts";
import { presign } from "../../lib/s3/sigv4/sign.ts";
import { uriEncode } from "../../lib/s3/uri-encoding.ts";
import type { BucketContext } from "../operation.ts";

/** Names the prefix above which presigned pages do not lead. */
export const ROOT_PARAMETER = "browser-root";

export interface PageLinks {
  /** Key prefix above which no link of the page leads. */
  readonly root: string;
  /** The page of a folder, from after `startAfter` on. */
  page(prefix: string, startAfter?: string): string;
  /** The object, to be saved; undefined for a key that a browser cannot ask for. */
  download(key: string): string | undefined;
}

type Pair = readonly [name: string, value: string];
type Finish = (target: string) => string;

/** `prefix`: of the page. Throws what finding a credential throws. */
export async function pageLinks(context: BucketContext, prefix: string): Promise<PageLinks> {
  const base = bucketPath(context);
  const finish = await signerOf(context);
  if (finish === undefined) {
    return {
      root: "",
      page: (folder, startAfter) => target(base, pagePairs(folder, startAfter)),
      download: (key) => (canBeAskedFor(key) ? base + pathOf(key) : undefined),
    };
  }
  const { query } = context.request.target;
  const root = query.get(ROOT_PARAMETER) ?? prefix;
  const within = ROOT_PARAMETER;
  const saved: readonly Pair[] = [["response-content-disposition", "attachment"]];
  return {
    root,
    page: (folder, startAfter) =>
      finish(target(base, [...pagePairs(folder, startAfter), [within, root]])),
    download: (key) => (canBeAskedFor(key) ? finish(target(base + pathOf(key), saved)) : undefined),
  };
}

/** Browsers resolve `.` and `..` away, however they are written, and would ask for another key. */
function canBeAskedFor(key: string): boolean {
  return !key.split("/").some((segment) => segment === "." || segment === "..");
}

/** After the slash of a host, another slash would begin the name of another host. */
function pathOf(key: string): string {
  return uriEncode(key, true).replace(/^\//, "%2F");
}

function pagePairs(prefix: string, startAfter: string | undefined): Pair[] {
  const pairs: Pair[] = [
    ["browser", "true"],
    ["prefix", prefix],
  ];
  return startAfter === undefined ? pairs : [...pairs, ["start-after", startAfter]];
}

function target(path: string, pairs: readonly Pair[]): string {
  return `${path}?${pairs.map(([name, value]) => `${name}=${uriEncode(value, false)}`).join("&")}`;
}

/** Ends with a slash; begins with one only, or it would name another host. */
function bucketPath({ request }: BucketContext): string {
  return `${request.target.rawPath}/`.replace(/^\/+/, "/").replace(/\/+$/, "/");
}

/** Presigns as the request was; undefined where it was not. */
async function signerOf({ request, gateway }: BucketContext): Promise<Finish | undefined> {
  const { headers, target: asked, origin, receivedMs: nowMs, requestId } = request;
  const claim = parseAuthorization(headers, asked.query);
  const expiresSeconds = expiryOf(claim, nowMs);
  if (claim.kind === "anonymous" || expiresSeconds === undefined) return undefined;
  const { accessKeyId } = claim;
  const securityToken = asked.query.get("X-Amz-Security-Token");
  const question = { securityToken, origin, nowMs, requestId };
  const found = await gateway.dependencies.credentials.find(accessKeyId, question);
  if (found === undefined) return undefined;
  const { region } = gateway.settings;
  // A token is its own proof: what is signed with does not matter.
  const identity = { accessKeyId, secret: found.secret ?? "", region, nowMs };
  const host = ["Host", headers.get("host") ?? ""] as const;
  return (path) => {
    const session: readonly Pair[] =
      securityToken === undefined ? [] : [["X-Amz-Security-Token", securityToken]];
    const full = session.reduce(
      (text, [name, value]) => `${text}&${name}=${uriEncode(value, false)}`,
      path,
    );
    return presign({ method: "GET", target: full, headers: [host] }, identity, expiresSeconds);
  };
}

/** Whole seconds that the presigned URL has left; undefined for other requests. */
function expiryOf(claim: ReturnType<typeof parseAuthorization>, nowMs: number): number | undefined {
  const nowSeconds = Math.floor(nowMs / 1000);
  switch (claim.kind) {
    case "v4-query": {
      const { amzDate, expiresSeconds } = claim;
      const iso = amzDate.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
      const signedSeconds = Math.floor(Date.parse(iso) / 1000);
      return atLeastOne(signedSeconds + expiresSeconds - nowSeconds, expiresSeconds);
    }
    case "v2-query":
      return atLeastOne(claim.expiresAtSeconds - nowSeconds, Number.MAX_SAFE_INTEGER);
    case "anonymous":
    case "v4-header":
    case "v2-header":
      return undefined;
    default:
      return unreachable(claim);
  }
}

const PRESIGNED_SECONDS_MAX = 604_800;

function atLeastOne(left: number, most: number): number {
  return Math.max(1, Math.min(left, most, PRESIGNED_SECONDS_MAX));
}
