// Objects that a browser opens as pages of their own on the port that serves the console too. They
// are of the console's origin, and an uploaded page could use it in its reader's name; the sandbox
// gives such a page an origin of its own. Programs, and kinds of content that cannot run anything,
// are answered as ever. Web sites have host names, and so origins, of their own.
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { S3Request } from "../request.ts";

const POLICY = "Content-Security-Policy";
const SANDBOX: HeaderField = [
  POLICY,
  "sandbox allow-downloads allow-forms allow-modals allow-popups allow-scripts",
];
const PAGES: ReadonlySet<string> = new Set(["document", "iframe", "frame", "embed", "object"]);
/** Browsers never read these as something that runs. */
const INERT = /^(?:image\/(?!svg)|audio\/|video\/|font\/|text\/plain$|application\/(?:pdf|json)$)/;

/** What to add to the answer's `headers`. */
export function navigationSandbox(
  request: Pick<S3Request, "headers" | "isWebsite">,
  headers: readonly HeaderField[],
): readonly HeaderField[] {
  if (request.isWebsite || !isPage(request)) return [];
  const type = headerNamed(headers, "content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (INERT.test(type) || headerNamed(headers, POLICY.toLowerCase()) !== undefined) return [];
  return [SANDBOX];
}

/** Over plain HTTP browsers do not say what they load for, but they ask for pages by their type. */
function isPage({ headers }: Pick<S3Request, "headers">): boolean {
  const purpose = headers.get("sec-fetch-dest");
  if (purpose !== undefined) return PAGES.has(purpose);
  return headers.get("accept")?.includes("text/html") === true;
}

function headerNamed(headers: readonly HeaderField[], wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}
