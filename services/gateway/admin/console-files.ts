// The console's files: a fixed set that the build left, looked up by name, so that no path of a
// request ever becomes a path of a file system. All but the page are named by their content and may
// be kept for ever. The policy lets the page run nothing but its own files and reach nothing but
// this origin and the S3 endpoint.
import type { HeaderField } from "../../lib/s3/headers.ts";
import type { AdminAnswer } from "./admin-answer.ts";
import { AdminError, notFound } from "./admin-error.ts";

export interface ConsoleFiles {
  /** Bytes of a file of the build by its name, "main-ABC.js"; undefined: there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
}

const PAGE = "index.html";
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  json: "application/json",
  png: "image/png",
  txt: "text/plain; charset=utf-8",
};
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\.([a-z0-9]+)$/;

/** `s3Endpoints`: origins that the page may talk to besides its own. */
export async function consoleFile(
  files: ConsoleFiles,
  path: string,
  s3Endpoints: readonly string[],
): Promise<AdminAnswer> {
  const name = path === "" ? PAGE : path;
  const extension = NAME.exec(name)?.[1] ?? "";
  const type = TYPES[extension];
  const bytes = type === undefined ? undefined : await files.read(name);
  if (type === undefined || bytes === undefined) {
    if (name !== PAGE) throw notFound("NoSuchFile", `The console has no file ${name}.`);
    throw new AdminError(
      503,
      "ConsoleNotBuilt",
      "The console is not built: run `npm run build:console` where Dolium is installed.",
    );
  }
  const kept = name === PAGE ? "no-cache" : "public, max-age=31536000, immutable";
  const headers: HeaderField[] = [
    ["Content-Security-Policy", policyFor(s3Endpoints)],
    ["Cache-Control", kept],
  ];
  return { status: 200, headers, body: { kind: "bytes", bytes, contentType: type } };
}

function policyFor(s3Endpoints: readonly string[]): string {
  const others = s3Endpoints.map((origin) => ` ${origin}`).join("");
  return [
    "default-src 'self'",
    `connect-src 'self'${others}`,
    `img-src 'self' data: blob:${others}`,
    `media-src 'self' blob:${others}`,
    "frame-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}
