// The list of unfinished multipart uploads that outlives the page: names, sizes and upload ids,
// which are worth nothing without signing in. It is what a transfer is taken up from after a
// reload.
const STORE = "dolium-uploads";
const KEPT_MAX = 200;

export interface KeptUpload {
  readonly user: string;
  readonly bucket: string;
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970: with name and size it tells whether a file is the same. */
  readonly modified: number;
  readonly uploadId: string;
  readonly partSize: number;
}

function isKept(value: unknown): value is KeptUpload {
  if (typeof value !== "object" || value === null) return false;
  const has = (name: string, type: string): boolean => typeof Reflect.get(value, name) === type;
  const texts = ["user", "bucket", "key", "uploadId"].every((name) => has(name, "string"));
  return texts && ["size", "modified", "partSize"].every((name) => has(name, "number"));
}

export function keptUploads(): KeptUpload[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    return Array.isArray(list) ? list.filter(isKept) : [];
  } catch {
    // Somebody else wrote it: there is nothing to take up.
    return [];
  }
}

function store(list: readonly KeptUpload[]): void {
  if (list.length === 0) localStorage.removeItem(STORE);
  else localStorage.setItem(STORE, JSON.stringify(list.slice(-KEPT_MAX)));
}

export function keep(upload: KeptUpload): void {
  store([...keptUploads().filter(({ uploadId }) => uploadId !== upload.uploadId), upload]);
}

export function forget(uploadId: string): void {
  store(keptUploads().filter((upload) => upload.uploadId !== uploadId));
}
