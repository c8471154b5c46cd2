// Taking objects away: one by a signed address, several as a ZIP archive that is written as it
// comes. Where the browser lets a page write to a file, nothing is held in memory; elsewhere the
// archive is collected in blobs, which browsers move to disk, up to a limit.
import { type ZipEntry, zip } from "../../model/zip.ts";
import { keysBelow, type ListedObject, s3Fetch, signedUrl } from "../s3.ts";

const BLOB_BYTES_MAX = 2 * 1024 ** 3;
const BLOB_PIECE_BYTES = 8 * 1024 ** 2;
const FILE_NAME_MAX = 200;

interface FileSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  abort(reason?: unknown): Promise<void>;
}

type Picker = (options: { suggestedName: string }) => Promise<{
  createWritable(): Promise<FileSink>;
}>;

function leave(url: string, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.rel = "noopener";
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

export function fileName(key: string): string {
  const last = key.split("/").at(-1) ?? "";
  return (last === "" ? "object" : last).slice(-FILE_NAME_MAX);
}

/** The browser's own download; S3 answers as an attachment, so nothing of it is ever shown here. */
export async function download(bucket: string, item: ListedObject): Promise<void> {
  const name = fileName(item.key);
  const query: Record<string, string> = {
    "response-content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`,
  };
  if (item.versionId !== undefined) query["versionId"] = item.versionId;
  leave(await signedUrl({ method: "GET", bucket, key: item.key, query }), name);
}

async function* pieces(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel();
  }
}

async function* entriesOf(
  bucket: string,
  folder: string,
  picked: Iterable<ListedObject>,
): AsyncGenerator<ZipEntry> {
  const entry = (item: ListedObject): ZipEntry => ({
    name: item.key.slice(folder.length),
    modifiedMs: Date.parse(item.modified),
    open: async () => {
      const query: Record<string, string> =
        item.versionId === undefined ? {} : { versionId: item.versionId };
      return pieces(await s3Fetch({ method: "GET", bucket, key: item.key, query }));
    },
  });
  for (const item of picked) {
    if (!item.isFolder) {
      if (item.isMarker !== true) yield entry(item);
      continue;
    }
    for await (const below of keysBelow(bucket, item.key)) {
      if (!below.key.endsWith("/")) yield entry(below);
    }
  }
}

/** Collects pieces in blobs of some size, so that the page itself holds little. */
class BlobSink implements FileSink {
  readonly #name: string;
  #blobs: Blob[] = [];
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #pending = 0;
  #total = 0;

  constructor(name: string) {
    this.#name = name;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#pieces.push(new Uint8Array(bytes));
    this.#pending += bytes.byteLength;
    this.#total += bytes.byteLength;
    if (this.#total > BLOB_BYTES_MAX) {
      throw new Error("This browser cannot save an archive of more than 2 GiB; pick less.");
    }
    if (this.#pending >= BLOB_PIECE_BYTES) this.#fold();
  }

  async close(): Promise<void> {
    this.#fold();
    const url = URL.createObjectURL(new Blob(this.#blobs, { type: "application/zip" }));
    leave(url, this.#name);
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async abort(): Promise<void> {
    this.#blobs = [];
    this.#pieces = [];
  }

  #fold(): void {
    if (this.#pieces.length > 0) this.#blobs.push(new Blob(this.#pieces));
    this.#pieces = [];
    this.#pending = 0;
  }
}

async function openSink(name: string): Promise<FileSink> {
  // Not in every browser, and not without HTTPS.
  const picker: unknown = Reflect.get(window, "showSaveFilePicker");
  if (typeof picker !== "function") return new BlobSink(name);
  // The File System Access API: the one shape this function has.
  const handle = await (picker as Picker)({ suggestedName: name });
  return handle.createWritable();
}

/** Writes the picked objects, and all below the picked folders, to one archive. */
export async function downloadZip(options: {
  readonly bucket: string;
  readonly folder: string;
  readonly picked: Iterable<ListedObject>;
  readonly onBytes: (bytes: number) => void;
}): Promise<void> {
  const { bucket, folder, picked, onBytes } = options;
  const sink = await openSink(`${folder === "" ? bucket : fileName(folder.slice(0, -1))}.zip`);
  let total = 0;
  try {
    for await (const piece of zip(entriesOf(bucket, folder, picked))) {
      await sink.write(piece);
      total += piece.byteLength;
      onBytes(total);
    }
    await sink.close();
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
}
