// GET /.well-known/dolium: where each campus is reached, for everyone, as JSON. No bucket can have
// a name that begins with a dot, so nothing is hidden; under a bucket's own host it is a key.
import { utf8 } from "../../lib/base/bytes.ts";
import type { CampusView } from "../../lib/clients/campus-endpoints.ts";
import type { Answer } from "../answer.ts";
import { isSigned, type S3Request } from "../request.ts";

const PATH = "/.well-known/dolium";

export interface CampusPageFacts {
  /** Of this gateway. */
  readonly campus: string;
  /** URL of the name that leads to any campus; empty: there is none. */
  readonly globalEndpoint: string;
  readonly campuses: () => Promise<readonly CampusView[]>;
}

/** The answer when `request` asks for the page, else undefined. */
export async function campusPage(
  request: S3Request,
  { campus, globalEndpoint, campuses }: CampusPageFacts,
): Promise<Answer | undefined> {
  const { method, target, address } = request;
  if (target.rawPath !== PATH || address.style !== "path" || isSigned(request)) return undefined;
  if (method !== "GET" && method !== "HEAD") return undefined;
  const document = {
    service: "dolium",
    campus,
    globalEndpoint: globalEndpoint === "" ? null : globalEndpoint,
    campuses: await campuses(),
  };
  return {
    status: 200,
    headers: [
      ["Content-Type", "application/json"],
      ["Cache-Control", "max-age=5"],
      ["Access-Control-Allow-Origin", "*"],
      ["X-Content-Type-Options", "nosniff"],
    ],
    body: { kind: "bytes", bytes: utf8(`${JSON.stringify(document)}\n`) },
  };
}
