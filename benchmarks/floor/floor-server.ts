// The least that any server must do: node:http takes the request, hashes a body with MD5 (and with
// SHA-256 where the client signed it), writes it to one file and syncs that once before the answer;
// reads are sent from memory. No names, no signature check, no coding, no log. Nothing measured
// against it can be expected to be faster; started as a process of its own, it prints its port.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { bodyOf } from "../load/body-source.ts";
import { keyOf } from "../load/job.ts";

/** The file is written from its start again at this length. */
const FILE_BYTES_MAX = 1024 ** 3;
const NAME_BYTES = 128;
const LIST_KEYS_MAX = 1000;

const folder = mkdtempSync(join(process.argv[2] ?? "", "dolium-floor-"));
const file = await open(join(folder, "bodies"), "w+");
const sizes = new Map<string, number>();
const pages = new Map<string, Buffer>();
let offset = 0;

function place(length: number): number {
  if (offset + length > FILE_BYTES_MAX) offset = 0;
  const at = offset;
  offset += length;
  return at;
}

async function put(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const length = Number(request.headers["content-length"] ?? 0);
  const isSigned = /^[0-9a-f]{64}$/.test(String(request.headers["x-amz-content-sha256"]));
  const md5 = createHash("md5");
  const sha256 = isSigned ? createHash("sha256") : undefined;
  let at = place(length);
  let writing: Promise<unknown> = Promise.resolve();
  for await (const view of request) {
    // node:http hands over buffers, as no encoding is set.
    const bytes = view as Buffer;
    md5.update(bytes);
    sha256?.update(bytes);
    await writing;
    writing = file.write(bytes, 0, bytes.byteLength, at);
    at += bytes.byteLength;
  }
  await writing;
  await file.datasync();
  sha256?.digest("hex");
  sizes.set(pathOf(request), length);
  response.writeHead(200, { ETag: `"${md5.digest("hex")}"`, "Content-Length": 0 });
  response.end();
}

/** A name that goes is a few bytes written and synced, as one that comes is. */
async function remove(response: ServerResponse): Promise<void> {
  await file.write(Buffer.alloc(NAME_BYTES), 0, NAME_BYTES, place(NAME_BYTES));
  await file.datasync();
  response.writeHead(204);
  response.end();
}

/** Beginning and completing an upload: a name, synced, and a small document. */
async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume();
  await file.write(Buffer.alloc(NAME_BYTES), 0, NAME_BYTES, place(NAME_BYTES));
  await file.datasync();
  document(response, Buffer.from("<Answer><UploadId>1</UploadId></Answer>"));
}

function read(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? "";
  if (url.includes("list-type=2")) {
    document(response, pageOf(url));
    return;
  }
  const size = sizes.get(pathOf(request));
  if (size === undefined) {
    response.writeHead(404, { "Content-Length": 0 }).end();
    return;
  }
  response.writeHead(200, { "Content-Length": size, ETag: '"1"' });
  if (request.method === "HEAD") response.end();
  else response.end(bodyOf(size));
}

function document(response: ServerResponse, bytes: Buffer): void {
  response.writeHead(200, {
    "Content-Type": "application/xml",
    "Content-Length": bytes.byteLength,
  });
  response.end(bytes);
}

/** A page as the store answers it, made when it is first asked for. */
function pageOf(url: string): Buffer {
  const known = pages.get(url);
  if (known !== undefined) return known;
  const [path = "", query] = url.split("?");
  const prefix = `${path}/${new URLSearchParams(query).get("prefix") ?? ""}`;
  const count = [...sizes.keys()].filter((key) => key.startsWith(prefix)).length;
  const entries = Array.from({ length: Math.min(count, LIST_KEYS_MAX) }, (_, at) => {
    const key = keyOf(prefix.slice(path.length + 1), at);
    return (
      `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
      `<ETag>&quot;${"0".repeat(32)}&quot;</ETag><Size>4096</Size>` +
      "<StorageClass>STANDARD</StorageClass></Contents>"
    );
  });
  const text = `<?xml version="1.0"?><ListBucketResult>${entries.join("")}</ListBucketResult>`;
  const page = Buffer.from(text);
  pages.set(url, page);
  return page;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?")[0] ?? "";
}

function answer(request: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
  switch (request.method) {
    case "PUT":
      return put(request, response);
    case "POST":
      return post(request, response);
    case "DELETE":
      return remove(response);
    default:
      read(request, response);
      return undefined;
  }
}

const server = createServer((request, response) => {
  answer(request, response)?.catch((error: unknown) => response.destroy(error as Error));
});
function end(): void {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
process.on("SIGTERM", end);
process.on("SIGINT", end);
process.on("disconnect", end);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") process.send?.(address?.port);
});
