// S3 as the console uses it. The browser holds no key: each request is one that the admin API
// signed for the user of the session, and goes straight to the S3 port. What fails is told with the
// code and the text of the S3 answer.
import { ApiError, api } from "./api.ts";
import type { PresignRequest } from "./api-types.ts";

const LIST_PAGE = 1000;
const PRESIGN_SECONDS = 900;

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modified: string;
  readonly isFolder: boolean;
  readonly versionId?: string;
  readonly isLatest?: boolean;
  readonly isMarker?: boolean;
}

export interface ListPage {
  readonly items: readonly ListedObject[];
  /** What to ask the next page with; undefined at the end. */
  readonly next: Readonly<Record<string, string>> | undefined;
}

export interface Part {
  readonly number: number;
  readonly etag: string;
  readonly size: number;
}

export async function signedUrl(wanted: PresignRequest): Promise<string> {
  const { url } = await api.presign({ expires: PRESIGN_SECONDS, ...wanted });
  return url;
}

/** Sends one request; throws ApiError for what is not 2xx. */
export async function s3Fetch(
  wanted: PresignRequest,
  init: { readonly body?: BodyInit; readonly signal?: AbortSignal } = {},
): Promise<Response> {
  const url = await signedUrl(wanted);
  const { method, headers = {} } = wanted;
  let response: Response;
  try {
    const options = { method, headers, credentials: "omit", cache: "no-store", ...init } as const;
    response = await fetch(url, options);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, "Unreachable", "The S3 port cannot be reached from this page.");
  }
  if (response.ok) return response;
  throw s3Failure(response.status, await response.text());
}

export function s3Failure(status: number, text: string): ApiError {
  const root = new DOMParser().parseFromString(text, "application/xml").documentElement;
  const code = child(root, "Code") || "Unknown";
  return new ApiError(status, code, child(root, "Message") || `S3 answered ${status} (${code}).`);
}

async function document(wanted: PresignRequest, body?: string): Promise<Element> {
  const response = await s3Fetch(wanted, body === undefined ? {} : { body });
  const parsed = new DOMParser().parseFromString(await response.text(), "application/xml");
  const root = parsed.documentElement;
  // Some operations answer 200 before they know how they end.
  if (root.localName === "Error") throw s3Failure(response.status, root.outerHTML);
  return root;
}

export function child(parent: Element, name: string): string {
  for (const element of parent.children) {
    if (element.localName === name) return element.textContent ?? "";
  }
  return "";
}

export function children(parent: Element, name: string): Element[] {
  return [...parent.children].filter((element) => element.localName === name);
}

/** Keys come percent-encoded, for XML cannot carry all of them. */
function decodeKey(text: string): string {
  return decodeURIComponent(text.replaceAll("+", "%20"));
}

function folderOf(element: Element): ListedObject {
  const key = decodeKey(child(element, "Prefix"));
  return { key, size: 0, modified: "", isFolder: true };
}

export async function listObjects(
  bucket: string,
  prefix: string,
  after: Readonly<Record<string, string>> = {},
): Promise<ListPage> {
  const query = {
    "list-type": "2",
    "encoding-type": "url",
    "max-keys": String(LIST_PAGE),
    delimiter: "/",
    prefix,
    ...after,
  };
  const root = await document({ method: "GET", bucket, query });
  const objects = children(root, "Contents").map((element) => ({
    key: decodeKey(child(element, "Key")),
    size: Number(child(element, "Size")),
    modified: child(element, "LastModified"),
    isFolder: false,
  }));
  const folders = children(root, "CommonPrefixes").map(folderOf);
  const token = child(root, "NextContinuationToken");
  return {
    items: [...folders, ...objects],
    next: token === "" ? undefined : { "continuation-token": token },
  };
}

export async function listVersions(
  bucket: string,
  prefix: string,
  after: Readonly<Record<string, string>> = {},
): Promise<ListPage> {
  const query = {
    versions: "",
    "encoding-type": "url",
    "max-keys": String(LIST_PAGE),
    delimiter: "/",
    prefix,
    ...after,
  };
  const root = await document({ method: "GET", bucket, query });
  const versions = [...root.children]
    .filter(({ localName }) => localName === "Version" || localName === "DeleteMarker")
    .map((element) => ({
      key: decodeKey(child(element, "Key")),
      size: Number(child(element, "Size")),
      modified: child(element, "LastModified"),
      isFolder: false,
      versionId: child(element, "VersionId"),
      isLatest: child(element, "IsLatest") === "true",
      isMarker: element.localName === "DeleteMarker",
    }));
  const folders = children(root, "CommonPrefixes").map(folderOf);
  const key = child(root, "NextKeyMarker");
  const version = child(root, "NextVersionIdMarker");
  const next = { "key-marker": decodeKey(key), ...(version && { "version-id-marker": version }) };
  return { items: [...folders, ...versions], next: key === "" ? undefined : next };
}

/** Every key below `prefix`; a page at a time, so that what is done with them is bounded. */
export async function* keysBelow(bucket: string, prefix: string): AsyncGenerator<ListedObject> {
  let next: Readonly<Record<string, string>> | undefined = {};
  while (next !== undefined) {
    const page: ListPage = await listObjects(bucket, prefix, { delimiter: "", ...next });
    yield* page.items;
    next = page.next;
  }
}

export async function deleteObject(bucket: string, key: string, versionId?: string): Promise<void> {
  const query = versionId === undefined ? {} : { versionId };
  await s3Fetch({ method: "DELETE", bucket, key, query });
}

export async function headObject(
  bucket: string,
  key: string,
  versionId?: string,
): Promise<Headers> {
  const query = versionId === undefined ? {} : { versionId };
  return (await s3Fetch({ method: "HEAD", bucket, key, query })).headers;
}

/** Copies within the cluster; the body does not pass through the browser. */
export async function copyObject(
  bucket: string,
  source: { readonly key: string; readonly versionId?: string },
  target: { readonly bucket: string; readonly key: string },
): Promise<void> {
  const version = source.versionId === undefined ? "" : `?versionId=${source.versionId}`;
  const path = source.key.split("/").map(encodeURIComponent).join("/");
  const headers = { "x-amz-copy-source": `/${bucket}/${path}${version}` };
  await document({ method: "PUT", bucket: target.bucket, key: target.key, headers });
}

export async function startUpload(bucket: string, key: string, type: string): Promise<string> {
  const headers = type === "" ? {} : { "content-type": type };
  const root = await document({ method: "POST", bucket, key, query: { uploads: "" }, headers });
  return child(root, "UploadId");
}

export async function listParts(bucket: string, key: string, uploadId: string): Promise<Part[]> {
  const parts: Part[] = [];
  let marker = "";
  do {
    const query = {
      uploadId,
      "max-parts": "1000",
      ...(marker && { "part-number-marker": marker }),
    };
    const root = await document({ method: "GET", bucket, key, query });
    for (const element of children(root, "Part")) {
      parts.push({
        number: Number(child(element, "PartNumber")),
        etag: child(element, "ETag"),
        size: Number(child(element, "Size")),
      });
    }
    const isCut = child(root, "IsTruncated") === "true";
    marker = isCut ? child(root, "NextPartNumberMarker") : "";
  } while (marker !== "");
  return parts;
}

export async function completeUpload(
  bucket: string,
  key: string,
  upload: { readonly uploadId: string; readonly parts: readonly Part[] },
): Promise<void> {
  const items = upload.parts.map(
    ({ number, etag }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`;
  await document({ method: "POST", bucket, key, query: { uploadId: upload.uploadId } }, body);
}

export async function abortUpload(bucket: string, key: string, uploadId: string): Promise<void> {
  await s3Fetch({ method: "DELETE", bucket, key, query: { uploadId } });
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A setting of a bucket as text; undefined when there is none. */
export async function getSetting(bucket: string, name: string): Promise<string | undefined> {
  try {
    return await (await s3Fetch({ method: "GET", bucket, query: { [name]: "" } })).text();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404 && error.code !== "NoSuchBucket") {
      return undefined;
    }
    throw error;
  }
}

export async function putSetting(bucket: string, name: string, text: string): Promise<void> {
  await s3Fetch({ method: "PUT", bucket, query: { [name]: "" } }, { body: text });
}

export async function deleteSetting(bucket: string, name: string): Promise<void> {
  await s3Fetch({ method: "DELETE", bucket, query: { [name]: "" } });
}

export function parseXml(text: string): Element {
  return new DOMParser().parseFromString(text, "application/xml").documentElement;
}
